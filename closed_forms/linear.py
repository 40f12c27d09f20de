"""Closed forms for the ranks of a linear network's Hessian: Singh, Bachmann and Hofmann (NeurIPS 2021), and beyond.

The network is f(x) = W_L .. W_1 x, with L layers, hidden widths m_1, ..., m_{L-1} and K outputs. Symbols:

    r = rank(sum_i x_i x_i^T),  the data's rank              M = m_1 + ... + m_{L-1}
    s = min(r, K)                                            q = min(r, K, m_1, ..., m_{L-1})
    Omega = sum_i (dl/df)_i x_i^T,  the residuals' moment    w = rank(Omega), s in general

Every function says for which weights, data and residuals its ranks are equalities. "In general position" means all but
a set of measure zero, which random initialization never meets. At these exceptions the ranks are upper bounds, since
the rank of a matrix can only fall in a limit.

The paper's theorems are the ranks of H_o, H_f and H_L in general position, without biases. The docstrings outline how
the rest was derived. Exact ranks over a thousand random settings judge all of it (tests/closed_forms).
"""

import itertools

import checks
from hessians import HessianTriple
from losses import NULL_DIRECTIONS


def outer_rank(r, outputs, units):
    """Return rank(H_o) = q (r + K - q), an equality for weights in general position and any residuals.

    Let J be the derivative of the end-to-end map W = W_L .. W_1 on the data. Its image is the tangent space of the
    K x r matrices of rank q, which has q (r + K - q) dimensions. H_o = J^T (d^2 l / df^2) J has the same rank, since
    d^2 l / df^2 is positive on that image. (The paper, theorem on the rank of the outer product.)

    Args:
        r: rank of the uncentred data covariance.
        outputs: K, the rank of the loss's Hessian in the outputs (see `effective_outputs`).
        units: hidden widths [m_1, ..., m_{L-1}], empty for one layer.
    """
    q = min(r, outputs, *units)
    return q * (r + outputs - q)


def functional_rank(r, outputs, units, residual_rank=None):
    """Return rank(H_f) = 2 e (M + w) - L e^2, e = min(w, m_1, ..., m_{L-1}), and 0 for one layer.

    In general w = s and e = q, which gives the paper's 2 q M + 2 q s - L q^2. This is an equality for weights and
    residuals in general position. (For L = 1, f is linear in theta and its Hessian is zero. The published formula would
    give s^2.)

    H_f is the second derivative of tr(Omega^T W_L .. W_1). Changes of basis in the layers split the cycle of maps W_1,
    ..., W_L, Omega^T into e loops and a rest. Each nonzero eigenvalue of Omega^T W_L .. W_1 has one loop. The rest has
    M - (L - 1) e hidden and w - e residual dimensions. Every ordered pair of loops has a block of rank L. Every loop
    has a block of rank 2 with each dimension of the rest. The sum is L e^2 + 2 e (M + w - L e).

    Args:
        r, outputs, units: as in `outer_rank`.
        residual_rank: w, by default s, its value in general position. Residuals that vanish or are orthogonal to the
            data have w = 0. Targets that are linear in the inputs, Y = T X, are not enough to lower it.
    """
    w = _residual_rank(residual_rank, min(r, outputs))
    e, layers = min([w, *units]), len(units) + 1
    return 2 * e * (sum(units) + w) - layers * e**2 if units else 0


def loss_rank(r, outputs, units, residual_rank=None):
    """Return rank(H_L) = rank(H_o) + 2 e M - (L - 1) e^2, e = min(w, m_1, ..., m_{L-1}), and rank(H_o) for one layer.

    In general w = s and e = q, which gives the paper's 2 q M - L q^2 + q (r + K). This is an equality for weights and
    residuals in general position. So the residuals matter only if w falls below every hidden width and below s.

    The rank of H_o + H_f is that of H_f plus the dimension of J(kernel of H_f), for all but finitely many scales of H_o
    against H_f. In general position the ranges of H_o and H_f meet in q (2 s - q) dimensions. The arguments are those
    of `functional_rank`.
    """
    e, layers = min([_residual_rank(residual_rank, min(r, outputs)), *units]), len(units) + 1
    return outer_rank(r, outputs, units) + 2 * e * sum(units) - (layers - 1) * e**2


def effective_outputs(classes, loss_name):
    """Return what takes the place of K in the formulas: the rank of the loss's Hessian in the K outputs.

    That is K for 'mse' and 'cosh'. For 'cross' it is K - 1, since adding a constant to all outputs changes nothing.

    Raises:
        TypeError: if `classes` is not an integer.
        ValueError: for a loss without a closed form, or too few classes.

    Example:
        >>> from closed_forms import effective_outputs
        >>> effective_outputs(10, "mse"), effective_outputs(10, "cross")
        (10, 9)
    """
    lost = checks.choice("loss", loss_name, NULL_DIRECTIONS, "loss_name")
    return checks.integer("classes", classes, minimum=1 + lost) - lost


