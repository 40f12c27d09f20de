"""Products with a diagonal block of a matrix, such as a layer's."""

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

import checks
from matrix_free.operators import traceable


def restricted(operator, where, p):
    """Return the function V -> V H_ll for the diagonal block of H with these rows and columns, such as a layer's.

    It embeds the vectors, multiplies by the whole matrix and cuts, so that nothing is compiled anew for every layer.

    Args:
        operator: V (b, p) -> V H (b, p), of any kind.
        where: (p_l,) ints, places in the flattened vector of parameters, as `parts.layers` gives them.
        p: number of rows of H.

    Returns:
        V (b, p_l) -> (b, p_l), NumPy float64.

    Raises:
        ValueError: for places beyond p, twice the same, or none.

    Example:
        >>> import numpy as np
        >>> from matrix_free import restricted
        >>> H = np.arange(16.0).reshape(4, 4) + np.arange(16.0).reshape(4, 4).T
        >>> restricted(lambda V: V @ H, [1, 3], p=4)(np.eye(2)).tolist() == H[1::2, 1::2].tolist()
        True
    """
    p, where = checks.integer("p", p), np.asarray(where)
    if (
        where.ndim != 1
        or not len(where)
        or len(set(where.tolist())) < len(where)
        or not 0 <= where.min() <= where.max() < p
    ):
        raise ValueError(f"where must be different places from 0 to p - 1 = {p - 1}, as parts.layers gives them")

    def multiply(vectors):
        vectors = np.asarray(vectors)
        whole = np.zeros((len(vectors), p))
        whole[:, where] = vectors
        return np.asarray(operator(whole))[:, where]

    if hasattr(operator, "traceable"):
        multiply.traceable = lambda: Partial(_cut, traceable(operator), where, jnp.zeros(p))
    return multiply


def _cut(product, where, zeros, v):
    return product(zeros.at[where].set(v))[where]
