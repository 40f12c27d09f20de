"""The order of the notebooks: index.ipynb, the README's table, and the links from each notebook to the next."""

import re

import nbformat
import pytest

from tests.conftest import ROOT
from tests.notebooks.headless import README, path

FOLDER = ROOT / "notebooks"
NAMES = sorted(notebook.stem for notebook in FOLDER.glob("*.ipynb") if notebook.stem != "index")
LINK = re.compile(r"\[([^\]]+)\]\((\w+)\.ipynb\)")


def rows(text, folder=""):
    """Return (name, question, time) of every row of the table of notebooks, whose links point into the folder."""
    return re.findall(rf"^\| \[`(\w+)\.ipynb`\]\({folder}\1\.ipynb\) \| (.+) \| ([^|]+) \|$", text, flags=re.M)


def cells(name):
    return nbformat.read(path(name), as_version=4).cells


INDEX = rows("\n".join(cell.source for cell in cells("index")))
ORDER = [name for name, _, _ in INDEX]


def test_the_index_and_the_readme_have_the_same_rows():
    assert len(INDEX) > 10
    assert rows(README, "notebooks/") == INDEX


def test_the_index_has_all_notebooks_and_nothing_to_run():
    assert sorted(ORDER) == NAMES
    assert {cell.cell_type for cell in cells("index")} == {"markdown"}
    assert cells("index")[0].source.startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_three_things_to_try_come_before_the_links(name):
    *_, things, _ = cells(name)
    assert things.cell_type == "markdown"
    assert things.source.startswith("## Three things to try\n")
    assert len(re.findall(r"^\s*[*-] ", things.source, flags=re.M)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_the_links_follow_the_order_of_the_index(name):
    last = cells(name)[-1]
    assert last.cell_type == "markdown"
    place = ORDER.index(name)
    expected = {"Previous: ": ORDER[place - 1] if place else None, "": "index"}
    expected["Next: "] = ORDER[place + 1] if place + 1 < len(ORDER) else None
    parts = [f"{word}[TEXT]({target}.ipynb)" for word, target in expected.items() if target]
    assert LINK.sub(r"[TEXT](\2.ipynb)", last.source) == " \u00b7 ".join(parts)


def test_a_notebook_has_one_name_in_all_links():
    names = {}
    for name in NAMES:
        for text, target in LINK.findall(cells(name)[-1].source):
            names.setdefault(target, set()).add(text)
    assert {target: texts for target, texts in names.items() if len(texts) > 1} == {}
    assert names["index"] == {"All notebooks"}
