import matplotlib.pyplot as plt
import numpy as np
import pytest

from figures.panels import (
    comparable,
    is_zero,
    legend_entries,
    log_scale,
    positive,
    say,
    whole_log_ticks,
    whole_ticks,
    without_ticks,
)
from tests.figures.readability import overlaps, texts, tick_labels, ticks


@pytest.mark.parametrize(
    ("sizes", "shared"),
    [
        ([1.0, 2.0, 3.0], True),
        ([1.0, 0.0, 1e10], True),
        ([1.0, 0.0, 2e10], False),
        ([5.0, 0.0, 0.0], True),
        ([0.0, 0.0, 0.0], False),
        ([1e-300, 1e300], False),
    ],
)
def test_matrices_share_an_axis_if_their_sizes_are_comparable(sizes, shared):
    assert comparable(sizes) == shared


def test_a_matrix_is_zero_only_if_all_eigenvalues_are_exactly_0():
    assert is_zero(np.array([0.0, -0.0]))
    assert not is_zero(np.array([0.0, 5e-324]))


def test_what_a_log_axis_has_no_place_for():
    np.testing.assert_array_equal(positive([2, 0, -1, np.inf, np.nan]), [2, np.nan, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(("low", "high"), [(1, 1), (1, 2), (0, 3), (7, 8), (100, 100), (0, 275), (0, 1e7), (100, 101)])
def test_ticks_of_counts_are_whole(low, high):
    _, axis = plt.subplots(figsize=(4, 3))
    axis.plot([low, high], [low, high], ".")
    whole_ticks(axis.xaxis, axis.yaxis)
    axis.figure.draw_without_rendering()
    for found in (ticks(axis.xaxis), ticks(axis.yaxis)):
        assert found
        assert all(tick == int(tick) for tick in found)


@pytest.mark.parametrize(
    ("counts", "labels"),
    [
        ([1], ["1"]),
        ([3], ["3"]),
        ([1, 2], ["1", "2"]),
        ([3, 4], ["3", "4"]),
        ([1, 12], ["1", "2", "5", "10"]),
        ([42, 600], ["50", "100", "200", "500"]),
        ([42, 60], ["42", "60"]),
        ([900, 2500], ["1,000", "2,000"]),
    ],
)
def test_ticks_of_counts_on_a_log_axis(counts, labels):
    _, axis = plt.subplots(figsize=(4, 3))
    axis.loglog(counts, counts, ".")
    whole_log_ticks(axis.xaxis, counts)
    axis.figure.draw_without_rendering()
    assert [text.get_text() for text in tick_labels(axis.xaxis)] == labels
    assert len(ticks(axis.xaxis)) == len(labels)


def test_many_counts_keep_powers_of_ten():
    _, axis = plt.subplots(figsize=(4, 3))
    axis.plot([1, 5000], [1, 1])
    log_scale(axis.xaxis, [1, 5000])
    axis.figure.draw_without_rendering()
    assert [f"10^{{{power}}}" in text.get_text() for power, text in enumerate(tick_labels(axis.xaxis))] == [True] * 4


def test_a_zero_has_a_place_on_a_log_axis():
    _, (left, right) = plt.subplots(1, 2)
    left.plot([0, 10, 100], [0, 0, 0], ".")
    log_scale(left.xaxis, [0, 10, 100])
    log_scale(left.yaxis, [0])
    right.plot([1, 10], [1, 10], ".")
    log_scale(right.xaxis, [1, 10])
    left.figure.draw_without_rendering()
    assert ticks(left.xaxis)[:4] == [0, 1, 10, 100]
    assert left.get_ylim() == (-0.3, 1.5)
    assert (left.get_xscale(), left.get_yscale(), right.get_xscale(), right.get_yscale()) == (
        "symlog",
        "symlog",
        "log",
        "linear",
    )


def test_words_and_no_ticks():
    _, axis = plt.subplots()
    axis.set_yscale("log")
    say(axis, "nothing here")
    without_ticks(axis.xaxis, axis.yaxis)
    axis.figure.draw_without_rendering()
    assert texts(axis) == ["nothing here"]
    assert ticks(axis.xaxis) == ticks(axis.yaxis) == []


def test_a_legend_has_every_label_once_and_in_order():
    _, axes = plt.subplots(1, 2)
    for axis, labels in zip(axes, (["b", "a"], ["a", "c"]), strict=True):
        for label in labels:
            axis.plot([1], [1], label=label)
    handles, labels = legend_entries(axes)
    assert labels == ["b", "a", "c"]
    assert handles == [*axes[0].lines, axes[1].lines[1]]


def test_overlaps_are_found():
    figure, axes = plt.subplots(1, 2, figsize=(4, 2))
    axes[0].set_xticks([0.1, 0.12, 0.8], ["one", "two", "three"])
    axes[1].set_title("a title that is much too wide for its panel")
    axes[0].set_title("another title that is much too wide")
    assert sorted(overlaps(figure)) == [
        ("another title that is much too wide", "a title that is much too wide for its panel"),
        ("one", "two"),
    ]
    plt.close(figure)
