"""The explorer in a real browser: sliders are moved, and the numbers are read from the page."""

import nbformat
import numpy as np
import pytest

from explorer import Choice, forms, nearest, problem
from ranks import dense_ranks
from tests.browsing import open_page
from tests.notebooks.headless import check_committed, path, run
from tests.oracles import explorer_page as reader

SIZE = {"width": 1000, "height": 1400}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Yield a page of 1000 pixels with the explorer of the committed notebook, and the errors in its console."""
    problems = []
    folder = tmp_path_factory.mktemp("voila")
    with reader.served(path("explorer"), folder) as address, open_page(problems, viewport=SIZE) as page:
        reader.opened(page, address)
        yield page
        assert problems == []


def test_it_begins_with_the_network_of_the_first_notebook(page):
    assert reader.shown(page) == (Choice(), [175, 150, 250])
    assert reader.read(page, Choice(), "measured", 120) == [175, 150, 250]
    assert reader.grades(page) == ["clear"] * 3


@pytest.mark.parametrize("seed", range(3))
def test_moved_sliders_show_the_closed_forms_and_the_measured_ranks(page, seed):
    target = reader.drawn(np.random.default_rng([3, seed]), largest=60)
    reader.moved(page, target)
    choice, values = reader.shown(page)
    assert choice == target
    assert values == list(forms(target).known.ranks)
    measured = dense_ranks(*problem(target))
    assert reader.read(page, target, "measured", 120) == [found.rank for found in measured]
    assert reader.grades(page) == [found.grade for found in measured]


def test_the_line_of_python_is_that_of_the_choice(page):
    target = nearest(Choice(widths=(2,), inputs=4, outputs=3))
    reader.moved(page, target)
    printed = []
    exec(page.locator("pre", has_text="problem(").inner_text(), {"print": printed.append})
    assert [int(line.split()[2]) for line in printed[0].splitlines()] == [12, 10, 14]


def test_exact_ranks_on_demand(page):
    choice, _ = reader.shown(page)
    page.get_by_role("button", name="Exact ranks").click()
    assert reader.read(page, choice, "exact", 120) == list(forms(choice).known.ranks)


def test_nothing_is_wider_than_a_small_page(page):
    for width in (1000, 768, 400):
        page.set_viewport_size({"width": width, "height": 1000})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size(SIZE)


def test_committed_outputs():
    printed = check_committed("explorer", pictures=0)
    assert "All three ranks are those of the closed form" in printed
    bundles = [
        output.data
        for cell in nbformat.read(path("explorer"), as_version=4).cells
        for output in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert [set(bundle) & {"image/svg+xml", "text/plain"} for bundle in bundles] == [{"image/svg+xml", "text/plain"}]


def test_other_hyperparameters_without_a_browser(tmp_path):
    finished = run(path("explorer"), tmp_path, "kind=attention", "widths=[2, 3]", "dim=5", "classes=4")
    assert finished.returncode == 0, finished.stderr
    assert [line.split()[-5:-3] for line in finished.stdout.splitlines() if "yes" in line] == [
        ["47", "47"],
        ["33", "33"],
        ["47", "47"],
    ]
