"""A zero matrix among the three is an answer: every figure says so, and draws the others as if it were not there.

The figures are drawn after each test with warnings as errors, and no text may lie on another (conftest).
"""

import numpy as np
import pytest

from counting import NumericalRank
from experiments.numerical_vs_exact import Trial
from experiments.sweeps import Point
from experiments.training import Training
from figures import (
    plot_agreement,
    plot_blocks,
    plot_exact_spectrum,
    plot_judgement,
    plot_negatives,
    plot_reduction,
    plot_shape,
    plot_spectra,
    plot_spectrum,
    plot_sweep,
    plot_training,
    plot_truncation,
)
from hessians import HessianTriple
from linear_networks import Descent, Inertia, Spectrum
from linear_networks.reduced_matrix import pieces, reduced_matrix
from ranks import numerical_rank
from tests.figures.readability import texts, ticks

ZERO = "the matrix is zero:\nall its eigenvalues are 0"
SUBSETS = (0,), (1,), (2,), (0, 2), (0, 1, 2)  # of the three matrices: each alone, two, all
pytestmark = pytest.mark.parametrize("zero", SUBSETS, ids=lambda subset: "".join("foL"[i] for i in subset))


@pytest.fixture
def matrices(zero):
    sizes = [3.0, -2.0, 1e-3, 1e-17], [5.0, 1.0, 1e-17, 0.0], [9.0, -4.0, 1.0, 1e-2]
    return HessianTriple(*(np.diag(row) * (i not in zero) for i, row in enumerate(sizes)))


@pytest.fixture
def measured(matrices):
    return HessianTriple(*map(numerical_rank, matrices))


@pytest.fixture
def structured(matrices):
    return HessianTriple(*(Spectrum(np.sort(np.diag(H))[::-1], np.ones(4, int)) for H in matrices))


def test_spectra(zero, measured):
    axes = plot_spectra(measured, HessianTriple(3, 2, 4))
    axes[0].figure.draw_without_rendering()
    for i, (axis, bound) in enumerate(zip(axes, (3, 2, 4), strict=True)):
        assert axis.lines[-1].get_label() == f"closed form: {bound}"
        assert len(axis.lines) == (1 if i in zero else 3)
        assert texts(axis) == ([ZERO] if i in zero else [])
        assert axis.get_title().endswith("\nrank 0, the matrix is zero") == (i in zero)
        assert "inf" not in axis.get_title()
        if len(zero) < 3:
            assert 1e-30 < axis.get_ylim()[0] < 1 < axis.get_ylim()[1] < 1000
        else:
            assert ticks(axis.yaxis) == []
        assert axis.get_xlim()[0] < 1
        assert axis.get_xlim()[1] > 4


def test_exact_spectra(zero, measured):
    for i, found in enumerate(measured):
        axis = plot_exact_spectrum(found, found.rank, "name")
        axis.figure.draw_without_rendering()
        assert len(axis.lines) == (1 if i in zero else 5)
        assert (ticks(axis.yaxis) == []) == (i in zero)
        assert texts(axis) == ([ZERO] if i in zero else [])
        assert axis.get_title().endswith("numerical rank 0, the matrix is zero") == (i in zero)
        assert axis.get_legend().texts[-1].get_text() == f"exact rank: {found.rank}"


def test_judgement(zero, measured):
    """Zero matrices have no |eigenvalues| over the largest, and are left out."""
    trials = []
    for found in measured:
        sizes = abs(found.spectrum)
        trials.append(Trial("", "", found.rank, found.gap, found.rank, sizes / (sizes[0] or 1.0)))
    axis = plot_judgement(trials)
    if len(zero) < 3:
        assert [len(line.get_xdata()) for line in axis.lines[:2]] == [3 - len(zero)] * 2
        assert texts(axis) == []
    else:
        assert len(axis.lines) == 0
        assert texts(axis) == ["no matrix to judge:\nnone has an exact rank and nonzero eigenvalues"]
        assert ticks(axis.xaxis) == ticks(axis.yaxis) == []


def test_blocks(zero, matrices):
    axes = plot_blocks(matrices, [3, 1])
    said = "the matrix is zero:\nall its entries are 0"
    assert [texts(axis) for axis in axes] == [[said] if i in zero else [] for i in range(3)]
    assert [axis.images[0].get_array().mask.all() for axis in axes] == [i in zero for i in range(3)]
    assert len(axes[0].figure.axes) == (3 if len(zero) == 3 else 4)  # nothing, no colour bar


