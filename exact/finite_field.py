"""Arithmetic on arrays of residues modulo an odd prime P < 2^31: the finite field F_P.

Residues are multiplied in int64, where products stay below 2^62, and contracted as float64 after splitting them into
halves of 16 bits, so that every product and sum stays below 2^53 and is exact. P may be traced, so that a compiled
program serves every prime.
"""

import jax
import jax.numpy as jnp
import numpy as np


def residues(x, prime):
    """Return m 2^e mod P for concrete float64 numbers x = m 2^e, m and e integers: int64 of the same shape."""
    x = np.asarray(x, np.float64)
    if np.all(abs(x) < 2**31) and np.all(x == np.round(x)):  # the common case, and quick to compile
        return jnp.asarray(x.astype(np.int64)) % prime
    fraction, exponent = np.frexp(x)
    integer = (fraction * 2.0**53).astype(np.int64)
    base = jnp.where(exponent >= 53, 2, (prime + 1) // 2)  # (P + 1) / 2 is the inverse of 2
    return remainder(integer % prime * power(base, abs(exponent.astype(np.int64) - 53), prime, bits=11), prime)


def matmul(a, b, prime):
    """Return the product of two matrices of residues, int64, NumPy or JAX."""
    return contract(lambda x, y: x @ y, a.shape[1], a, b, prime)


def remainder(x, prime):
    """Return x mod P for x >= 0: one operation, where % of JAX is half a dozen, for the sake of the sign."""
    return x % prime if isinstance(x, np.ndarray) else jax.lax.rem(x, jnp.full_like(x, prime))


def power(base, exponent, prime, bits):
    """Return base^exponent mod P entry by entry, for exponents below 2^bits, by repeated squaring."""
    result = jnp.ones_like(base)
    for bit in range(bits):
        result = jnp.where((exponent >> bit) & 1, remainder(result * base, prime), result)
        base = remainder(base * base, prime)
    return result


def contract(multiply, terms, a, b, prime):
    """Return a bilinear map of residues, `multiply` on float64, that adds up `terms` products for each of its entries.

    With a = a0 + 2^16 a1, three products (Karatsuba's) do for four: (a0 + a1)(b0 + b1) < 2^34, and 2^19 such terms stay
    below 2^53.
    """
    if terms > 2**19:
        raise ValueError(f"at most 2^19 = 524288 products can be added up exactly, got {terms}; use fewer samples")
    a0, a1, b0, b1 = [half.astype(float) for x in (a, b) for half in (x & 0xFFFF, x >> 16)]
    low, high, both = multiply(a0, b0), multiply(a1, b1), multiply(a0 + a1, b0 + b1)
    middle = remainder((both - low - high).astype(np.int64), prime)
    high = remainder(high.astype(np.int64), prime)
    return remainder(low.astype(np.int64) + (middle << 16) + high * (2**32 % prime), prime)
