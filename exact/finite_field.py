"""Arithmetic on arrays of residues modulo an odd prime P < 2^31: the finite field F_P.

Residues are multiplied in int64, where products stay below 2^62. For sums of products they are split into halves of 16
bits and multiplied as float64: every product and sum stays below 2^53 and is exact. P may be traced, so that one
compiled program serves every prime.
"""

import jax
import jax.numpy as jnp
import numpy as np


def residues(x, prime):
    """Return float64 numbers modulo P, as int64 of the same shape.

    A float64 is x = m 2^e with integers m and e. Where e < 0, its residue is m times a power of the inverse of 2.

    Args:
        x: concrete float64 numbers, finite.
        prime: P, an int or traced.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from exact.finite_field import residues
        >>> residues([3.0, -1.0, 0.5], 7).tolist()  # 1/2 is 4 modulo 7, since 2 * 4 = 8 = 1
        [3, 6, 4]
    """
    x = np.asarray(x, np.float64)
    library = np if isinstance(prime, int) else jnp  # what is known now need not be compiled
    if np.all(abs(x) < 2**31) and np.all(x == np.round(x)):  # the common case, and quick to compile
        return library.asarray(x.astype(np.int64)) % prime
    fraction, exponent = np.frexp(x)
    integer = (fraction * 2.0**53).astype(np.int64)
    base = library.where(exponent >= 53, 2, (prime + 1) // 2)  # (P + 1) / 2 is the inverse of 2
    return remainder(integer % prime * power(base, abs(exponent.astype(np.int64) - 53), prime, bits=11), prime)


def matmul(a, b, prime):
    """Return the product of two matrices of residues modulo P, int64, NumPy or JAX.

    Example:
        >>> import numpy as np
        >>> from exact.finite_field import matmul
        >>> matmul(np.array([[1, 2], [3, 4]]), np.array([[5, 6], [0, 1]]), 7).tolist()  # [[5, 8], [15, 22]] mod 7
        [[5, 1], [1, 1]]
    """
    return contract(lambda x, y: x @ y, a.shape[1], a, b, prime)


def remainder(x, prime):
    """Return x mod P for x >= 0, in one operation: JAX's % takes half a dozen, since it minds the sign."""
    return x % prime if isinstance(x, np.ndarray) else jax.lax.rem(x, jnp.full_like(x, prime))


def power(base, exponent, prime, bits):
    """Return base^exponent mod P entry by entry, for exponents below 2^bits, by repeated squaring."""
    library = np if isinstance(base, np.ndarray) else jnp
    result = library.ones_like(base)
    for bit in range(bits):
        result = library.where((exponent >> bit) & 1, remainder(result * base, prime), result)
        base = remainder(base * base, prime)
    return result


def contract(multiply, terms, a, b, prime):
    """Return a bilinear map of residues modulo P.

    Write a = a0 + 2^16 a1 and b = b0 + 2^16 b1. Three products replace the four of the halves (Karatsuba):
    a0 b1 + a1 b0 = (a0 + a1)(b0 + b1) - a0 b0 - a1 b1. Each is below 2^34, and 2^19 of them add up to less than 2^53.

    Args:
        multiply: the bilinear map on float64 arrays, such as a matrix product.
        terms: how many products it adds up for each of its entries.
        a, b: int64 arrays of residues.
        prime: P, an int or traced.

    Raises:
        ValueError: for more than 2^19 terms.
    """
    if terms > 2**19:
        raise ValueError(f"at most 2^19 = 524288 products can be added up exactly, got {terms}; use fewer samples")
    a0, a1, b0, b1 = [half.astype(float) for x in (a, b) for half in (x & 0xFFFF, x >> 16)]
    low, high, both = multiply(a0, b0), multiply(a1, b1), multiply(a0 + a1, b0 + b1)
    middle = remainder((both - low - high).astype(np.int64), prime)
    high = remainder(high.astype(np.int64), prime)
    return remainder(low.astype(np.int64) + (middle << 16) + high * (2**32 % prime), prime)
