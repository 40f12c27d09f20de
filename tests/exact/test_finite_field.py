"""Residues against Python's own integers and fractions."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from exact.finite_field import matmul, residues

PRIMES = 2147483629, 1073741827, 1000003
RNG = np.random.default_rng(0)


def modulo(fraction, prime):
    return fraction.numerator * pow(fraction.denominator, -1, prime) % prime


@pytest.mark.parametrize("prime", PRIMES)
def test_residues_of_floats(prime):
    values = np.array([0.0, 1.0, -1.0, 0.1, -2.5, np.pi, 1e300, -1e-300, 2.0**-1074, np.finfo(float).max])
    expected = [modulo(Fraction(value), prime) for value in values]
    np.testing.assert_array_equal(residues(values, prime), expected)


def test_matmul_of_the_largest_residues():
    """2^31 residues of P - 1 at the most: here sums of 5000 products of the largest, checked with Python integers."""
    prime = PRIMES[0]
    a = prime - 1 - RNG.integers(3, size=(4, 5000))
    b = prime - 1 - RNG.integers(3, size=(5000, 3))
    expected = (a.astype(object) @ b.astype(object)) % prime
    np.testing.assert_array_equal(matmul(a, b, prime), expected.astype(np.int64))
    np.testing.assert_array_equal(np.asarray(matmul(jnp.asarray(a), jnp.asarray(b), prime)), expected.astype(np.int64))


def test_sums_too_long_for_exact_arithmetic_are_refused():
    with pytest.raises(ValueError, match=r"at most 2\^19 = 524288 products .* got 524289"):
        matmul(np.zeros((1, 2**19 + 1), np.int64), np.zeros((2**19 + 1, 1), np.int64), PRIMES[0])
