"""Closed forms for linear residual networks, f(x) = W_out (I + B_L A_L) .. (I + B_1 A_1) W_in x.

With `architectures.residual`: the blocks have m dimensions, and the branch of block l has the width h_l. A square
branch is one matrix, I + W_l. The sources are the derivations in the docstrings. Exact arithmetic judges all of them
(tests/closed_forms).
"""

import checks
from closed_forms.known import at_most, known
from closed_forms.linear import effective_outputs, linear_ranks
from networks.residual_branches import branch_widths


def residual_ranks(r, classes, branches, width, loss_name="mse"):
    """Return the three ranks of a linear residual network with input and output layers, all equalities.

        rank(H_o) = q (r + K - q),                                            q = min(r, K, m)
        rank(H_f) = that of a plain network + 2 sum_l [q h_l + (m - q) min(h_l, q)]
        rank(H_L) = that of a plain network + the same sum

    The plain network has one hidden layer of width m, and one more for each square branch. The sum runs over the other
    branches.

    A square branch: V = I + W is a linear layer with another origin, which changes no second derivative. If V is
    invertible, a change of basis takes it to the identity. So the ranks are the same at W = 0.

    Other branches: the variations of W_in and W_out alone span the tangent space of the K x r matrices of rank q. So
    the branches add nothing to H_o. In H_f, the variations of A_l and B_l pair with each other along the q loops of the
    cycle W_in, .., W_out, Omega^T (`functional_rank`), which gives 2 q h_l. In the other m - q dimensions, that of B_l
    pairs with W_out and the later branches, and that of A_l with W_in and the earlier ones. They do so through the
    loops alone, with the rank min(h_l, q).

    Args:
        r: rank of the uncentred data covariance.
        classes: number of outputs K of the network.
        branches: [h_1, ..., h_L], None for a square one.
        width: m, the width of the blocks.
        loss_name: 'mse', 'cross' or 'cosh'. For 'cross', K - 1 takes the place of K.

    Returns:
        KnownRanks.

    Raises:
        TypeError, ValueError: for anything but integers in their range, or another loss.

    Example:
        >>> from closed_forms import residual_ranks
        >>> residual_ranks(r=25, classes=10, branches=[3, 3], width=12).ranks
        HessianTriple(functional=384, outer=250, loss=534)
        >>> residual_ranks(r=25, classes=10, branches=[None], width=12) == residual_ranks(25, 10, [None], 12, "cosh")
        True
    """
    m, widths = checks.integer("width", width), branch_widths(branches)
    plain = linear_ranks(r, classes, [m] * (1 + widths.count(None)), loss_name)
    q = min(r, effective_outputs(classes, loss_name), m)
    more = sum(2 * (q * h + (m - q) * min(h, q)) for h in widths if h is not None)
    return known(plain.functional + more, plain.outer, plain.loss + more)


def residual_ranks_without_layers(r, dim, branches):
    """Return the three ranks of blocks alone, f(x) = (I + B_L A_L) .. (I + B_1 A_1) x, with K = d outputs.

        rank(H_o) = g (r + d - g),                                         g = min(h_1 + .. + h_L, r)
        rank(H_f) = 2 L h r + 2 (L - 1) (d - r) min(h, r)                  for equal h_l = h
        rank(H_L) = rank(H_f) + (d - r) min(h, r)

    If the h_l differ, H_f and H_L depend on their order. No closed form is known, and those of the widest branch are
    bounds: a narrow branch is a wide one with some weights held at zero. If all branches are square, the network is a
    plain one with layers of width d.

    H_o: the row spaces of A_l V_{l-1} .. V_1 X add up to g dimensions, V_l = I + B_l A_l, and so do the column spaces
    of V_L .. V_{l+1} B_l. The image of the derivative is the tangent space of the matrices of rank g. H_f: the
    residuals' moment has the form E F^T of rank r. Along F, the variations of B_l pair with those of A_l along E. The
    other d - r dimensions meet the other blocks only, in a strictly triangular array of L - 1 block rows of rank min(h,
    r).

    Args:
        r: rank of the uncentred data covariance, at most d.
        dim: number of inputs and outputs d.
        branches: [h_1, ..., h_L], None for a square one.

    Returns:
        KnownRanks, for the squared loss and any other whose Hessian in the outputs has full rank.

    Raises:
        TypeError, ValueError: for anything but integers in their range, or square branches among others.

    Example:
        >>> from closed_forms import residual_ranks_without_layers
        >>> residual_ranks_without_layers(r=3, dim=5, branches=[1, 1])
        KnownRanks(ranks=HessianTriple(functional=16, outer=12, loss=18),
                   equal=HessianTriple(functional=True, outer=True, loss=True))
        >>> residual_ranks_without_layers(r=3, dim=5, branches=[1, 2]).equal
        HessianTriple(functional=False, outer=True, loss=False)
    """
    d, widths = checks.integer("dim", dim), branch_widths(branches)
    r = at_most("r", checks.integer("r", r, minimum=0), d, "dim")
    if None in widths:
        if any(h is not None for h in widths):
            raise ValueError(
                f"no closed form is known for square branches among others without input and output layers, got "
                f"branches={branches}; exact.exact_ranks gives the ranks"
            )
        return known(*linear_ranks(r, d, [d] * (len(widths) - 1)))
    layers, h, g = len(widths), max(widths), min(sum(widths), r)
    functional = 2 * layers * h * r + 2 * (layers - 1) * (d - r) * min(h, r)
    all_equal = len(set(widths)) == 1
    size = 2 * d * sum(widths)
    ranks = functional, functional + (d - r) * min(h, r)
    functional, loss = ranks if all_equal else (min(rank, size) for rank in ranks)
    return known(functional, g * (r + d - g), loss, (all_equal, True, all_equal))