def linear_ranks(r, classes, units, loss_name="mse", residual_rank=None):
    """Return the three ranks of a linear network without biases: `functional_rank`, `outer_rank` and `loss_rank`.

    Args:
        r: rank of the uncentred data covariance.
        classes: number of outputs K of the network.
        units: hidden widths [m_1, ..., m_{L-1}], empty for one layer.
        loss_name: 'mse', 'cross' or 'cosh'.
        residual_rank: w = rank(sum_i (dl/df)_i x_i^T), if it is not that of residuals in general position.

    Returns:
        HessianTriple of ints.

    Raises:
        TypeError: for anything but integers.
        ValueError: for an integer out of its range, or another loss.

    Example:
        The paper's network, widths 25-5-10-10:

        >>> from closed_forms import linear_ranks
        >>> linear_ranks(r=25, classes=10, units=[5, 10])
        HessianTriple(functional=175, outer=150, loss=250)
    """
    symbols = _symbols(r, classes, units, loss_name)
    return HessianTriple(
        functional=functional_rank(*symbols, residual_rank),
        outer=outer_rank(*symbols),
        loss=loss_rank(*symbols, residual_rank),
    )


def layer_ranks(r, classes, units, loss_name="mse"):
    """Return the ranks of the diagonal blocks of H_o, layer by layer, for a linear network without biases.

        rank(W_L .. W_{l+1}) rank(W_{l-1} .. W_1 X) = min(m_l, ..., m_{L-1}, K) min(r, m_1, ..., m_{l-1})

    The block is the Kronecker product of (W_L .. W_{l+1})^T (W_L .. W_{l+1}) and the covariance of W_{l-1} .. W_1 x.
    The second form is for weights in general position. The blocks of H_f are zero, and those of H_L are those of H_o.
    The arguments are those of `linear_ranks`, and the result is a list of ints.

    Example:
        >>> from closed_forms import layer_ranks
        >>> layer_ranks(r=25, classes=10, units=[5, 10])
        [125, 50, 50]
    """
    r, outputs, units = _symbols(r, classes, units, loss_name)
    before = itertools.accumulate([r, *units], min)
    after = list(itertools.accumulate([outputs, *units[::-1]], min))[::-1]
    return [one * other for one, other in zip(before, after, strict=True)]


def biased_ranks(r, classes, units, loss_name="mse", residual_rank=None, balanced=False):
    """Return the three ranks of a linear network with a bias in every layer.

    Here r is the rank of the *centred* covariance, and q = min(r, K, m_1, ..., m_{L-1}) as before. The other symbols:

        rho = sum_i (dl/df)_i,  the sum of the residuals
        Omega_c = sum_i (dl/df)_i (x_i - mean)^T,  their moment with the centred inputs
        w = rank [Omega_c, rho],  min(r + 1, K) in general
        h = min(w - 1, m_1, ..., m_{L-1})

    For L >= 2 and rho != 0

        rank(H_o) = K + q (r + K - q)
        rank(H_f) = 2 (1 + h) M + 2 h w - L h (h + 1) - c
        rank(H_L) = rank(H_o) + 2 (1 + h) M - (L - 1) h (h + 1) - c

    where c = 2 sum_{l < j} (m_l - h) if j is the last hidden layer of width h, and c = 0 if none has width h. Only c
    depends on the order of the widths.

    Residuals are balanced if rho = 0, as after training the last bias. Then w = rank(Omega_c). The rank of H_f is the
    same as without biases, and that of H_L is K more than without.

    The last bias adds a free vector to the output: hence the centred data and the K. Shifting the hidden units is a
    linear change of parameters that leaves the network as it is, so that the biases' values do not matter. H_f then has
    two parts. One is the product of the biases with rho^T W_L .. W_{k+1} dW_k, of rank 2 M. The other is the form
    without biases on the dW_k orthogonal to that. It belongs to a network narrower by one in every layer, where the
    same happens again.

    The ranks are equalities for weights, data and residuals in general position, given r, w and rho. The paper does not
    have them in this form.

    Args:
        r: rank of sum_i (x_i - mean)(x_i - mean)^T.
        classes, units, loss_name: as in `linear_ranks`.
        residual_rank: w, if it is not that of residuals in general position: at least 1, or 0 if they are balanced.
        balanced: whether the residuals add up to zero.

    Returns:
        HessianTriple of ints.

    Raises:
        TypeError, ValueError: as in `linear_ranks`.

    Example:
        The order of the widths matters: 3-4-1-3 and 3-1-4-3 have different ranks.

        >>> from closed_forms import biased_ranks
        >>> biased_ranks(r=3, classes=3, units=[4, 1])
        HessianTriple(functional=14, outer=8, loss=18)
        >>> biased_ranks(r=3, classes=3, units=[1, 4])
        HessianTriple(functional=20, outer=8, loss=24)
    """
    r, outputs, units = symbols = _symbols(r, classes, units, loss_name)
    outer = outputs + outer_rank(*symbols)
    if checks.boolean("balanced", balanced):
        return HessianTriple(
            functional=functional_rank(*symbols, residual_rank),
            outer=outer,
            loss=outputs + loss_rank(*symbols, residual_rank),
        )
    w = _residual_rank(residual_rank, min(r + 1, outputs), least=1)
    if not units:
        return HessianTriple(0, outer, outer)
    total, layers, h = sum(units), len(units) + 1, min(w - 1, *units)
    last = max((j for j, width in enumerate(units) if width == h), default=0)
    coupled = 2 * (1 + h) * total - 2 * sum(width - h for width in units[:last])
    functional = coupled + 2 * h * w - layers * h * (h + 1)
    return HessianTriple(functional, outer, outer + coupled - (layers - 1) * h * (h + 1))


