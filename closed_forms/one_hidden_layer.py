"""Closed forms for networks with one hidden layer of any activation, f_k(x) = sum_j v_kj sigma(w_j . x).

H_f is block diagonal over the hidden units, for any data. The block of unit j, in its weights w_j and v_j, is

    H_j = [[ N_j, C_j ], [ C_j^T, 0 ]]
    C_j = sum_i sigma'(z_ij) x_i R_i^T,    N_j = sum_i (v_j . R_i) sigma''(z_ij) x_i x_i^T

where z_ij = w_j . x_i, and R_i is the gradient of the loss in the outputs of sample i. C_j has r rows and the rank
min(r, K). If N_j has full rank on what C_j does not see, the block has the rank r + min(r, K). If sigma'' = 0 it has
2 min(r, K). (We call sigma *curved* if sigma'' is not zero.) With biases, a column of ones is one more input, which
makes r one larger.

The sources are this derivation and those named in the docstrings. Exact arithmetic judges the closed forms.
"""

import math

import checks
from closed_forms.known import at_most, known
from closed_forms.linear import effective_outputs

CURVED = "tanh", "sigmoid", "gelu"  # analytic, so that sigma'' vanishes nowhere but at single points
KINKED = "relu", "leaky_relu"  # linear on both sides of zero

# Sums of m powers of degree a in d variables that span one dimension less than expected: J. Alexander and A.
# Hirschowitz, Polynomial interpolation in several variables, J. Algebraic Geometry 4 (1995).
ALEXANDER_HIRSCHOWITZ = {(3, 5, 7), (4, 3, 5), (4, 4, 9), (4, 5, 14)}  # (a, d, m)

# The same for K quadratic forms with common squares (Segre-Veronese varieties), found by a scan of all d = 2..5,
# K = 2..7, m <= 12, of up to 120 parameters. The first of them is also in H. Abo and M. C. Brambilla, New examples of
# defective secant varieties of Segre-Veronese varieties, Collect. Math. 63 (2012).
SEGRE_VERONESE = {(4, 3, 5), (4, 5, 6)}  # (d, K, m)


def one_hidden_layer_ranks(r, classes, width, activation, samples, active=None, bias=False, loss_name="mse"):
    """Return the three ranks of a network with one hidden layer of m units.

    Without biases they are, with p' = m (r + K):

    | activation | rank(H_f) | rank(H_o) | rank(H_L) |
    |---|---|---|---|
    | tanh, sigmoid, gelu | m (r + min(r, K)) | p' for n >= m (r + 1) | p' for n >= m (r + 1), or K <= r |
    | relu | 2 sum_j min(r_j, K) | at most sum_j (r_j + K - 1) | at most sum_j (r_j + K) |
    | leaky_relu | 2 m min(r, K) | at most m (r + K - 1) | at most p' |

    Here r_j is the rank of the inputs on which unit j of relu is active, and the sums run over the units that are
    active somewhere. The "- 1" is the scaling of a unit's v_j against its w_j, which these functions do not see. The
    forms for H_o and H_L of relu are the ranks of most networks with many samples, but not of all. (Two units that are
    always active act like one.)

    With biases, in the hidden and in the output layer, r + 1 takes the place of r. The output biases enter linearly and
    add K to the ranks of H_o and H_L.

    The functions sigma(w_j . x) and sigma'(w_j . x) x_i of an analytic sigma are linearly independent. So m (r + 1)
    samples show all of them, which is the rank of H_o. If K <= r, H_f has the rank p' by itself.

    Args:
        r: rank of the data, of the centred data with biases.
        classes: number of outputs K of the network.
        width: m, the number of hidden units.
        activation: 'tanh', 'sigmoid', 'gelu', 'relu' or 'leaky_relu'.
        samples: n.
        active: for relu, [r_1, ..., r_m]: for each unit, the rank of the inputs on which it is active, with the column
            of ones if there are biases.
        bias: whether both layers have biases.
        loss_name: 'mse', 'cross' or 'cosh'. For 'cross', K - 1 takes the place of K.

    Returns:
        KnownRanks.

    Raises:
        TypeError, ValueError: for anything but integers in their range, an unknown loss, an activation without a closed
            form, or ranks of active inputs that are missing for relu or given for another function.

    Example:
        >>> from closed_forms import one_hidden_layer_ranks
        >>> one_hidden_layer_ranks(r=25, classes=10, width=6, activation="tanh", samples=200).ranks
        HessianTriple(functional=210, outer=210, loss=210)
        >>> one_hidden_layer_ranks(r=25, classes=10, width=2, activation="relu", samples=50, active=[25, 3]).ranks
        HessianTriple(functional=26, outer=46, loss=48)
    """
    m, n = checks.integer("width", width), checks.integer("samples", samples)
    K, bias = effective_outputs(classes, loss_name), checks.boolean("bias", bias)
    rows = at_most("r", checks.integer("r", r, minimum=0), n - bias, "samples" + " - 1" * bias) + bias
    checks.choice("activation", activation, dict.fromkeys((*CURVED, *KINKED)))
    if (active is not None) != (activation == "relu"):
        raise ValueError(
            f"active, the ranks of the inputs on which each unit is active, must be given for relu and for no other "
            f"activation; got {activation} and active={active}"
        )
    more = K if bias else 0
    if activation in CURVED:
        many = n >= m * (rows + 1) + bias
        size, functional = m * (rows + K), m * (rows + min(rows, K))
        return known(
            functional,
            min(size + more, n * K),
            size + more,
            (True, many, many or (rows >= K and not bias)),
        )
    ranks = [rows] * m if active is None else _active(active, m, rows)
    seen = [rank for rank in ranks if rank]
    outer = sum(rank + K - 1 for rank in seen) + more
    return known(
        2 * sum(min(rank, K) for rank in seen),
        min(outer, n * K),
        sum(rank + K for rank in seen) + more,
        (True, False, False),
    )


