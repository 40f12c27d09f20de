import numpy as np

from counting import NumericalRank
from experiments.cost import Cost
from experiments.sweeps import Point
from experiments.training import Training
from figures import (
    plot_costs,
    plot_negatives,
    plot_sweep,
    plot_training,
)
from hessians import HessianTriple
from linear_networks import Descent, Inertia


def found(rank, gap):
    grade = "clear" if gap > 1e6 else "open"
    return NumericalRank(rank, gap, 1e-13, np.array([3.0, -1.0]), grade)


def test_sweep():
    """Points at the median over the seeds on lines of the predicted ranks; hollow where a rank is open."""
    points = [
        [
            Point([m], seed, p, 9, HessianTriple(*(found(rank, gap) for rank, gap in row)), form)
            for seed, row in enumerate(rows)
        ]
        for m, p, form, rows in SWEEP
    ]
    axes = plot_sweep([4, 8], {"mse": points, "cosh": points[::-1]}, "width $m$", "heading", scale="log")
    for axis, order in zip(axes, (1, -1), strict=True):
        marks = [container.lines[0] for container in axis.containers]
        assert [mark.get_ydata()[0] for mark in marks] == [y for x in ((5, 10), (3, 4), (7, 11)) for y in x[::order]]
        assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False] * 4 + [False, True][::order]
        lines = [
            list(line.get_ydata()) for line in axis.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None"
        ]
        assert lines == [y[::order] for y in ([100, 300], [5, 10], [3, 4], [7, 12])]
        assert axis.get_xlabel() == "width $m$"
    (bar,) = axes[0].containers[-1].lines[2]
    assert [y for _, y in bar.get_segments()[0]] == [10, 12]
    assert [axis.get_title() for axis in axes] == ["mse", "cosh"]
    assert "rank of the loss Hessian" in axes[0].figure.legends[0].texts[3].get_text()


SWEEP = [
    (4, 100, HessianTriple(5, 3, 7), [[(5, 1e10), (3, 1e12), (7, 1e11)]] * 2),
    (8, 300, HessianTriple(10, 4, 12), [[(10, 1e10), (4, 1e9), (12, 1e10)], [(10, 1e10), (4, 1e9), (10, 1e3)]]),
]


def test_costs():
    costs = [(100, Cost(None, 1.0, 1e6, 3e6)), (300, Cost(None, 4.0, 1e6, 9e6))]
    time, memory = plot_costs(costs, costs[:1])
    assert list(time.lines[0].get_ydata()) == [1.0, 4.0]
    assert list(memory.lines[0].get_ydata()) == [2.0, 8.0]
    assert {axis.get_xlabel() for axis in (time, memory)} == {"number of parameters $p$"}


def test_a_sweep_over_names_stands_side_by_side():
    found = NumericalRank(3, 1e12, 0.0, np.empty(0))
    row = [Point("relu", 1, 9, 4, HessianTriple(*[found] * 3), HessianTriple(3, 3, 3))]
    (axis,) = plot_sweep(["relu", "tanh"], {"": [row, row]}, "activation", "title")
    assert [label.get_text() for label in axis.get_xticklabels()] == ["relu", "tanh"]
    marks = sorted(line.get_xdata()[0] for bar in axis.containers for line in [bar.lines[0]])
    np.testing.assert_allclose(marks, [-0.2, 0, 0.2, 0.8, 1, 1.2], atol=1e-12)


def test_training_has_a_mark_for_every_step_filled_where_the_rank_is_clear():
    measured = {
        0: HessianTriple(*[found(2, 1e12)] * 3),
        10: HessianTriple(found(1, 5.0), found(2, 1e12), found(1, 1e10)),
    }
    training = Training(np.linspace(2, 1, 11), np.linspace(1, 0.1, 11), {})
    axes = plot_training(
        {"one": (training, measured, {"start": HessianTriple(2, 2, 2)}), "two": (training, measured, {})}, "title"
    )
    assert axes.shape == (4, 2)
    marks = axes[0, 0].lines
    np.testing.assert_array_equal(marks[0].get_xydata(), [[0, 2], [10, 1]])
    np.testing.assert_array_equal(marks[1].get_xydata(), [[0, 2]])  # filled: the other one is hollow
    assert marks[0].get_markerfacecolor() == "white"
    np.testing.assert_array_equal(axes[1, 0].lines[0].get_ydata(), [1e12, 5.0])
    np.testing.assert_array_equal(axes[2, 0].lines[0].get_ydata(), [3.0, 3.0])
    np.testing.assert_array_equal(axes[3, 1].lines[0].get_ydata()[[0, -1]], [2, 1])
    assert [axis.get_title() for axis in axes[0]] == ["one", "two"]
    legend = [text.get_text() for text in axes[0, 0].figure.legends[0].texts]
    assert legend[-1] == "hollow: the rank is open"
    assert "start" in legend
    assert len(legend) == len(set(legend)) == 6


def test_negatives():
    points = {
        "a": [Descent("one", 10, 50, Inertia(20, 9, 21, 0.1)), Descent("two", 100, 500, Inertia(200, 99, 201, 0.1))]
    }
    left, right = plot_negatives(points, "heading")
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [9, 99])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.9, 0.99])
    assert left.get_xlabel() == "$q M$"
