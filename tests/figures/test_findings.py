"""figures/findings.py: what the sentences say, and that they claim no more than the grades do."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from blocks import blocks_of
from closed_forms import biased_ranks, linear_ranks
from closed_forms.known import known
from counting import NumericalRank
from exact import ExactRank
from experiments.sweeps import Point
from figures import exact_finding, layer_finding, rank_finding, sign_finding, sweep_finding
from hessians import HessianTriple, WithPenalty


def rank(value, grade="clear"):
    return NumericalRank(value, 1e9, 1e-15, np.array([1.0, 0.0]), grade, "it may be another")


def three(ranks, grades="clear clear clear"):
    return HessianTriple(*map(rank, ranks, grades.split()))


def exact(*ranks):
    return HessianTriple(*(each if each is None else ExactRank(each) for each in ranks))


def said(*arguments, **options):
    """Return the sentence in one line. It is one sentence, and no line is wider than the table."""
    text = rank_finding(*arguments, **options)
    assert max(map(len, text.splitlines())) <= 97
    assert re.findall(r"[.!?](?=\s|$)", text) == ["."]
    return " ".join(text.split())


FORMS = HessianTriple(175, 150, 250)
PROVED, CLEAR = ", and exact arithmetic proves all three.", ", and all three are clear."
ALL = "All three ranks are those of the closed form"


@pytest.mark.parametrize(
    ("ranks", "sentence"),
    [
        ((175, 150, 250), ALL),
        (
            (175, 147, 250),
            "The ranks of H_f and H_L are those of the closed form, that of H_o is 3 below it (147 instead of 150)",
        ),
        (
            (174, 147, 250),
            "The rank of H_L is that of the closed form, those of H_f and H_o are 1 and 3 below it (174 and 147 "
            "instead of 175 and 150)",
        ),
        (
            (0, 0, 0),
            "All three ranks are 175, 150 and 250 below those of the closed form (0, 0 and 0 instead of 175, 150 and "
            "250)",
        ),
    ],
)
@pytest.mark.parametrize("by", ["exact", "clear"])
def test_ranks_that_are_reached_or_not(ranks, sentence, by):
    if by == "clear":
        assert said(three(ranks), FORMS) == sentence + CLEAR
    else:  # the exact ranks are those compared, whatever float64 shows
        found = said(three((1, 2, 3), "open open open"), FORMS, exact=exact(*ranks))
        assert found == sentence + PROVED


def test_zero_matrices_with_zero_ranks_predicted():
    assert said(three((0, 0, 0)), HessianTriple(0, 0, 0)) == ALL + CLEAR


@pytest.mark.parametrize(
    ("grades", "truths", "end"),
    [
        ("clear clear clear", None, "all three are clear"),
        ("proved proved proved", None, "exact arithmetic proves all three"),
        ("proved clear clear", None, "no rank is open"),
        ("open clear open", (175, None, 250), "no rank is open"),
        ("open open open", (175, 150, 250), "exact arithmetic proves all three"),
    ],
)
def test_what_vouches_for_the_ranks(grades, truths, end):
    assert said(three(FORMS, grades), FORMS, exact=truths and exact(*truths)) == f"{ALL}, and {end}."


@pytest.mark.parametrize(
    ("grades", "truths", "begin"),
    [
        ("open open open", None, "All three ranks are open"),
        ("open clear open", None, "2 of 3 ranks are open"),
        ("clear open clear", None, "The rank of H_o is open"),
        ("open open clear", (175, None, 250), "The rank of H_o is open"),
    ],
)
@pytest.mark.parametrize(
    "measured", [(175, 150, 250), (175, 200, 250), (170, 150, 250)], ids=["equal", "above", "below"]
)
def test_an_open_rank_is_the_first_thing_said(grades, truths, begin, measured):
    """Nothing is called proved or clear then, and an open rank above the bound is no contradiction."""
    found = said(three(measured, grades), FORMS, exact=truths and exact(*truths))
    assert found.startswith(f"{begin}: as far as float64 shows, ")
    assert "prove" not in found
    assert "clear" not in found
    assert ("contradicts" in found) == (measured[1] > 150 and grades == "open clear open")


DATA = rank(25)


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ({}, "so the rank of H_o or the formula, or the r that it was given, is wrong."),
        ({"data_rank": DATA}, "so the rank of H_o or the formula is wrong."),
        ({"data_rank": DATA, "exact_data_rank": 25}, "so the rank of H_o or the formula is wrong."),
        (
            {"data_rank": DATA, "exact_data_rank": 25, "exact": exact(175, 153, 250)},
            "so the formula does not fit this network.",
        ),
    ],
)
@pytest.mark.parametrize("form", [FORMS, known(*FORMS, equal=False)], ids=["equality", "bound"])
def test_a_rank_above_the_closed_form_contradicts_it(options, end, form):
    found = said(three((175, 153, 250)), form, **options)
    assert "that of H_o is 3 above it (153 instead of 150)" in found
    assert found.endswith("; that contradicts an upper bound, " + end)


@pytest.mark.parametrize("heading", ["linear network", "at a minimum", "dense rank"])
def test_only_a_closed_form_is_a_bound(heading):
    assert "contradicts" not in said(three((187, 150, 257)), FORMS, heading)


def test_another_activation():
    assert said(three((187, 150, 257)), FORMS, "linear network") == (
        "The rank of H_o is that of the linear network, those of H_f and H_L are 12 and 7 above it (187 and 257 "
        "instead of 175 and 250), and all three are clear."
    )


def test_below_and_above_and_below_a_bound():
    form = known(175, 150, 250, equal=(True, True, False))
    assert said(three((170, 160, 240)), form, "linear network") == (
        "The rank of H_f is 5 below that of the linear network (170 instead of 175), that of H_o is 10 above it (160 "
        "instead of 150), that of H_L is 10 below the upper bound (240, at most 250), and all three are clear."
    )
    assert said(three((170, 140, 240)), known(*FORMS, equal=False)).startswith(
        "All three ranks are 5, 10 and 10 below the upper bounds (170, 140 and 240, at most 175, 150 and 250)"
    )


@pytest.mark.parametrize(
    ("data_rank", "exact_data_rank", "end"),
    [
        (rank(25, "open"), None, "; the closed form rests on an uncertain r."),
        (rank(25, "open"), 25, CLEAR[-10:]),
        (rank(25), None, CLEAR[-10:]),
        (rank(25), 29, "; the closed form has r = 25, but the stored inputs have rank 29."),
    ],
)
def test_an_uncertain_rank_of_the_data(data_rank, exact_data_rank, end):
    """It also explains ranks above the closed form, which are no contradiction then."""
    for ranks in (FORMS, (175, 170, 270)):
        found = said(three(ranks), FORMS, data_rank=data_rank, exact_data_rank=exact_data_rank)
        if ranks is FORMS or end.startswith(";"):
            assert found.endswith(end)
        assert ("contradicts" in found) == (ranks is not FORMS and not end.startswith(";"))


def test_a_minimum_and_a_dense_matrix():
    found = said(three((0, 24, 24), "open clear open"), HessianTriple(0, 24, 24), "at a minimum")
    assert found.endswith("as far as float64 shows, all three ranks are those of the closed form at a minimum.")
    assert said(three(FORMS), FORMS, "dense rank") == "All three ranks are those of the dense matrices" + CLEAR


def test_closed_forms_with_and_without_biases():
    for forms in (linear_ranks(25, 10, [5, 10]), biased_ranks(25, 10, [5, 10])):
        assert said(three(forms), forms) == ALL + CLEAR


def test_a_penalty_is_no_part_of_it():
    measured = WithPenalty(rank(175), rank(150), rank(275, "open"), rank(275), rank(250))
    assert said(measured, FORMS) == ALL + CLEAR


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([(three((1, 2, 3)), exact(1, 2, 3))], "All 3 numerical ranks are the exact ones."),
        (
            [(three((1, 2, 3), "open clear clear"), exact(2, 2, 3))],
            "Of 3 numerical ranks, 2 are the exact ones, 1 too low and 0 too high; the wrong ones are all open.",
        ),
        (
            [(three((1, 2, 3), "open clear open"), exact(2, 3, 1)), (three((1, 1, 1)), exact(1, 1, 1))],
            "Of 6 numerical ranks, 3 are the exact ones, 2 too low and 1 too high; of the wrong ones, 1 is not open.",
        ),
    ],
)
def test_numerical_beside_exact_ranks(pairs, sentence):
    assert " ".join(exact_finding(pairs).split()) == sentence


def test_sweeps():
    point = lambda ranks, grades: [Point(3, 0, 9, 5, three(ranks, grades), HessianTriple(2, 3, 4))]
    right, low = point((2, 3, 4), "clear clear clear"), point((2, 3, 3), "clear clear open")
    assert sweep_finding([[right], [right, right]]) == (
        "All 9 ranks of the 2 sweeps are the closed forms, and no rank is open."
    )
    assert " ".join(sweep_finding([[right, low]]).split()) == (
        "1 of 6 ranks are open: as far as float64 shows, 5 of 6 ranks of the 1 sweep are the closed forms."
    )


def test_signs():
    found = HessianTriple(*(NumericalRank(3, 1e9, 1e-9, np.array([3.0, -2.0, 1.0, 0.0])) for _ in range(3)))
    signs = SimpleNamespace(positive=2, negative=1)
    assert " ".join(sign_finding(found, HessianTriple(signs, signs, signs)).split()) == (
        "Float64 and the structure find the same signs in all three matrices: 1 of the 4 eigenvalues of H_L "
        "are negative."
    )
    other = SimpleNamespace(positive=1, negative=2)
    assert sign_finding(found, HessianTriple(other, signs, other)) == (
        "Float64 and the structure differ in the signs of H_f and H_L."
    )


def test_layers():
    def blocks(*ranks):
        places = {"first": np.arange(3), "last": np.arange(2)}
        return blocks_of(places, [each._replace(spectrum=np.ones(each.rank)) for each in ranks], np.eye(2))

    full, part, opened = rank(3), rank(1), rank(1, "open")
    assert layer_finding(HessianTriple(*[blocks(full, part)] * 3)) == (
        "The diagonal block of H_L has full rank in 1 of 2 layers (first), and no rank is open."
    )
    found = layer_finding(HessianTriple(blocks(opened, part), blocks(full, part), blocks(full, rank(2))))
    assert found.startswith("1 of 6 ranks are open: as far as float64 shows, the diagonal block")
    assert " ".join(found.split()).endswith("in 2 of 2 layers (first and last).")
