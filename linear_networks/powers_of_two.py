"""Arrays as an array of moderate size times a power of two: no norm or product of it overflows or underflows.

A multiplication by a power of two changes no digit. So the eigenvalues of a scaled matrix are those of the matrix,
scaled.
"""

import numpy as np

# Numbers below this lose digits to underflow, now or when they are multiplied by rounding errors.
SMALLEST = -960


def exponents(array, axis=None):
    """Return the integers e, the smallest with |x| < 2^e for all x along the axis. Where all are zero, e = -1100."""
    # Without the array of absolute values, since weights may fill half of the memory.
    largest = np.maximum(array.max(axis=axis, initial=0.0), -array.min(axis=axis, initial=0.0))
    return np.where(largest > 0, np.frexp(largest)[1], -1100)


def normalized(array):
    """Return (A, e), with the array = 2^e A, and the largest entry of A in [1/2, 1). A zero array has e = 0.

    What is 2^-1074 times smaller than the largest entry may become zero in A.

    Example:
        >>> import numpy as np
        >>> from linear_networks.powers_of_two import normalized
        >>> A, e = normalized(np.array([3.0, -12.0]))
        >>> A.tolist(), e
        ([0.1875, -0.75], 4)
    """
    exponent = int(exponents(array))
    exponent = exponent if exponent > -1100 else 0
    return np.ldexp(array, -exponent), exponent


def norm(array):
    """Return the Frobenius norm of an array, whose squares may overflow or underflow."""
    if abs(int(exponents(array))) < 400:
        return float(np.linalg.norm(array))
    scaled, exponent = normalized(array)
    return float(np.ldexp(np.linalg.norm(scaled), exponent))


def restored(values, exponent, name):
    """Return 2^e times eigenvalues.

    Args:
        values: array.
        exponent: e.
        name: of the matrix, for the message.

    Raises:
        ValueError: if the largest cannot be represented in float64, or only without digits for the others.
    """
    largest = int(exponents(values)) + exponent
    if not np.isfinite(values).all() or (np.any(values) and not SMALLEST < largest <= 1024):
        raise ValueError(
            f"the eigenvalues of {name} do not fit in float64: the largest is about 2^{largest}. Multiply all inputs "
            f"and targets by a power of two, c = 2^{-largest // 2}: this multiplies every eigenvalue by c^2, and "
            "changes no sign"
        )
    return np.ldexp(values, exponent)
