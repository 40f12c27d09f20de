"""Residues against Python's own integers and fractions."""

from fractions import Fraction

import numpy as np
import pytest

from exact.finite_field import matmul, power, residues

PRIMES = 2147483629, 1073741827, 1000003
RNG = np.random.default_rng(0)


def modulo(fraction, prime):
    return fraction.numerator * pow(fraction.denominator, -1, prime) % prime


@pytest.mark.parametrize("prime", PRIMES)
def test_residues_of_floats(prime):
    values = np.array([0.0, 1.0, -1.0, 0.1, -2.5, np.pi, 1e300, -1e-300, 2.0**-1074, np.finfo(float).max])
    expected = [modulo(Fraction(value), prime) for value in values]
    np.testing.assert_array_equal(residues(values, prime), expected)


@pytest.mark.parametrize("prime", PRIMES)
def test_residues_of_integers(prime):
    """Small integers take a shorter way, up to 2^31 in absolute value, and large ones the longer."""
    values = np.array([0, 1, -1, prime, -prime, 2**31 - 1, 1 - 2**31, 2**31, -(2**31), 2**53])
    np.testing.assert_array_equal(residues(values[:7].astype(float), prime), values[:7] % prime)
    np.testing.assert_array_equal(residues(values.astype(float), prime), values % prime)


def test_infinity_and_nan_become_zero():
    np.testing.assert_array_equal(residues([np.inf, -np.inf, np.nan, 0.5], 7), [0, 0, 0, 4])


@pytest.mark.parametrize("prime", PRIMES)
def test_powers(prime):
    base = prime - 1 - RNG.integers(1000, size=20)
    exponent = RNG.integers(2**31, size=20)
    exponent[:2] = 0, 2**31 - 1
    expected = [pow(int(b), int(e), prime) for b, e in zip(base, exponent, strict=True)]
    np.testing.assert_array_equal(power(base, exponent, prime, bits=31), expected)


@pytest.mark.parametrize("prime", PRIMES)
@pytest.mark.parametrize(
    "shapes", [((4, 5000), (5000, 3)), ((2, 3, 4), (2, 4, 5)), ((3, 1), (1, 2)), ((3, 0), (0, 2))], ids=str
)
def test_matmul_of_the_largest_residues(shapes, prime):
    a, b = (prime - 1 - RNG.integers(3, size=shape) for shape in shapes)
    expected = (a.astype(object) @ b.astype(object)) % prime
    np.testing.assert_array_equal(matmul(a, b, prime), expected.astype(np.int64))


@pytest.mark.parametrize("prime", PRIMES)
@pytest.mark.parametrize("terms", [2**18, 2**18 + 1, 2 * 2**18 + 7])
def test_sums_of_more_than_2_to_the_18_products_of_the_largest_residues(terms, prime):
    """Every entry is P - 1, which is -1: products are 1, and their sum is their number, or less the last column."""
    a = np.full((2, terms), prime - 1)
    b = np.full((terms, 1), prime - 1)
    a[1, -1] = 0
    np.testing.assert_array_equal(matmul(a, b, prime), [[terms % prime], [(terms - 1) % prime]])
    a, b = (prime - 1 - RNG.integers(3, size=shape) for shape in ((1, terms), (terms, 1)))
    expected = sum(x * y for x, y in zip(a[0].tolist(), b[:, 0].tolist(), strict=True)) % prime
    assert matmul(a, b, prime).tolist() == [[expected]]
