import numpy as np

from experiments.numerical_vs_exact import Trial
from figures import plot_exact_spectrum, plot_judgement, plot_spectra
from hessians import HessianTriple
from ranks import numerical_rank
from tests.figures.readability import texts, tick_labels


def test_spectra_show_every_eigenvalue_the_threshold_and_the_prediction():
    measured = HessianTriple(
        *(numerical_rank(np.diag(row)) for row in ([3.0, -4.0, 0.0], [1.0, 2.0, 0.5], [1.0, 0.0, 0.0]))
    )
    axes = plot_spectra(measured, HessianTriple(2, 1, 0))
    for axis, found, predicted in zip(axes, measured, (2, 1, 0), strict=True):
        eigenvalues, threshold, prediction = axis.lines
        np.testing.assert_array_equal(eigenvalues.get_xdata(), [1, 2, 3])
        assert axis.get_yscale() == "log"
        assert min(eigenvalues.get_ydata()) > 0
        counted = np.asarray(eigenvalues.get_ydata()) > max(threshold.get_ydata())
        assert counted.sum() == found.rank
        assert set(prediction.get_xdata()) == {predicted + 0.5}
        assert f"rank {found.rank}, gap" in axis.get_title()
        assert [text.get_text() for text in axis.get_legend().texts][-1] == f"closed form: {predicted}"
        assert axis.get_xlabel() == "index $i$"


def test_exact_spectrum_tells_lost_eigenvalues_from_zeros():
    found = numerical_rank(np.diag([1.0, 1e-3, 1e-18, 1e-19, 0.0]))
    axis = plot_exact_spectrum(found, 3, "name")
    counted, lost, zero = axis.lines[:3]
    assert [len(line.get_xdata()) for line in (counted, lost, zero)] == [2, 1, 2]
    assert axis.get_title().startswith("name: numerical rank 2, gap")
    assert axis.get_legend().texts[-1].get_text() == "exact rank: 3"


def test_judgement_circles_the_wrong_ranks():
    trials = [
        Trial("a", "outer", 2, 1e9, 2, np.array([1.0, 1e-3, 1e-17])),
        Trial("a", "loss", 1, 10.0, 2, np.array([1.0, 1e-16, 1e-17])),
        Trial("a", "functional", 3, 10.0, 3, np.array([1.0, 0.5, 0.1])),
        Trial("b", "functional", 1, 10.0, None, np.array([1.0, 0.5, 0.1])),
    ]
    axis = plot_judgement(trials)
    smallest, rest, wrong = axis.lines[:3]
    np.testing.assert_array_equal(smallest.get_ydata(), [1e-3, 1e-16, 0.1])
    np.testing.assert_array_equal(np.isnan(rest.get_ydata()), [False, False, True])
    np.testing.assert_array_equal(wrong.get_ydata(), [1e-16])


def test_a_tiny_matrix_beside_a_huge_one_stays_readable():
    """It has an axis of its own, on which its cliff takes up most of the height, and the labels that belong to it."""
    sizes = [2.0, 1.0, 1e-17, 0.0]
    measured = HessianTriple(*(numerical_rank(np.diag(sizes) * scale) for scale in (1e-200, 1e13, 0.0)))
    axes = plot_spectra(measured, HessianTriple(2, 2, 0))
    axes[0].figure.draw_without_rendering()
    for axis, scale in zip(axes[:2], (1e-200, 1e13), strict=True):
        low, high = np.log10(axis.get_ylim()) - np.log10(scale)
        assert -30 < low < -17
        assert 0 < high < 5
        assert tick_labels(axis.yaxis)
    assert tick_labels(axes[2].yaxis) == []


def test_matrices_of_comparable_sizes_share_their_axis():
    measured = HessianTriple(*(numerical_rank(np.diag([scale, 0.0])) for scale in (1.0, 1e5, 1e-4)))
    axes = plot_spectra(measured, HessianTriple(1, 1, 1))
    assert len({axis.get_ylim() for axis in axes}) == 1
    axes[0].figure.draw_without_rendering()
    assert [bool(tick_labels(axis.yaxis)) for axis in axes] == [True, False, False]


def test_an_exact_rank_above_0_of_computed_zeros():
    """Eigenvalues can be smaller than any float64: the exact rank shows, and the matrix is not called zero."""
    axis = plot_exact_spectrum(numerical_rank(np.zeros((3, 3))), 2, "name")
    assert axis.get_title() == "name: numerical rank 0, no eigenvalue but 0"
    assert texts(axis) == ["all computed eigenvalues are 0"]
    assert axis.lines[0].get_xdata()[0] == 2.5


def test_judgement_of_an_exact_rank_0():
    """There is no smallest nonzero eigenvalue, and the largest zero is what the numerical rank has counted."""
    trials = [
        Trial("a", "outer", 1, 1e9, 0, np.array([1.0, 1e-3])),
        Trial("a", "loss", 2, 1e9, 2, np.array([1.0, 0.5, 0.0])),
        Trial("a", "loss", 0, np.inf, 0, np.zeros(3)),
    ]
    smallest, rest, wrong = plot_judgement(trials).lines[:3]
    np.testing.assert_array_equal(smallest.get_ydata(), [np.nan, 0.5])
    assert rest.get_ydata()[0] == 1.0
    np.testing.assert_array_equal(wrong.get_ydata(), [1.0])


def test_judgement_of_nothing():
    for trials in ([], [Trial("a", "outer", 1, 1e9, None, np.array([1.0, 1e-3]))]):
        axis = plot_judgement(trials)
        assert len(axis.lines) == 0
        assert texts(axis) == ["no matrix to judge:\nnone has an exact rank and nonzero eigenvalues"]
