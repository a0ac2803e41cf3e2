"""Every link and picture in the documents and the notebooks leads to a file that is here, and to a
heading in it."""

import json
import re

import pytest

from helpers.kit import ROOT

FOLDERS = ["*.md", "*/*.md", "notebooks/*.ipynb", "notebooks/solutions/*.ipynb", "teaching/*.ipynb"]
FOUND = [path.relative_to(ROOT) for pattern in FOLDERS for path in ROOT.glob(pattern)]
DOCUMENTS = sorted(str(path) for path in FOUND if not path.parts[0].startswith("."))
LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)|<(?:img|a)\b[^>]*\b(?:src|href)=\"([^\"]+)\"")


def text_of(path):
    """What a reader sees as text: of a notebook, its text cells. Code is left out: brackets in it
    are no links."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        cells = [one for one in json.loads(text)["cells"] if one["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)


def anchors(path):
    """The anchors of a file's headings, as GitHub makes them and, in a notebook, Jupyter."""
    found = re.findall(r"^#+ (.*)", text_of(path), re.M)
    headings = [re.sub(r"[*_]", "", heading).strip() for heading in found]
    if path.suffix == ".ipynb":
        return {heading.replace(" ", "-") for heading in headings}
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document):
    document = ROOT / document
    for target in ("".join(groups) for groups in LINK.findall(text_of(document))):
        if not re.match(r"[a-z]+:", target):  # another site
            name, _, anchor = target.partition("#")
            file = document.parent / name if name else document
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target
