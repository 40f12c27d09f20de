"""notebooks/command_line.py: what is typed becomes a value of the notebook's own kind, or is refused with a way on."""

import doctest

import command_line
import nbformat
import pytest
from command_line import hyperparameters, parse, words_of_make

from tests.notebooks.headless import path

DEFAULTS = {
    "dataset": "digits",
    "n_train": 50,
    "widths": [5, 10],
    "bias": False,
    "rate": 0.1,
    "datasets": ["digits", "MNIST"],
    "losses": ("mse", "cross"),
    "shapes": [[5, 10], [3]],
    "folder": None,
    "computed": ...,
}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *((f"bias={text}", True) for text in ("True", "true", "TRUE", "yes", "y", "on", "1", "t", "'True'")),
        *((f"bias={text}", False) for text in ("False", "false", "no", "No", "n", "off", "0", "f", '"False"')),
        ("n_train=8", 8),
        ("n_train=-8", -8),
        ("n_train= 1_000 ", 1000),
        ("rate=1", 1.0),
        ("rate=1e-3", 1e-3),
        ("widths=[3, 20, 20]", [3, 20, 20]),
        ("widths=(3, 4)", [3, 4]),
        ("widths=(3)", [3]),
        ("widths=[ ]", []),
        ("shapes=[[1], [2, 3]]", [[1], [2, 3]]),
        ("dataset=MNIST", "MNIST"),
        ("dataset='MNIST'", "MNIST"),
        ("dataset=5", "5"),
        ("dataset=", ""),
        ("dataset=a=b; $(c) `d` \\ 'e' \"f\"", "a=b; $(c) `d` \\ 'e' \"f\""),
        ('datasets=["digits", "gaussian"]', ["digits", "gaussian"]),
        ("losses=['mse']", ["mse"]),
        ("folder=None", None),
        ("folder=~/my points", "~/my points"),
        ("computed=[1, 'a']", [1, "a"]),
        ("computed=a", "a"),
    ],
)
def test_a_value_is_of_the_kind_of_the_default(word, value):
    name = word.partition("=")[0]
    found = parse([word], DEFAULTS)
    assert found == {name: value}
    assert type(found[name]) is type(value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        *(
            (f"bias={text}", f"bias must be True or False, got {text!r}; type bias=False")
            for text in ("maybe", "[False]", "nan", "0.5", "2", "None", "")
        ),
        ("n_train=ten", "n_train must be a whole number, got 'ten'; type n_train=50"),
        ("n_train=50.0", "n_train must be a whole number, got '50.0'; type n_train=50"),
        ("n_train=1e3", "n_train must be a whole number, got '1e3'; type n_train=1000"),
        ("n_train=True", "n_train must be a whole number, got 'True'; type n_train=50"),
        ("n_train=nan", "n_train must be a whole number, got 'nan'; type n_train=50"),
        ("n_train=inf", "n_train must be a whole number, got 'inf'; type n_train=50"),
        ("n_train=[50]", "n_train must be a whole number, got '[50]'; type n_train=50"),
        ("rate=fast", "rate must be a finite number, got 'fast'; type rate=0.1"),
        ("rate=inf", "rate must be a finite number, got 'inf'; type rate=0.1"),
        ("widths=20,20", "widths must be a list of whole numbers in brackets, got '20,20'; type widths='[20, 20]'"),
        ("widths=20", "widths must be a list of whole numbers in brackets, got '20'; type widths='[20]'"),
        ("widths=[3, 20", "widths must be a list of whole numbers in brackets, got '[3, 20'; type widths='[3, 20]'"),
        (
            "widths=[3, 2.5]",
            "widths must be a list of whole numbers in brackets, got '[3, 2.5]'; type widths='[5, 10]'",
        ),
        ("widths=[True]", "widths must be a list of whole numbers in brackets, got '[True]'; type widths='[5, 10]'"),
        ("widths={3, 20}", "widths must be a list of whole numbers in brackets, got '{3, 20}'; type widths='[5, 10]'"),
        ("widths=[f() for f in []]", "type widths='[5, 10]'"),
        ("datasets=digits", "datasets must be a list of texts in quotes in brackets, got 'digits'"),
        ("shapes=5", "shapes must be a list in brackets, got '5'; type shapes='[[5, 10], [3]]'"),
        ("datasets=digits,gaussian", 'type datasets=\'["digits", "gaussian"]\''),
        ("datasets=[digits, gaussian]", 'type datasets=\'["digits", "gaussian"]\''),
        ("dataset='a' + 'b'", "dataset must be text"),
        ("dataset=\udcff", "dataset must be text, got '\\udcff'"),
        (
            "width=[5]",
            "'width=[5]' sets no hyperparameter of the notebook; write name=value, with a name in ['dataset'",
        ),
        ("MNIST", "'MNIST' sets no hyperparameter of the notebook"),
        ("foo=1; cmd", "'foo=1; cmd' sets no hyperparameter of the notebook"),
    ],
)
def test_any_other_value_is_refused_with_the_line_to_type(word, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        parse([word], DEFAULTS)
    assert message in str(raised.value)


def test_the_line_to_type_is_taken():
    for word in ("widths=20,20", "datasets=digits,gaussian", "n_train=1e3"):
        with pytest.raises(ValueError, match="; type ") as raised:
            parse([word], DEFAULTS)
        typed = str(raised.value).split("; type ")[1].replace("'", "")  # as the shell takes the quotes off
        assert parse([typed], DEFAULTS)


def test_a_notebook_without_hyperparameters():
    assert parse([], {}) == {}
    with pytest.raises(
        ValueError, match="the notebook has no cell tagged 'parameters' that 'a=1' could change; tag one"
    ):
        parse(["a=1"], {})


def test_values_come_in_the_order_of_the_notebook_and_once():
    assert list(parse(["bias=no", "n_train=3", "dataset=MNIST"], DEFAULTS)) == ["dataset", "n_train", "bias"]
    with pytest.raises(ValueError, match="n_train is set twice"):
        parse(["n_train=3", "n_train=4"], DEFAULTS)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("", []),
        ("k", []),
        (" -- NOTEBOOK=a.ipynb BIN=x READY=y PYTHON=z", []),
        (r"s -j2 --jobserver-auth=3,4 -- b=x\ y a=1", ["a=1", "b=x y"]),
        (r' -- datasets=["digits",\ "gaussian"]', ['datasets=["digits", "gaussian"]']),
        (r" -- foo=1;\ cmd", ["foo=1; cmd"]),
        (r" -- a=$$(shell\ rm)\\\\n$$$$", [r"a=$(shell rm)\\n$$"]),
        (" -- a=x\\\ty", ["a=x\ty"]),
        (" -- a=\\ --\\ b", ["a= -- b"]),
    ],
)
def test_words_of_make(flags, words):
    assert words_of_make(flags) == words


def test_defaults_are_those_of_the_tagged_cell():
    notebook = nbformat.read(path("exact_rank"), as_version=4)
    assert hyperparameters(notebook)["datasets"] == ["digits", "MNIST", "FashionMNIST"]
    cell = nbformat.v4.new_code_cell(
        "a = 2 * 5\nb = c = [1,\n  2]  # two\nd: int = 3", metadata={"tags": ["parameters"]}
    )
    assert hyperparameters(nbformat.v4.new_notebook(cells=[cell])) == {"a": ..., "b": [1, 2], "c": [1, 2]}
    assert hyperparameters(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1")])) == {}
    cell.source = "a = "
    with pytest.raises(ValueError, match=r"the cell tagged 'parameters' is not Python: .* mend it"):
        hyperparameters(nbformat.v4.new_notebook(cells=[cell]))


def test_examples():
    found = doctest.testmod(command_line)
    assert found.attempted > 0
    assert found.failed == 0
