"""Notebooks as students hand them in, for make report."""

import json

from .kit import ROOT


def notebook(name="1_memory.ipynb", **printed):
    """One of the kit's notebooks. printed: what the cells of its checks have as outputs"""
    content = json.loads((ROOT / "notebooks" / name).read_text())
    for check, outputs in printed.items():
        outputs = [stream(outputs)] if isinstance(outputs, str) else outputs
        cell_of(content, check)["outputs"] = outputs
    return content


def cell_of(content, check="tweak"):
    starts = f"check.{check}("
    return next(one for one in content["cells"] if "".join(one["source"]).startswith(starts))


def stream(*texts, name="stdout"):
    return {"name": name, "output_type": "stream", "text": list(texts)}
