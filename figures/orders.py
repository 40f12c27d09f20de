"""Orders of a network's parameters in which the blocks of its functional Hessian stand out."""

import itertools
from typing import NamedTuple

import jax
import numpy as np

from hessians import HessianTriple


class Order(NamedTuple):
    """A permutation of the flattened parameters, cut into blocks."""

    places: np.ndarray  # (p,) integers, the parameters' places in the flattened vector
    sizes: list  # of ints, the number of parameters of each block
    names: list  # of the blocks, matplotlib text


def ordered(matrices, order):
    """Return the three matrices with their rows and columns in another order, a HessianTriple of arrays (p, p).

    Args:
        matrices: HessianTriple of arrays (p, p).
        order: Order.
    """
    where = np.ix_(order.places, order.places)
    return HessianTriple(*(np.asarray(matrix)[where] for matrix in matrices))


def order_by_unit(params):
    """Return the order of a network with one hidden layer in which the weights of each unit stand together.

    In it H_f is block diagonal: a block holds the weights into unit j, w_j, and out of it, v_j
    (`closed_forms.one_hidden_layer`).

    Args:
        params: [W_1 (d, m), W_2 (m, K)], of `architectures.fully_connected` or `polynomial`.

    Example:
        >>> import numpy as np
        >>> from figures import order_by_unit
        >>> order = order_by_unit([np.ones((2, 3)), np.ones((3, 1))])  # w_1 is the first column of W_1, 0 and 3
        >>> order.places.tolist(), order.sizes, order.names
        ([0, 3, 6, 1, 4, 7, 2, 5, 8], [3, 3, 3], ['1', '2', '3'])
    """
    first, second = _numbered(params)
    return _order([(first[:, j], second[j]) for j in range(len(second))])


def order_by_channel(params):
    """Return the order of a convolutional layer with a dense head in which the weights of each channel stand together.

    In it H_f is block diagonal: a block holds the kernel of channel c, and the weights of the head behind this channel.

    Args:
        params: [W (*taps, c_0, c_1), W_head (positions times c_1, K)], of `architectures.convolutional`.
    """
    kernel, head = _numbered(params)
    channels = kernel.shape[-1]
    head = head.reshape(-1, channels, head.shape[-1])
    return _order([(kernel[..., c].ravel(), head[:, c].ravel()) for c in range(channels)])


def order_by_circuit(params):
    """Return the order of a layer of attention in which columns of W_Q and W_K alternate, then W_V's and rows of W_O.

    In it the blocks of W_Q and W_K on the diagonal of H_f are equal for each head, and so are those of W_V and W_O.

    Args:
        params: list of `architectures.Head`, of one layer with an output projection.
    """
    heads, blocks, names = _numbered(params), [], []
    for number, head in enumerate(heads, start=1):
        queries, keys, values, outputs = head.W_Q.T, head.W_K.T, head.W_V.T, head.W_O
        blocks += [*zip(queries, keys, strict=True), *zip(values, outputs, strict=True)]
        which = f"^{{({number})}}" if len(heads) > 1 else ""
        names += [f"$QK_{{{j}}}{which}$" for j in range(1, len(queries) + 1)]
        names += [f"$VO_{{{j}}}{which}$" for j in range(1, len(values) + 1)]
    return _order(blocks)._replace(names=names)


def _order(blocks):
    joined = [np.concatenate(block) for block in blocks]
    names = [str(number) for number in range(1, len(joined) + 1)]
    return Order(np.concatenate(joined), [len(block) for block in joined], names)


def _numbered(params):
    """Return the parameters with their places in the flattened vector as entries."""
    leaves, structure = jax.tree.flatten(params)
    starts = itertools.accumulate([leaf.size for leaf in leaves], initial=0)
    numbered = [start + np.arange(leaf.size).reshape(leaf.shape) for start, leaf in zip(starts, leaves, strict=False)]
    return jax.tree.unflatten(structure, numbered)