def critical_ranks(r, classes, units, loss_name="mse", residual_rank=None, bias=False):
    """Return the three ranks at a critical point of a linear network, a global minimum above all.

        rank(H_f) = 2 q w,    rank(H_L) = rank(H_o) = q (r + K - q)        (K more with a bias in every layer)

    At a global minimum of the squared loss w = s - q. So H_f = 0 there if no hidden layer is narrower than s.

    The gradients in W_1 and W_L vanish. So the products W_L .. W_2 and W_{L-1} .. W_1, of rank q, are orthogonal to
    Omega from the left and from the right. Hence w <= s - q, and the cycle of `functional_rank` has no loops. It falls
    into open strings: w of Omega and q of W. Each string of Omega meets each of W twice.

    At a minimum H_L is positive and vanishes along the set of minima, whose dimension is p - rank(H_o). At a saddle
    2 q w + dim J(kernel of H_f) gives the same.

    The ranks are equalities if the weights have full rank and are otherwise in general position, and Omega too where it
    is not zero. Training approaches these ranks only in the limit, by eigenvalues that fade.

    Args:
        r: rank of the data covariance, of the centred one with biases.
        classes, units, loss_name: as in `linear_ranks`.
        residual_rank: w = rank(Omega), from 0 to s - q. The default is s - q.
        bias: whether every layer has a bias.

    Returns:
        HessianTriple of ints.

    Raises:
        TypeError, ValueError: as in `linear_ranks`.

    Example:
        The paper's network at a global minimum, and one whose hidden layers are as wide as the output:

        >>> from closed_forms import critical_ranks
        >>> critical_ranks(r=25, classes=10, units=[5, 10])
        HessianTriple(functional=50, outer=150, loss=150)
        >>> critical_ranks(r=25, classes=10, units=[10, 10])
        HessianTriple(functional=0, outer=250, loss=250)
    """
    r, outputs, units = symbols = _symbols(r, classes, units, loss_name)
    q = min(r, outputs, *units)
    outer = outer_rank(*symbols) + (outputs if checks.boolean("bias", bias) else 0)
    return HessianTriple(2 * q * _residual_rank(residual_rank, min(r, outputs) - q) if units else 0, outer, outer)


def flag_rank(inner, outer):
    """Return rank(H_o) = sum_l a_{l-1} (c_l - c_{l-1}), an equality for any weights whatsoever, rank-deficient or zero.

    The derivative of f is sum_l W_L .. W_{l+1} dW_l W_{l-1} .. W_1 x. As l grows, the row spaces of the products on the
    right shrink and the column spaces of those on the left grow. So its image is a sum of tensor products of nested
    spaces (flags).

    For H_f and H_L of rank-deficient weights, `linear_ranks` gives upper bounds, with q from the widths. With q from
    the weights' ranks they would be none: W_1 = W_2 = 0 has q = 0 and rank(H_f) = 2 m_1 s.

    Args:
        inner: [a_0, ..., a_{L-1}], a_l = rank(W_l .. W_1 X), where a_0 = r is the rank of the data. With a bias in
            every layer X is the centred data, and K is to be added to the result.
        outer: [c_1, ..., c_L], c_l = rank(W_L .. W_{l+1}), where c_L = K, and c_0 stands for 0. For the cross-entropy
            the products have I - 11^T / K on their left, so that c_L = K - 1.

    Example:
        Widths 25-5-10-10 with weights of full rank, and with W_1 = 0:

        >>> from closed_forms import flag_rank
        >>> flag_rank(inner=[25, 5, 5], outer=[5, 10, 10])
        150
        >>> flag_rank(inner=[25, 0, 0], outer=[5, 10, 10])
        125
    """
    return sum(a * (c - before) for a, c, before in zip(inner, outer, [0, *outer[:-1]], strict=True))


def _symbols(r, classes, units, loss_name):
    units = [checks.integer("a hidden width", width) for width in checks.sequence("units", units)]
    return checks.integer("r", r, minimum=0), effective_outputs(classes, loss_name), units


def _residual_rank(value, largest, least=0):
    w = largest if value is None else checks.integer("residual_rank", value, minimum=least)
    if w > largest:
        raise ValueError(f"residual_rank must be at most {largest} for these ranks of data and outputs, got {w}")
    return w
