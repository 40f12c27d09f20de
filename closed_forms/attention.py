"""Closed forms for one layer of self-attention, f(X) = sum_h A_h X W_V W_O (`architectures.attention`).

One head of linear attention, f(X) = X W_QK X^T X W_VO, sees its weights through the products W_QK = W_Q W_K^T and
W_VO = W_V W_O. On data of rank r these have the dimensions

    dim QK = kappa (2 r - kappa),  kappa = min(d_k, r)        the r x r matrices of rank kappa
    dim VO = q (r + K - q),  q = min(d_v, r, K)               the r x K matrices of rank q

with d_k and d_v the dimensions of keys and values. Without an output projection K = d_v for each head, and dim VO = r
d_v. With one token per sample only the symmetric part of W_QK counts, and dim QK = c r - c (c - 1) / 2 with c = min(2
d_k, r).

The sources are the derivations in the docstrings. Exact arithmetic judges the closed forms (tests/closed_forms).
"""

import checks
from closed_forms.known import at_most, known
from closed_forms.linear import effective_outputs, linear_ranks


def attention_ranks(
    r, keys, values, tokens, samples, classes=None, heads=1, softmax=False, causal=False, loss_name="mse"
):
    """Return the three ranks of one layer of self-attention.

    For one head of linear attention with an output projection, and many samples, with s = min(r, K):

        rank(H_o) = dim QK + dim VO - 1
        rank(H_f) = 2 d_k r + 2 d_v s + min(q |r - K|, dim QK - 1)
        rank(H_L) = 2 d_k r + 2 d_v s + q |r - K|

    Without an output projection they are dim QK + dim VO - 1, 2 d_k r + min(r d_v, dim QK) and 2 d_k r + r d_v.

    **Outline.** The network sees W_QK and W_VO, but not a factor c in one and 1 / c in the other: hence the "- 1". Let
    H_f be the second derivative of <W_QK, N>, where N is a sum over the samples, bilinear in residuals and W_VO. The
    block of W_Q and W_K is the identity of size d_k, times N in Kronecker's sense. N has full rank r, however few
    outputs there are. The block of W_V and W_O is the identity of size d_v times a matrix of rank s. It leaves q |r -
    K| dimensions that change W_VO. Once W_Q and W_K are eliminated, a form of rank dim QK is left on them, less one for
    the factor c. H_o sees all that H_f misses.

    **Softmax.** Two factors c and 1 / c no longer cancel: "- 1" is missing in both places.

    **Heads.** H_f is block diagonal over the h heads, and has h times the rank. Without an output projection, so have
    H_o and H_L. With it, heads can take one another's part. For linear attention

        rank(H_o) <= min( h (dim QK + dim VO) - h, r K r (r + 1) / 2 )
        rank(H_o) <= g (dim QK + dim VO - g),  g = min(h, dim QK, dim VO),  if d_k >= r and d_v >= s

    The first is an equality for the usual sizes, d_k = d_v = K / h and r = K. The second is for W_QK and W_VO that can
    be any matrices. With a softmax, rank(H_o) = h (dim QK + dim VO). The form of H_L is a bound unless r = K.

    **Many samples.** Let t be the number of tokens of a sample, less one for a causal mask before a softmax. "Many"
    means n >= 2 r - 1, n min(t, r) >= r^2 + r - 1 and n t min(r, K) >= h (dim QK + dim VO). Exact arithmetic found
    these limits. For fewer samples all three are bounds, and rank(H_o) <= n t K. For one linear head without projection
    and without a mask, let t' = min(t, r) and e = min(t', d_k, d_v). Then also

        rank(H_o) <= kappa (r - kappa) + n min(d_k, t') d_v    and    rank(H_o) <= n e (t' + d_v - e)

    One sample alone makes a plain linear network with the hidden widths d_k, r and d_v. So does one token per sample
    before a softmax, with the hidden width h d_v alone.

    A causal mask changes none of the ranks of many samples, if there are two tokens or more.

    Args:
        r: rank of all tokens, of an array (samples times tokens, d).
        keys, values, classes, heads, softmax, causal: as in `architectures.attention`.
        tokens: of a sample.
        samples: n.
        loss_name: 'mse', 'cross' or 'cosh'. For 'cross', K - 1 takes the place of K.

    Returns:
        KnownRanks.

    Raises:
        TypeError, ValueError: for anything but integers in their range, an unknown loss, or the cross-entropy without
            an output projection, for which no form is known.

    Example:
        >>> from closed_forms import attention_ranks
        >>> attention_ranks(r=8, keys=2, values=2, tokens=8, samples=50, classes=10).ranks
        HessianTriple(functional=68, outer=59, loss=68)
        >>> attention_ranks(r=8, keys=2, values=2, tokens=8, samples=2, classes=10).equal
        HessianTriple(functional=False, outer=False, loss=False)
    """
    k, v, heads = (checks.integer(*pair) for pair in (("keys", keys), ("values", values), ("heads", heads)))
    n, T = checks.integer("samples", samples), checks.integer("tokens", tokens)
    r = at_most("r", checks.integer("r", r), n * T, "samples times tokens")
    softmax, causal = checks.boolean("softmax", softmax), checks.boolean("causal", causal)
    K = _outputs(classes, v, loss_name)
    if T == 1 and softmax:
        return known(*_plain(r, heads * v, classes, loss_name, []))
    if n == 1 and heads == 1 and not softmax and not causal:
        return known(*_plain(r, v, classes, loss_name, [k, r]))
    a, b = _dimensions(r, K, k, v, T, classes is not None)
    seen = T - (causal and softmax)
    many = n >= 2 * r - 1 and n * min(seen, r) >= r**2 + r - 1 and n * seen * min(r, K) >= heads * (a + b)
    if classes is None:
        outer = a + b - (not softmax)
        functional, loss = 2 * k * r + min(r * v, a), 2 * k * r + r * v
        if heads == 1 and not softmax and not causal:
            outer = min(outer, _of_few_samples(r, k, v, T, n))
        outer = min(outer, n * T * v)
        return known(*(heads * rank for rank in (functional, outer, loss)), equal=many)
    mu = min(r, K)
    free = min(v, mu) * abs(r - K)  # dimensions of W_VO that its own block of H_f misses
    functional = heads * (2 * k * r + 2 * v * mu + min(free, a - (not softmax)))
    loss = heads * (2 * k * r + 2 * v * mu + free)
    outer, usual = heads * (a + b), heads == 1 or softmax
    if not softmax:
        most = min(heads, a, b)  # the rank of sum_h W_QK (x) W_VO, as a matrix
        outer = most * (a + b - most) if k >= r and v >= mu else outer - heads
        outer = min(outer, r * K * r * (r + 1) // 2)
        usual = usual or (k == v and k * heads == r == K)
    return known(functional, min(outer, n * T * K), loss, (many, many and usual, many and (heads == 1 or r == K)))


def _outputs(classes, v, loss_name):
    """Return K, or what takes its place: v without an output projection."""
    if classes is not None:
        return effective_outputs(classes, loss_name)
    if effective_outputs(2, loss_name) < 2:
        raise ValueError(
            f"no closed form is known for attention without an output projection under the loss {loss_name!r}: name "
            "the classes of a projection; exact.exact_ranks gives the ranks"
        )
    return v


def _plain(r, v, classes, loss_name, units):
    """Return the ranks of a plain linear network that ends with the values, or with the output projection."""
    if classes is None:
        return linear_ranks(r, v, units, loss_name)
    return linear_ranks(r, classes, [*units, v], loss_name)


def _dimensions(r, K, k, v, T, projected):
    """Return dim QK and dim VO."""
    if T == 1:  # the form x^T A x
        c = min(2 * k, r)
        a = c * r - c * (c - 1) // 2
    else:
        a = min(k, r) * (2 * r - min(k, r))
    nu = min(v, r, K)
    return a, nu * (r + K - nu) if projected else r * v


def _of_few_samples(r, k, v, T, n):
    """Return a bound for rank(H_o) of one linear head, from the ranks of single samples."""
    kappa, t = min(k, r), min(T, r)
    e = min(t, k, v)
    return min(n * e * (t + v - e), kappa * (r - kappa) + n * min(k, t) * v)