def test_reduction(zero, setting):
    """Both matrices are zero, or the Hessian, or the reduced matrix. The latter then has no rows if weights are 0."""
    weights, X, _ = setting
    size = sum(W.size for W in weights)
    layers = pieces([0 * W.T for W in weights], np.zeros((3, 4)))
    T = reduced_matrix(layers, [0 * W.T for W in weights], np.zeros((3, 4)), X.T @ X)
    assert T.shape == (0, 0)
    hessian = np.eye(size) * (0 not in zero)
    before, after = plot_reduction(hessian, [W.size for W in weights], T, layers)
    assert texts(after) == ["no rows: the Hessian is zero"]
    assert "0 rows" in after.get_title()
    assert texts(before) == (["the matrix is zero:\nall its entries are 0"] if 0 in zero else [])
    assert len(before.figure.axes) == (2 if 0 in zero else 3)


def test_truncation(zero, measured):
    other = HessianTriple(*[numerical_rank(np.diag([3.0, -4.0, 0.0, 0.0]))] * 3)
    axes = plot_truncation({"linear": measured, "relu": other}, HessianTriple(3, 2, 4))
    said = "the matrix is zero, with error 0\nat every rank: linear"
    for i, axis in enumerate(axes):
        assert texts(axis) == ([said] if i in zero else [])
        assert [line.get_label() for line in axis.lines[:-1]] == ["relu"] if i in zero else ["linear", "relu"]
    legend = {text.get_text() for text in axes[0].figure.legends[0].texts}
    assert legend == {"relu", "closed form, linear network", *(["linear"] if len(zero) < 3 else [])}


def test_truncation_of_zero_matrices_alone(zero, measured):
    axes = plot_truncation({"linear": measured}, HessianTriple(3, 2, 4))
    assert [len(axis.lines) for axis in axes] == [1 if i in zero else 2 for i in range(3)]
    axes[0].figure.draw_without_rendering()
    assert all(ticks(axis.xaxis) == [0, 1, 2, 3, 4] for axis in axes)


def test_shape(zero, measured):
    axes = plot_shape({"before": measured}, outliers=1)
    for i, axis in enumerate(axes[0]):
        assert texts(axis) == ([ZERO] if i in zero else [])
        assert len(axis.patches) == (0 if i in zero else 2)
        assert axis.get_title().endswith("\n0 positive, 0 negative, 4 zero") == (i in zero)
    axes[0, 0].figure.draw_without_rendering()
    assert (ticks(axes[0, 0].xaxis) == []) == (len(zero) == 3)
    labels = [text.get_text() for legend in axes[0, 0].figure.legends for text in legend.texts]
    expected = ["positive eigenvalues", "negative eigenvalues", "the largest: right of this"]
    assert labels == ([] if len(zero) == 3 else expected)


def test_a_matrix_that_is_zero_at_the_scale_of_another_is_not_called_zero(zero):
    """Its eigenvalues are rounding errors: they are none of the histogram, but not exactly 0."""
    vanished = numerical_rank(np.diag([1e-17, -1e-18, 0.0]), scale=1.0)
    counted = numerical_rank(np.diag([2.0, 1.0, 0.0]))
    axes = plot_shape({"": HessianTriple(*(vanished if i in zero else counted for i in range(3)))}, outliers=0)
    said = "no eigenvalue is\nabove the threshold"
    assert [texts(axis) for axis in axes[0]] == [[said] if i in zero else [] for i in range(3)]


def test_agreement(zero, matrices, structured):
    axes = plot_agreement(HessianTriple(*map(np.diag, matrices)), structured)
    axes[0, 0].figure.draw_without_rendering()
    for i, (above, below) in enumerate(axes.T):
        assert texts(above) == ([ZERO + ",\ndense and from the structure"] if i in zero else [])
        assert texts(below) == (["no difference"] if i in zero else [])
        assert (len(above.lines) == 0) == (i in zero)
        assert (ticks(above.yaxis) == []) == (len(zero) == 3)
        assert ticks(below.xaxis) == [1, 2, 3, 4]
        if i not in zero:
            assert set(below.lines[0].get_ydata()) == {1e-18}  # they agree
    legends = [axis.get_legend() for axis in axes[1]]
    assert sum(legend is not None for legend in legends) == (len(zero) < 3)


def test_agreement_with_what_rounding_leaves_of_a_zero_matrix(zero, matrices, structured):
    rounded = [Spectrum(found.eigenvalues + 1e-17, found.multiplicities) for found in structured]
    axes = plot_agreement(HessianTriple(*map(np.diag, matrices)), HessianTriple(*rounded))
    for i, below in enumerate(axes[1]):
        differences = below.lines[0].get_ydata()
        assert (differences == 1).all() if i in zero else (differences < 1e-15).all()