def polynomial_ranks(r, classes, width, degree, samples, loss_name="mse"):
    """Return the three ranks of f_k(x) = sum_j v_kj (w_j . x)^a without biases, for a degree a >= 2.

        rank(H_f) = m (r + min(r, K))
        rank(H_o) = min(m r, D) for K = 1,    D = (r + a - 1)! / ((r - 1)! a!),  the number of monomials of degree a
        rank(H_L) = m (r + K) if K <= r

    For n >= D samples, rank(H_o) is the dimension of the set of all f, sums of m powers of linear forms. The theorem of
    Alexander and Hirschowitz (1995) is that this is min(m r, D) for K = 1 and a >= 3. There are four exceptions of one
    less, with (a, r, m) = (3, 5, 7), (4, 3, 5), (4, 4, 9) and (4, 5, 14). For a = 2:

        K = 1:        q r - q (q - 1) / 2,  q = min(m, r)                                symmetric matrices of rank q
        1 < K < m:    min(K D, m (K + r - 1)),  but one less for (r, K, m) = (4, 3, 5) and (4, 5, 6)
        K >= m:       m K + m min(r - 1, D - m)  for m <= D,  and K D for m > D

    The second line is an equality for r <= 5, K <= 7 and m <= 12, where all cases were tried, and a bound elsewhere. So
    are min(K D, m (K + r - 1)) for K > 1 and a >= 3, and all ranks of H_o for fewer samples. rank(H_L) <= m (r + K) for
    K > r.

    Args:
        r: rank of the uncentred data covariance.
        classes, width, samples, loss_name: as in `one_hidden_layer_ranks`.
        degree: a.

    Returns:
        KnownRanks.

    Raises:
        TypeError, ValueError: for anything but integers in their range, a degree below 2, or an unknown loss.

    Example:
        Seven cubes of linear forms in five variables do not fill the space of all 35 monomials, though 7 x 5 = 35:

        >>> from closed_forms import polynomial_ranks
        >>> polynomial_ranks(r=5, classes=1, width=7, degree=3, samples=40).ranks.outer
        34
    """
    m, n, a = (checks.integer(*each) for each in (("width", width), ("samples", samples), ("degree", degree, 2)))
    r = at_most("r", checks.integer("r", r), n, "samples")
    K = effective_outputs(classes, loss_name)
    D = math.comb(r + a - 1, a)
    outer, is_equal = _dimension(r, K, m, a, D)
    size = m * (r + K)
    return known(m * (r + min(r, K)), min(outer, n * K), size, (True, is_equal and n >= D, r >= K))


def _dimension(r, K, m, a, D):
    """Return the dimension of the set of polynomial networks, and whether it is more than a bound."""
    expected = min(K * D, m * (K + r - 1))
    if a == 2 and K == 1:
        q = min(m, r)
        return q * r - q * (q - 1) // 2, True
    if a == 2 and m <= K:
        return (m * K + m * min(r - 1, D - m) if m <= D else K * D), True
    if a == 2:
        return expected - ((r, K, m) in SEGRE_VERONESE), r <= 5 and K <= 7 and m <= 12
    if K == 1:
        return expected - ((a, r, m) in ALEXANDER_HIRSCHOWITZ), True
    return expected, False


def _active(active, m, largest):
    ranks = [checks.integer(f"active[{j}]", rank, minimum=0) for j, rank in enumerate(active)]
    if len(ranks) != m:
        raise ValueError(f"active must have a rank for each of the {m} units, got {len(ranks)}")
    for j, rank in enumerate(ranks):
        at_most(f"active[{j}]", rank, largest, "the rank of all inputs")
    return ranks
