"""Arithmetic on arrays of residues modulo an odd prime P < 2^31: the finite field F_P.

Residues are multiplied in int64, where products stay below 2^62. For sums of products they are split into halves of 16
bits and multiplied as float64: every product and sum stays below 2^53 and is exact.
"""

import functools

import numpy as np

from exact.arithmetic import Arithmetic, ZeroDivisorError

_TERMS = 2**18  # products of halves, each below 2^34, that add up to at most 2^52


def residues(x, prime):
    """Return float64 numbers modulo P, as int64 of the same shape.

    A float64 is x = m 2^e with integers m and e. Where e < 0, its residue is m times a power of the inverse of 2.
    Infinity and NaN have none. They become 0, and whoever computes with them has to look at their values.

    Args:
        x: float64 numbers.
        prime: P.

    Example:
        >>> from exact.finite_field import residues
        >>> residues([3.0, -1.0, 0.5], 7).tolist()  # 1/2 is 4 modulo 7, since 2 * 4 = 8 = 1
        [3, 6, 4]
    """
    x = np.asarray(x, np.float64)
    x = np.where(np.isfinite(x), x, 0.0)
    if np.all(abs(x) < 2**31) and np.all(x == np.round(x)):
        return x.astype(np.int64) % prime
    fraction, exponent = np.frexp(x)
    integer = (fraction * 2.0**53).astype(np.int64)
    base = np.where(exponent >= 53, 2, (prime + 1) // 2)  # (P + 1) / 2 is the inverse of 2
    return integer % prime * power(base, abs(exponent.astype(np.int64) - 53), prime, bits=11) % prime


def power(base, exponent, prime, bits):
    """Return base^exponent mod P entry by entry, for exponents below 2^bits, by repeated squaring."""
    result = np.ones_like(base)
    for bit in range(bits):
        result = np.where((exponent >> bit) & 1, result * base % prime, result)
        base = base * base % prime
    return result


def matmul(a, b, prime):
    """Return the product of matrices of residues modulo P, or of stacks of them.

    Write a = a0 + 2^16 a1 and b = b0 + 2^16 b1. Three products replace the four of the halves (Karatsuba):
    a0 b1 + a1 b0 = (a0 + a1)(b0 + b1) - a0 b0 - a1 b1. Each is below 2^34, and 2^18 of them add up to less than 2^52.
    Longer sums are taken in parts.

    Args:
        a: (..., m, k) int64.
        b: (..., k, n) int64.
        prime: P.

    Example:
        >>> import numpy as np
        >>> from exact.finite_field import matmul
        >>> matmul(np.array([[1, 2], [3, 4]]), np.array([[5, 6], [0, 1]]), 7).tolist()  # [[5, 8], [15, 22]] mod 7
        [[5, 1], [1, 1]]
    """
    terms = a.shape[-1]
    if terms > _TERMS:
        parts = [slice(first, first + _TERMS) for first in range(0, terms, _TERMS)]
        return sum(matmul(a[..., part], b[..., part, :], prime) for part in parts) % prime
    (a0, a1), (b0, b1) = _halves(a), _halves(b)
    low, high, both = a0 @ b0, a1 @ b1, (a0 + a1) @ (b0 + b1)
    middle = both - low - high
    for part in (middle, low):  # high 2^32 + middle 2^16 + low, by Horner's rule
        high = _remainder(high, prime) * 65536.0
        high += part
    result = _remainder(high, prime).astype(np.int64)
    return result - prime * (result >= prime)


def _halves(x):
    """Return x mod 2^16 and the rest, x = x0 + 2^16 x1, as float64: they are the first two quarters of each int64."""
    quarters = np.ascontiguousarray(x).astype("<i8", copy=False).view("<u2").reshape(*x.shape, 4)
    return quarters[..., 0].astype(float), quarters[..., 1].astype(float)


def _remainder(x, prime):
    """Return x mod P for float64 integers from 0 to 2^53, or that plus P."""
    quotient = np.floor(x * ((1 - 2.0**-50) / prime))  # never above x / P, in spite of rounding, and hardly ever below
    return x - quotient * prime


@functools.cache
def modulo(prime):
    """Return the arithmetic of residues modulo P. It has no order, and no functions such as exp."""

    def inverse(a):
        if np.any(a[0] == 0):
            raise ZeroDivisorError
        return (power(a[0], np.int64(prime - 2), prime, bits=31),)

    return Arithmetic(
        exact=lambda x: (residues(x, prime),),
        add=lambda a, b: ((a[0] + b[0]) % prime,),
        neg=lambda a: (-a[0] % prime,),
        mul=lambda a, b: (a[0] * b[0] % prime,),
        inverse=inverse,
        total=lambda a, axis: (a[0].sum(axis) % prime,),
        matmul=lambda a, b: (matmul(a[0], b[0], prime),),
        compare=None,
        equal=lambda a, b: a[0] == b[0],
        finite=None,
        nan=None,
        functions={},
    )
