import numpy as np
import pytest

from linear_networks.powers_of_two import exponents, norm, normalized, restored


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1.0, 1e300])
def test_a_power_of_two_and_back(size):
    array = np.array([[0.3, -1.0], [0.7, 0.0]]) * size
    scaled, exponent = normalized(array)
    assert 0.5 <= abs(scaled).max() < 1
    np.testing.assert_array_equal(np.ldexp(scaled, exponent), array)
    # up to the digits that the smallest numbers lack
    assert norm(array) == pytest.approx(np.linalg.norm(array / size) * size, rel=1e-12, abs=5e-324)
    np.testing.assert_array_equal(exponents(array, axis=0) <= exponent, True)


def test_nothing_and_zeros():
    for array in (np.zeros((0, 3)), np.zeros((2, 2))):
        scaled, exponent = normalized(array)
        assert exponent == norm(array) == 0
        assert scaled.shape == array.shape
    assert exponents(np.array([[0.0, 4.0]]), axis=0).tolist() == [-1100, 3]


@pytest.mark.parametrize(("exponent", "remedy"), [(-1000, 499), (2000, -1001)])
def test_eigenvalues_that_do_not_fit(exponent, remedy):
    with pytest.raises(ValueError, match=rf"of H_o do not fit in float64: .* by a power of two, c = 2\^{remedy}:"):
        restored(np.array([1.0, 0.0]), exponent, "H_o")
    assert restored(np.zeros(2), exponent, "H_o").tolist() == [0.0, 0.0]
