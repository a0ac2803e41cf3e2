"""Every link and picture in the documents and the notebooks leads to a file that is here, and to a
heading in it."""

import json
import re

import pytest

from helpers.kit import ROOT

DOCUMENTS = sorted(
    path
    for pattern in (
        "*.md",
        "*/*.md",
        "notebooks/*.ipynb",
        "notebooks/solutions/*.ipynb",
        "teaching/*.ipynb",
    )
    for path in ROOT.glob(pattern)
    if not path.relative_to(ROOT).parts[0].startswith(".")
)
LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)|<(?:img|a)\b[^>]*\b(?:src|href)=\"([^\"]+)\"")


def text_of(path):
    """What a reader sees as text: of a notebook, its text cells. Code is left out: brackets in it
    are no links."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text())["cells"]
        text = "\n\n".join(
            "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
        )
    else:
        text = path.read_text()
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)


def anchors(path):
    """The anchors of a file's headings, as GitHub makes them and, in a notebook, Jupyter."""
    headings = [
        re.sub(r"[*_]", "", heading).strip()
        for heading in re.findall(r"^#+ (.*)", text_of(path), re.M)
    ]
    if path.suffix == ".ipynb":
        return {heading.replace(" ", "-") for heading in headings}
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    for target in ("".join(groups) for groups in LINK.findall(text_of(document))):
        if not re.match(r"[a-z]+:", target):  # another site
            name, _, anchor = target.partition("#")
            file = document.parent / name if name else document
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target