def test_all_eigenvalues(zero, structured):
    axes = plot_spectrum(structured, "heading")
    axes[0].figure.draw_without_rendering()
    for i, axis in enumerate(axes):
        assert texts(axis) == ([ZERO] if i in zero else [])
        assert (axis.get_legend() is None) == (i in zero)
        assert (ticks(axis.xaxis) == []) == (i in zero)
        assert (ticks(axis.yaxis) == []) == (len(zero) == 3)
        if i in zero:
            assert axis.get_title().endswith("\n4 zeros")


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_sweep(zero, measured, scale):
    row = lambda p: [Point(p, 1, p, 4, measured, HessianTriple(*(found.rank for found in measured)))]
    (axis,) = plot_sweep([4, 8], {"": [row(4), row(8)]}, "width", "heading", scale=scale)
    axis.figure.draw_without_rendering()
    low, high = axis.get_ylim()
    heights = [container.lines[0].get_ydata()[0] for container in axis.containers]
    assert heights == [found.rank for found in measured for _ in range(2)]
    assert low < min(heights) <= 0 < 8 <= high
    assert all(tick == int(tick) for tick in ticks(axis.yaxis))
    if scale == "log":
        assert ticks(axis.yaxis)[0] == 0


def test_training(zero, measured):
    """Zero matrices have ranks, but no gap and no size to draw. What is drawn decides the axes."""
    training = Training(np.linspace(2, 1, 11), np.linspace(1, 0, 11), {})
    axes = plot_training({"one": (training, {0: measured, 10: measured}, {})}, "heading")[:, 0]
    ranks, gaps, sizes, descent = axes
    for i, found in enumerate(measured):
        (first,) = [line for line in ranks.lines if line.get_color() == ranks.lines[2 * i].get_color()][:1]
        assert list(first.get_ydata()) == [found.rank] * 2
        for axis in (gaps, sizes):
            assert np.isnan(axis.lines[2 * i].get_ydata()).all() == (i in zero)
    gaps.figure.draw_without_rendering()
    assert texts(gaps) == (["all matrices are zero:\ntheir gaps are infinite"] if len(zero) == 3 else [])
    assert texts(sizes) == (["all matrices are zero"] if len(zero) == 3 else [])
    assert (ticks(sizes.yaxis) == []) == (len(zero) == 3)
    assert gaps.get_ylim()[1] < 1e17
    legend = [text.get_text() for text in ranks.figure.legends[0].texts]
    assert legend[-2:] == ["no point: the matrix is zero", "hollow: the rank is open"]
    assert descent.get_legend().texts[1].get_text().endswith(", no line where it is 0")  # the last gradient


def test_training_that_begins_at_the_end(zero, measured):
    training = Training(np.zeros(2), np.zeros(2), {})
    descent = plot_training({"one": (training, {0: measured}, {})}, "heading")[3, 0]
    assert texts(descent) == ["the loss and its gradient are 0"]
    descent.figure.draw_without_rendering()
    assert ticks(descent.yaxis) == []
    assert all(tick == int(tick) for tick in ticks(descent.xaxis))


def test_negatives(zero):
    """Numbers that are 0 have a place on their axes; without q M there is no ratio."""
    found = [Descent("", 0 if i in zero else 10**i, 3, Inertia(1, 0 if i in zero else 10**i, 1, 0.1)) for i in range(3)]
    left, right = plot_negatives({"a": found}, "heading")
    assert list(left.lines[0].get_ydata()) == [each.product for each in found]
    left.figure.draw_without_rendering()
    assert ticks(left.xaxis)[0] == ticks(left.yaxis)[0] == 0
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [np.nan if i in zero else 1 for i in range(3)])
    assert texts(right) == (["no ratio: $q M$ is 0"] if len(zero) == 3 else [])


def test_ranks_without_spectra_are_zero_by_their_rank(zero):
    """Sweeps leave the spectra out."""
    found = NumericalRank(0, np.inf, 0.0, np.empty(0))
    row = [Point("relu", 1, 9, 4, HessianTriple(*[found] * 3), HessianTriple(0, 0, 0))]
    (axis,) = plot_sweep(["relu"], {"": [row]}, "activation", "title")
    assert [container.lines[0].get_ydata()[0] for container in axis.containers] == [0, 0, 0]
