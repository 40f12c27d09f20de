"""Closed forms for the ranks of a linear network's Hessian (Singh, Bachmann and Hofmann, NeurIPS 2021).

The network is f(x) = W_L ... W_1 x without biases, with hidden widths m_1, ..., m_{L-1} and K outputs. Symbols:

    r = rank(sum_i x_i x_i^T),  the data's rank              M = m_1 + ... + m_{L-1}
    s = min(r, K)                                            q = min(r, K, m_1, ..., m_{L-1})

The three ranks hold with equality for weights, data of rank r and targets in general position, which random
initialization gives; q taken from the widths, they are upper bounds for all weights and data.
"""

import checks
from ranks import HessianRanks


def outer_rank(r, outputs, units):
    """Return rank(H_o) = q (r + K - q).

    The derivative of the end-to-end map W = W_L ... W_1 has the dimension of the tangent space of the r x K matrices of
    rank q, and H_o is positive on its image.

    Args:
        r: rank of the uncentred data covariance.
        outputs: K, the rank of the loss's Hessian in the outputs (see `effective_outputs`).
        units: hidden widths [m_1, ..., m_{L-1}]; empty for one layer.
    """
    q = min(r, outputs, *units)
    return q * (r + outputs - q)


def functional_rank(r, outputs, units):
    """Return rank(H_f) = 2 q M + 2 q s - L q^2, and 0 for one layer, where f is linear in theta and has no Hessian.

    (At L = 1 the published formula would give s^2.) Arguments as in `outer_rank`.
    """
    q, s, layers = min(r, outputs, *units), min(r, outputs), len(units) + 1
    return 2 * q * sum(units) + 2 * q * s - layers * q**2 if units else 0


def loss_rank(r, outputs, units):
    """Return rank(H_L) = 2 q M - L q^2 + q (r + K).

    This is rank(H_o) + rank(H_f) - q (2 s - q): the ranges of the two terms meet in q (2 s - q) dimensions. Arguments
    as in `outer_rank`.
    """
    q, layers = min(r, outputs, *units), len(units) + 1
    return 2 * q * sum(units) - layers * q**2 + q * (r + outputs)


def effective_outputs(classes, loss_name):
    """Return what takes the place of K: the rank of the loss's Hessian in the K outputs.

    That is K for 'mse' and 'cosh', and K - 1 for 'cross', where adding a constant to all outputs changes nothing.

    Raises:
        ValueError: for a loss without a closed form.
    """
    lost = checks.choice("loss", loss_name, {"mse": 0, "cross": 1, "cosh": 0})
    return checks.integer("classes", classes, minimum=1 + lost) - lost


def linear_ranks(r, classes, units, loss_name="mse"):
    """Return the three closed forms together.

    Args:
        r: rank of the uncentred data covariance.
        classes: number of outputs K of the network.
        units: hidden widths [m_1, ..., m_{L-1}].
        loss_name: 'mse', 'cross' or 'cosh'.

    Returns:
        HessianRanks of ints.
    """
    symbols = checks.integer("r", r, minimum=0), effective_outputs(classes, loss_name), list(units)
    return HessianRanks(functional_rank(*symbols), outer_rank(*symbols), loss_rank(*symbols))


def biased_ranks(r, classes, units, loss_name="mse"):
    """Return the three ranks of a linear network with a bias in every layer.

    With r the rank of the *centred* covariance, w = min(r + 1, K), q = min(r, K, m_1, ..., m_{L-1}) and
    h = min(w - 1, m_1, ..., m_{L-1}):

        rank(H_o) = K + q (r + K - q)
        rank(H_f) = 2 (1 + h) M + 2 h w - L h (h + 1) - c          (0 for one layer)
        rank(H_L) = rank(H_o) + 2 (1 + h) M - (L - 1) h (h + 1) - c

    where c = 2 sum_{l < j} (m_l - h) if some hidden layer has width h < w, j being the last one, and 0 otherwise. The
    last bias adds a free vector to the output, so that J runs over the centred data and K directions more. The values
    of the biases do not matter: shifting the hidden units is a linear change of parameters that leaves the network as
    it is. For weights, data and targets in general position; the residuals must not add up to zero. Not in the paper:
    found by derivation in outline, and checked by exact ranks.

    Args:
        r: rank of sum_i (x_i - mean)(x_i - mean)^T.
        classes: number of outputs K of the network.
        units: hidden widths [m_1, ..., m_{L-1}].
        loss_name: 'mse', 'cross' or 'cosh'.

    Returns:
        HessianRanks of ints.
    """
    r, outputs, units = checks.integer("r", r, minimum=0), effective_outputs(classes, loss_name), list(units)
    total, layers = sum(units), len(units) + 1
    outer = outputs + outer_rank(r, outputs, units)
    if not units:
        return HessianRanks(0, outer, outer)
    w = min(r + 1, outputs)
    h = min(w - 1, *units)
    last = max((j for j, width in enumerate(units) if width == h < w), default=0)
    coupled = 2 * (1 + h) * total - 2 * sum(width - h for width in units[:last])
    functional = coupled + 2 * h * w - layers * h * (h + 1)
    return HessianRanks(functional, outer, outer + coupled - (layers - 1) * h * (h + 1))


def flag_rank(inner, outer):
    """Return rank(H_o) = sum_l a_{l-1} (c_l - c_{l-1}) of a linear network without biases, for any weights whatsoever.

    The derivative of f is sum_l W_L .. W_{l+1} V_l W_{l-1} .. W_1 x. The row spaces of the products on the right shrink
    with l and the column spaces of those on the left grow, so that its image is a sum of tensor products of nested
    spaces.

    Args:
        inner: [a_0, ..., a_{L-1}], a_l = rank(W_l .. W_1 X), a_0 = r the rank of the data.
        outer: [c_1, ..., c_L], c_l = rank(W_L .. W_{l+1}), c_L = K; c_0 stands for 0.
    """
    return sum(a * (c - before) for a, c, before in zip(inner, outer, [0, *outer[:-1]], strict=True))
