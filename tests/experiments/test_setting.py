"""Hyperparameters: one default each, and the names of the choices read from one place."""

import ast
import re

import nbformat
import pytest

from architectures import PIECEWISE_LINEAR
from closed_forms import biased_ranks, effective_outputs, linear_ranks
from data import DATASETS
from experiments.setting import CHOICES, Setting, closed_forms, parameters
from losses import LOSSES
from tests.conftest import IMAGE_SETS, ROOT

DEFAULTS = Setting()._asdict()
# What a notebook is about may need another value than the default of the others.
EXCEPTIONS = {
    "exact_rank": {"activation"},  # a relu network, of which the numerical rank is wrong
    "rank_sweeps": {"dataset"},  # as generic as data can be
    "beyond_linear": {"activation"},  # the one to train beside the linear network
    "attention": {"dim"},  # inputs of a token, not of an image
}
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem != "index")


def parameter_cell(name):
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    (cell,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    return cell.source


def assignments(source):
    """Return {name: (value, comment)} of a cell of simple assignments."""
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        comment = lines[node.end_lineno - 1].partition("#")[2]
        found[node.targets[0].id] = ast.literal_eval(node.value), comment
    return found


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_has_the_same_defaults(name):
    values = assignments(parameter_cell(name))
    for field, (value, _) in values.items():
        if field in DEFAULTS and field not in EXCEPTIONS.get(name, ()):
            expected = DEFAULTS[field]
            assert value == (list(expected) if isinstance(expected, tuple) else expected), field
    assert EXCEPTIONS.get(name, set()) <= set(values)


def test_the_first_notebook_sets_every_hyperparameter():
    assert set(assignments(parameter_cell("hessian_rank"))) == {*DEFAULTS, "seed"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_choices_that_a_comment_lists_are_all_there_are(name):
    for field, (value, comment) in assignments(parameter_cell(name)).items():
        if field in CHOICES and "or '" in comment:
            listed = {value, *re.findall(r"'(\w+)'", comment)}
            assert listed == set(CHOICES[field]), field


def test_the_readme_lists_the_same_defaults_and_choices():
    """Rows | `name`, ... | default, ... | choices |, where a choice is in backquotes."""
    rows = [line.split("|")[1:4] for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `")]
    seen = {}
    for names, defaults, described in rows:
        fields = re.findall(r"`(\w+)`", names)
        if fields and set(fields) <= {*DEFAULTS, "seed"}:
            values = [quoted or plain for quoted, plain in re.findall(r"`([^`]*)`|(\w+)", defaults)]
            seen |= dict(zip(fields, values, strict=True))
            if fields[0] in CHOICES:
                listed = {values[0], *re.findall(r"`(\w+)`", described)}
                assert listed == set(CHOICES[fields[0]]), fields[0]
    expected = {name: list(value) if isinstance(value, tuple) else value for name, value in DEFAULTS.items()}
    assert seen == {name: str(value) for name, value in expected.items()} | {"seed": "1"}


def test_what_names_stand_for():
    assert set(PIECEWISE_LINEAR) <= set(CHOICES["activation"])
    assert set(IMAGE_SETS) == set(DATASETS) - {"digits", "gaussian"}
    assert [effective_outputs(10, name) for name in LOSSES] == [10, 9, 10]


def test_the_network_of_a_setting():
    assert parameters(Setting()) == 25 * 5 + 5 * 10 + 10 * 10
    assert parameters(Setting(bias=True)) == 275 + 5 + 10 + 10
    assert closed_forms(Setting(), 25) == linear_ranks(25, 10, [5, 10])
    assert closed_forms(Setting(bias=True), 24) == biased_ranks(24, 10, [5, 10])
