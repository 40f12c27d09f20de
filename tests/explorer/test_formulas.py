"""What the explorer says of a choice: its formulas are those of closed_forms, computed as they are shown."""

import re

import numpy as np
import pytest

import closed_forms
from explorer import Choice, forms, nearest
from explorer.choices import FIRST, KINDS, MEASURED, parameters
from explorer.expressions import evaluate, plain
from tests.oracles.explorer_page import drawn


@pytest.mark.parametrize("kind", KINDS)
def test_shown_formulas_have_the_values_of_the_closed_forms(kind):
    rng, seen = np.random.default_rng(5), set()
    while len(seen) < 100:
        choice = drawn(rng, MEASURED)
        if choice.kind == kind:
            found = forms(choice)
            assert [formula.value for formula in found.ranks] == list(found.known.ranks), choice
            seen.add(choice)


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_shown_give_the_value_shown(kind):
    """Read back as arithmetic, without the symbols."""
    found = forms(FIRST[kind]._replace(loss="cross"))
    for formula in [*found.ranks, *found.definitions]:
        text = plain(formula.numbers).replace("·", "*").replace("−", "-").replace("^", "**").replace("/", "//")
        text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
        assert eval(text) == formula.value, formula


def test_the_paper_s_network_by_hand():
    found = forms(Choice())
    assert [plain(formula.symbols) for formula in found.ranks] == [
        "2 q M + 2 q s − L q^2",
        "q (r + K − q)",
        "2 q M − L q^2 + q (r + K)",
    ]
    assert plain(found.ranks.outer.numbers) == "5 · (25 + 10 − 5)"
    assert found.remark.startswith("All three are equalities")


@pytest.mark.parametrize(
    ("choice", "of_network", "remark"),
    [
        (Choice(activation="tanh"), False, "No closed form is known for this network with tanh"),
        (Choice(widths=(6,), activation="relu"), True, "All three are upper bounds."),
        (
            FIRST["convolutional"],
            True,
            "In general position the formulas for H_o and H_L are equalities, and that for H_f is an",
        ),
        (FIRST["residual"]._replace(activation="relu"), False, "No closed form is known"),
        (FIRST["attention"]._replace(activation="softmax"), True, "All three are equalities"),
    ],
)
def test_what_is_said_about_them(choice, of_network, remark):
    found = forms(choice)
    assert found.of_network == of_network
    assert found.remark.startswith(remark)


def test_few_samples_leave_a_bound():
    """100 samples are fewer than the 6 * 26 that show all functions of six units of tanh."""
    found = forms(Choice(widths=(6,), activation="tanh", samples=100))
    assert (found.of_network, list(found.known.equal)) == (True, [True, False, True])
    assert (
        found.remark
        == "In general position the formulas for H_f and H_L are equalities, and that for H_o is an upper bound."
    )


def test_relu_is_bounded_by_units_that_are_active_everywhere():
    found = forms(Choice(widths=(3,), inputs=4, outputs=2, data_rank=4, samples=30, activation="relu"))
    active = closed_forms.one_hidden_layer_ranks(4, 2, 3, "relu", 30, active=[4, 2, 0]).ranks
    assert all(more >= less for more, less in zip(found.known.ranks, active, strict=True))


def test_the_smallest_of_several_expressions_is_shown():
    (formula,) = evaluate([("C", ["a + b", "a * b // 2"])], {"a": 5, "b": 1})
    assert (plain(formula.symbols), plain(formula.numbers), formula.value) == ("a b / 2", "5 · 1 / 2", 2)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("a - (b - c)", "a − (b − c)"),
        ("a - b - c", "a − b − c"),
        ("(a + b) * c", "(a + b) c"),
        ("(a + b) ** 2", "(a + b)^2"),
        ("a * b ** 2", "a b^2"),
        ("abs(a - b) * c", "|a − b| c"),
        ("min(a + b, c)", "min(a + b, c)"),
    ],
)
def test_brackets_stand_where_they_are_needed(expression, shown):
    (formula,) = evaluate([("x", expression)], {"a": 7, "b": 3, "c": 2})
    assert plain(formula.symbols) == shown
    assert formula.value == eval(expression, {"a": 7, "b": 3, "c": 2})


def test_p_is_the_number_of_parameters():
    assert forms(Choice()).values["p"] == parameters(nearest(Choice())) == 275
