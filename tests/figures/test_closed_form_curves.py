from typing import NamedTuple

import numpy as np
import pytest

from counting import NumericalRank
from figures import plot_closed_forms, plot_growth
from figures.style import COLORS
from hessians import HessianTriple
from tests.figures.readability import overlaps

SURE = HessianTriple(functional=True, outer=True, loss=True)


class Form(NamedTuple):
    ranks: HessianTriple
    equal: HessianTriple = SURE


def measured(*ranks, open_ranks=()):
    grades = ["open" if i in open_ranks else "clear" for i in range(3)]
    found = (NumericalRank(rank, 1e9, 1e-13, np.ones(1), grade) for rank, grade in zip(ranks, grades, strict=True))
    return HessianTriple(*found)


def lines_of(axis, i):
    """Return what is drawn of the closed form of one of the three ranks: pairs (whether it is solid, its points)."""
    lines = [line for line in axis.lines if line.get_color() == COLORS[i] and line.get_marker() == "None"]
    return [(line.get_linestyle() == "-", line.get_xydata().tolist()) for line in lines]


def marks_of(axis, i):
    """Return the marks of one of the three ranks: triples (x, rank, whether the mark is filled)."""
    marks = [line for line in axis.lines if line.get_color() == COLORS[i] and line.get_marker() != "None"]
    return [(*line.get_xydata()[0].tolist(), line.get_markerfacecolor() == COLORS[i]) for line in marks]


def legend_of(axes):
    return [text.get_text() for text in axes[0].figure.legends[0].texts]


KEYS = [1, 2, 4]
FORMS = [
    Form(HessianTriple(4, 3, 6)),
    Form(HessianTriple(8, 5, 12), HessianTriple(functional=False, outer=True, loss=True)),
    Form(HessianTriple(16, 7, 20), HessianTriple(functional=True, outer=False, loss=False)),
]
FOUND = [measured(4, 3, 6), measured(7, 5, 12, open_ranks=[0]), measured(16, 6, 19, open_ranks=[0, 1, 2])]
PANEL = KEYS, FOUND, FORMS, [6, 12, 24]


def test_marks_are_the_measured_ranks_filled_where_they_are_trusted():
    (axis,) = plot_closed_forms({"one head": PANEL}, "keys $k$", "Ranks")
    for i in range(3):
        assert marks_of(axis, i) == [(k, found[i].rank, found[i].trusted) for k, found in zip(KEYS, FOUND, strict=True)]
    assert axis.get_title() == "one head"
    assert axis.get_xlabel() == "keys $k$"
    assert axis.figure.get_suptitle() == "Ranks"


def test_a_line_is_solid_as_far_as_the_closed_form_is_an_equality():
    (axis,) = plot_closed_forms({"": PANEL}, "keys $k$", "Ranks")
    assert lines_of(axis, 0) == [
        (True, [[1, 4], [1, 4], [1.5, 6]]),
        (False, [[1.5, 6], [2, 8], [3, 12]]),
        (True, [[3, 12], [4, 16], [4, 16]]),
    ]
    assert lines_of(axis, 1) == [(True, [[1, 3], [1, 3], [1.5, 4], [2, 5], [3, 6]]), (False, [[3, 6], [4, 7], [4, 7]])]
    (parameters,) = (line for line in axis.lines if line.get_color() == "black")
    assert parameters.get_xydata().tolist() == [[1, 6], [2, 12], [4, 24]]
    assert parameters.get_linestyle() == "--"


def test_the_legend_explains_what_there_is():
    full = ["hollow: the rank is open", "solid: closed form, an equality", "dotted: closed form, an upper bound"]
    words = legend_of(plot_closed_forms({"": PANEL}, "", ""))
    assert words[3:] == [*full, "number of parameters $p$"]
    assert [word.split(" $")[0] for word in words[:3]] == [
        "rank of the functional Hessian", "rank of the outer product", "rank of the loss Hessian",
    ]  # fmt: skip
    sure = legend_of(plot_closed_forms({"": (KEYS[:1], FOUND[:1], FORMS[:1], [6])}, "", ""))
    assert sure[3:] == [full[1], "number of parameters $p$"]


@pytest.mark.parametrize("values", [["linear", "softmax", "causal"], [3], ["one"]])
def test_texts_and_a_single_value_stand_side_by_side(values):
    n = len(values)
    (axis,) = plot_closed_forms({"": (values, FOUND[:n], FORMS[:n], [6, 12, 24][:n])}, "kind", "Ranks")
    assert [label.get_text() for label in axis.get_xticklabels()] == [str(value) for value in values]
    for i, shift in enumerate((-0.25, 0, 0.25)):
        assert [mark[:2] for mark in marks_of(axis, i)] == [(k + shift, FOUND[k][i].rank) for k in range(n)]
        assert [kind for kind, _ in lines_of(axis, i)] == [FORMS[k].equal[i] for k in range(n)]
        for k, (_, points) in enumerate(lines_of(axis, i)):
            np.testing.assert_allclose(
                points, [[k + shift - 0.11, FORMS[k].ranks[i]], [k + shift + 0.11, FORMS[k].ranks[i]]]
            )


