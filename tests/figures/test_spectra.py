import matplotlib.pyplot as plt
import numpy as np

from experiments.numerical_vs_exact import Trial
from figures import (
    plot_agreement,
    plot_exact_spectrum,
    plot_judgement,
    plot_shape,
    plot_spectra,
    plot_spectrum,
    plot_truncation,
)
from hessians import HessianTriple
from linear_networks import spectrum
from ranks import numerical_rank
from tests.oracles.integer_networks import hessians


def test_spectra_show_every_eigenvalue_the_threshold_and_the_prediction():
    measured = HessianTriple(*(numerical_rank(np.diag(row)) for row in ([3.0, -4.0, 0.0], [1.0, 2.0, 0.5], [0.0] * 3)))
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


def test_truncation_draws_the_error_for_every_rank():
    spectra = HessianTriple(*[numerical_rank(np.diag([3.0, -4.0, 0.0]))] * 3)
    axes = plot_truncation({"linear": spectra, "relu": spectra}, HessianTriple(2, 1, 0))
    for axis, bound in zip(axes, (2, 1, 0), strict=True):
        np.testing.assert_allclose(axis.lines[0].get_ydata(), [1, 0.6, 1e-17, 1e-17])
        assert set(axis.lines[-1].get_xdata()) == {bound}


def test_shape_counts_positive_and_negative_eigenvalues_apart():
    matrix = numerical_rank(np.diag([5.0, -4.0, 3.0, 1e-3, 0.0]))
    axes = plot_shape({"before": HessianTriple(*[matrix] * 3), "after": HessianTriple(*[matrix] * 3)}, outliers=2)
    assert axes.shape == (2, 3)
    up, down = axes[0, 0].patches
    assert np.sum(up.get_data().values) == 3
    assert np.sum(down.get_data().values) == -1
    assert axes[1, 2].get_title().endswith("3 positive, 1 negative, 1 zero")
    border = axes[0, 0].lines[-1].get_xdata()[0]
    assert 3 < border < 4


def test_agreement(setting):
    weights, X, Y = setting
    dense = HessianTriple(*(np.linalg.eigvalsh(H) for H in hessians(*setting)))
    axes = plot_agreement(dense, spectrum(weights, X.T @ X, X.T @ Y))
    assert axes.shape == (2, 3)
    for column, values in zip(axes.T, dense, strict=True):
        np.testing.assert_array_equal(column[0].lines[0].get_ydata(), values[::-1])
        assert len(column[0].lines[1].get_ydata()) == len(values)
        assert column[1].lines[0].get_ydata().max() < 1e-13


def test_the_spectrum_counts_copies():
    rng = np.random.default_rng(0)
    found = spectrum([rng.normal(size=(3, 40)), rng.normal(size=(40, 2))], np.eye(3), rng.normal(size=(3, 2)))
    axes = plot_spectrum(found, "heading")
    assert axes[0].figure.get_suptitle() == "heading"
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["80 positive", "80 negative"]
    assert axes[0].lines[0].get_xdata()[-1] == 80
    assert axes[0].get_title().endswith("40 zeros")
    assert [text.get_text() for text in axes[1].get_legend().get_texts()] == ["6 positive"]
    plt.close("all")
