"""The spectra of the layers' blocks, beside those of a matrix that is cut by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from experiments.layer_spectra import decades, layer_densities, shape_distances
from matrix_free import spectral_density

PARAMS = {"a": np.ones((2, 3)), "b": {"bias": np.ones(2), "weights": np.ones((2, 2))}, "c": np.ones(1)}


def symmetric(p=13):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(p, p))
    return matrix + matrix.T


def test_every_layer_has_the_eigenvalues_of_its_block():
    H, told = symmetric(), []
    bar = type("Bar", (), {"update": staticmethod(told.append)})
    found = layer_densities(lambda V: V @ H, PARAMS, probes=2, steps=6, bar=bar)
    places = {"a": slice(0, 6), "b": slice(6, 12), "c": slice(12, 13)}
    assert list(found) == list(places)
    for name, where in places.items():
        exact = np.linalg.eigvalsh(H[where, where])
        assert found[name].p == len(exact)
        for row in found[name].nodes:
            assert_allclose(row[: len(exact)], exact, atol=1e-9)
    assert sum(told) == 2 * (6 + 6 + 1)


def test_layers_of_every_array_and_without_the_small_ones():
    H = symmetric()
    found = layer_densities(lambda V: V @ H, PARAMS, layer=str, smallest=3, steps=2)
    assert {name: density.p for name, density in found.items()} == {"a": 6, "b/weights": 4}
    with pytest.raises(ValueError, match="no layer has 7 parameters; choose a number for smallest"):
        layer_densities(lambda V: V @ H, PARAMS, smallest=7)


def of_eigenvalues(*eigenvalues):
    return spectral_density(lambda V: V * np.array(eigenvalues), len(eigenvalues), probes=1, steps=len(eigenvalues))


def test_a_factor_of_ten_is_one_unit():
    found = decades(of_eigenvalues(-7.0), least=1e-3).nodes[0, 0]
    assert found == pytest.approx(-np.log10(1001))
    nodes = decades(of_eigenvalues(5.0, 0.5, 0.05, 0.0, -0.5), least=1e-6).nodes[0]
    assert_allclose(nodes, [-5, 0, 4, 5, 6], atol=1e-4)
    assert decades(of_eigenvalues(0.0)).nodes[0, 0] == 0


def test_scale_does_not_matter_but_shape_and_sign_do():
    one, large, negative, zero = (of_eigenvalues(v) for v in (1.0, 1e6, -3.0, 0.0))
    found = shape_distances({"one": one, "large": large, "negative": negative, "zero": zero}, least=1 / 99)
    expected = [[0, 0, 4, 2], [0, 0, 4, 2], [4, 4, 0, 2], [2, 2, 2, 0]]
    assert_allclose(found, expected, atol=1e-12)
    assert shape_distances({"a": zero, "b": zero}).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match=r"least must be at least .* and below 1.0, got 1.0"):
        shape_distances({"one": one, "large": large}, least=1.0)