@pytest.mark.parametrize(
    ("rank", "bound", "scale"),
    [(10, 300, "linear"), (10, 301, "log"), (0, 300, "linear"), (0, 10**6, "symlog"), (0, 0, "linear")],
)
def test_a_bound_far_above_makes_the_axis_logarithmic(rank, bound, scale):
    panel = [1, 2], [measured(rank, 10, 20)] * 2, [Form(HessianTriple(bound, 10, 20))] * 2, [20, 20]
    (axis,) = plot_closed_forms({"": panel}, "", "Ranks")
    assert axis.get_yscale() == scale
    assert axis.get_ylim()[0] < rank
    assert axis.get_ylim()[1] > max(bound, 20)


def test_all_ranks_may_be_zero():
    zero = HessianTriple(0, 0, 0)
    (axis,) = plot_closed_forms({"": ([2], [measured(*zero)], [Form(zero)], [8])}, "", "Ranks")
    assert [marks_of(axis, i)[0][1] for i in range(3)] == [0, 0, 0]
    assert axis.get_ylim()[0] < 0 < 8 < axis.get_ylim()[1]


def test_on_logarithmic_axes_lines_are_straight():
    """The points halfway are geometric means there."""
    forms = [Form(HessianTriple(4, 1, 4)), Form(HessianTriple(100, 1, 4), SURE._replace(functional=False))]
    panel = [1, 100], [measured(4, 1, 4)] * 2, forms, [9, 100]
    (axis,) = plot_closed_forms({"": panel}, "", "Ranks")
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    (_, solid), (_, dotted) = lines_of(axis, 0)
    np.testing.assert_allclose(solid[-1], [10, 20])
    np.testing.assert_allclose(dotted[0], [10, 20])


def test_panels_have_labels_of_their_own_and_no_text_lies_on_another():
    kinds = ["linear", "softmax", "causal"], FOUND, FORMS, [24] * 3
    samples = [1, 16, 128], FOUND, FORMS, [10**6] * 3
    axes = plot_closed_forms({"a": PANEL, "b": kinds, "c": samples}, ["keys $k$", "kind", "samples $n$"], "Ranks")
    assert [axis.get_xlabel() for axis in axes] == ["keys $k$", "kind", "samples $n$"]
    assert [axis.get_title() for axis in axes] == ["a", "b", "c"]
    assert overlaps(axes[0].figure) == []


@pytest.mark.parametrize("panels", [1, 2, 3])
def test_the_legends_fit_into_the_figures(panels):
    names = "abc"[:panels]
    growth = [9, 99, 999], [Form(HessianTriple(0, 1, 2), SURE._replace(loss=False))] * 3
    figures = (
        plot_closed_forms(dict.fromkeys(names, PANEL), "", "Ranks")[0].figure,
        plot_growth(dict.fromkeys(names, growth), "Growth")[0].figure,
    )
    for figure in figures:
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="panels is empty"):
        plot_closed_forms({}, "", "")
    with pytest.raises(ValueError, match="values is empty"):
        plot_closed_forms({"": ([], [], [], [])}, "", "")
    with pytest.raises(ValueError, match=r"panel 'a' .* got 3 values, 2 measured, 3 forms, 3 counts"):
        plot_closed_forms({"a": (KEYS, FOUND[:2], FORMS, [1, 2, 3])}, "", "")
    with pytest.raises(ValueError, match="one for each of 1 panels, got 2 texts"):
        plot_closed_forms({"a": PANEL}, ["one", "two"], "")
    with pytest.raises(ValueError, match=r"panel 'a' .* got 2 counts, 3 forms"):
        plot_growth({"a": ([1, 2], FORMS)}, "")
    with pytest.raises(ValueError, match="counts is empty"):
        plot_growth({"a": ([], [])}, "")


def test_growth_has_guides_of_slope_one_and_one_half():
    counts = [10, 100, 1000, 10_000]
    forms = [Form(HessianTriple(m, 2 * m, 3 * m), SURE._replace(outer=m < 4)) for m in (2, 4, 8, 16)]
    axes = plot_growth({"one": (counts, forms), "two": (counts[:1], forms[:1])}, "Growth")
    for axis, highest, p in zip(axes, (48, 6), (10_000, 10), strict=True):
        guides = [line for line in axis.lines if line.get_color() in ("black", "0.35")]
        (slope, start), (half, height) = (np.polyfit(*np.log(line.get_xydata()).T, 1) for line in guides)
        np.testing.assert_allclose([slope, start, half], [1, 0, 0.5], atol=1e-12)
        assert np.exp(height + half * np.log(p)) > highest
        assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    one = axes[0]
    for i in range(3):
        (marks,) = (line for line in one.lines if line.get_color() == COLORS[i] and line.get_marker() != "None")
        assert marks.get_xydata().tolist() == [[p, form.ranks[i]] for p, form in zip(counts, forms, strict=True)]
    assert [kind for kind, _ in lines_of(one, 1)] == [True, False]
    assert "no point: the rank is 0" not in legend_of(axes)


@pytest.mark.parametrize("ranks", [(0, 3, 5), (0, 0, 0)])
def test_growth_has_no_points_of_rank_zero_and_says_so(ranks):
    axes = plot_growth({"": ([4, 9], [Form(HessianTriple(*ranks))] * 2)}, "Growth")
    (marks,) = (line for line in axes[0].lines if line.get_color() == COLORS[0] and line.get_marker() != "None")
    assert np.isnan(marks.get_ydata()).all()
    assert legend_of(axes)[-1] == "no point: the rank is 0"
    guides = [line for line in axes[0].lines if line.get_linestyle() == "-."]
    assert len(guides) == any(ranks)
