"""What we write can be read aloud: no sentence of forty words or more in notebooks, README and docstrings."""

import ast
import re

import nbformat
import pytest

from tests.conftest import ROOT
from tests.test_house import FILES, name_of

LIMIT = 40  # words
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def sentences(text):
    """Return the sentences of a markdown text: what ends in . ! or ?, and what a blank line, an item or a row ends.

    A formula counts as a word. A displayed one in the middle of a sentence does not end it.
    """
    text = re.sub(r"```.*?```|!?\[([^\]]*)\]\([^)]*\)", lambda found: found[1] or ". ", text, flags=re.DOTALL)
    text = re.sub(r"\s*\$\$.*?\$\$\s*|\$[^$]*\$", " x ", text, flags=re.DOTALL)
    text = re.sub(r"(?m)^#.*$|\n\s*\n|\||^\s*(?:[*>-]|\d+\.) ", lambda found: f". {found[0]}. ", text)
    return re.split(r"[.!?](?=[\s)*]|$)", text)


def too_long(texts):
    return [" ".join(s.split()) for text in texts for s in sentences(text) if len(s.split()) >= LIMIT]


def prose(docstring):
    """Return a docstring without its examples and its indented formulas; the name of an argument ends a sentence."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", docstring):
        if not paragraph.startswith(("    ", "Example")) and not paragraph.lstrip().startswith(">>>"):
            paragraphs.append(re.sub(r"(?m)^\s*[\w*, ]+:(?=\s)", ". ", paragraph))
    return "\n. ".join(paragraphs)


def test_how_sentences_are_counted():
    text = "# Title\n\nOne $x = 1$ two.\nThree, four: five! (Six?)\n\n* an item\n* another\n\n$$\ny\n$$\n\nend"
    found = [re.findall(r"\w+", sentence) for sentence in sentences(text)]
    assert [len(words) for words in found if words] == [1, 3, 3, 1, 2, 3]
    assert too_long(["word " * 39 + ". end"]) == []
    assert len(too_long(["word " * 20 + "$$ formula $$" + " word" * 19])) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks(path):
    cells = nbformat.read(path, as_version=4).cells
    assert too_long(cell.source for cell in cells if cell.cell_type == "markdown") == []


def test_readme():
    assert too_long([(ROOT / "README.md").read_text()]) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_docstrings(path):
    kinds = ast.Module, ast.FunctionDef, ast.ClassDef
    found = (ast.get_docstring(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds))
    assert too_long(prose(text) for text in found if text) == []
