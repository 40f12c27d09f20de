"""Closed forms for linear convolutional networks of stride 1 without biases (`architectures.convolutional`).

A dense head counts as layer L: its kernel covers all positions that are left, and K takes the place of its channels.
Symbols:

    c_l, |k_l|  channels and taps of layer l           D(m, l)  taps of layers m + 1, ..., l merged (`kernel_chains`)
    p_l         c_{l-1} c_l |k_l|, its parameters      p_conv   those before the head
    d           positions of the inputs                r        rank of the flattened inputs; *full* data have c_0 d
    t_l         rank(H_o) of layers 1, ..., l - 1 by themselves on full data, t_1 = 0
    in_l        min of c_m D(m, l) over m < l

The sources are the derivations in the docstrings, and exact arithmetic, which judges all of it (tests/closed_forms). S.
P. Singh, T. Hofmann and B. Schoelkopf (The Hessian perspective into the nature of convolutional neural networks, ICML
2023) observed that the ranks grow like the square root of the number of parameters.
"""

import math

import checks
from closed_forms.kernel_chains import Layers, chain, equal_parts, is_regular, parameters, part, taps
from closed_forms.known import at_most, known
from closed_forms.linear import effective_outputs
from networks.convolutions import PADDINGS, layer_sizes, positions


def convolutional_ranks(shape, channels, kernels, classes=None, r=None, padding="VALID", loss_name="mse"):
    """Return the three ranks of a linear convolutional network, as equalities where these are known.

    **Equalities:**

    * rank(H_o) = C, the chain formula of `kernel_chains`, for VALID sequences and full data.
    * rank(H_f) = 2 c_1 min(c_0 |k_1|, min(r, K) |k_2|) for one VALID layer and a head, on sequences and images: each of
      the c_1 channels has the same block Hankel matrix. Without a head, for two layers and full data, c_2 takes the
      place of min(r, K).
    * rank(H_f) = 2 p_conv - sum_{l <= L-2} c_l^2 for a head that dominates, on VALID sequences, where nothing
      saturates. A head *dominates* if c_0 <= c_1 <= .. <= c_{L-1}, no layer has one tap, and
      min(r, K) (|k_L| - 1) >= c_0 (D(0, L-1) + 1). In words: it has more outputs times positions than the other layers
      have channels times taps. Nothing *saturates* if rho_l = p_l below, and if C for layers 1, ..., L-1 keeps them
      all.
    * rank(H_L) = rho_1 + .. + rho_L for a head that dominates, on VALID sequences and full data. Layer l is seen from
      the outputs through c_l in_l dimensions and from the inputs through t_l, less their overlap b_l:
      rho_l = min(p_l, t_l + c_l in_l - b_l), with b_l = c_0^2 if in_l = c_0 D(0, l), and b_l = t_{m+1} if it is
      c_m D(m, l). (A layer behind a narrow one loses a little more, see the code.)
    * rank(H_f) = t_L + rho_1 + .. + rho_{L-1} for a head that dominates, on CIRCULAR sequences with D(0, L-1) <= d and
      full data.

    The last three hold if no syzygies take a dimension away from the chain formula of layers 1, ..., L-1
    (`kernel_chains.is_regular`). With channels 1, 2, 2, 3, 5 and kernels 2, 5, 3, 2, they do, and H_L falls by two
    more.

    **Bounds**, in all other cases: C for sequences and images, with the rank of the patches for data of rank r; the
    last two forms for a head that dominates; and for all networks

        rank(H_o) <= q (r + K d_L - q),  q = min(r, K d_L, c_l d_l)         unrolled, with d_l positions in layer l
        rank(H_f) <= p_conv + min(p_conv, t_L, p_L)                         the head sees t_L dimensions
        rank(H_f) <= 2 (p - p_l)                                            the block of each layer is zero
        rank(H_L) <= p_conv + min(p_L, t_L + K min(r, c_l d_l))

    Args:
        shape: (w, c_0) of sequences, or (h, w, c_0) of images.
        channels, kernels, classes, padding: as in `architectures.convolutional`.
        r: rank of the flattened inputs, by default that of full data.
        loss_name: 'mse', 'cross' or 'cosh'. For 'cross', one less takes the place of K, or of c_L without a head.

    Returns:
        KnownRanks.

    Raises:
        TypeError, ValueError: for anything but integers in their range, an unknown padding or loss, or kernels longer
            than what they are laid over.

    Example:
        >>> from closed_forms import convolutional_ranks
        >>> convolutional_ranks((7, 7, 1), [4, 4], [(3, 3), (3, 3)], classes=10).ranks
        HessianTriple(functional=271, outer=444, loss=531)
        >>> convolutional_ranks((16, 2), [3, 3], [3, 2], classes=5)
        KnownRanks(ranks=HessianTriple(functional=60, outer=160, loss=216),
                   equal=HessianTriple(functional=False, outer=True, loss=True))
    """
    layers, units = layers_of(shape, channels, kernels, classes, padding, loss_name)
    full = units[0]
    r = full if r is None else at_most("r", checks.integer("r", r), full, "channels times positions")
    sizes, valid, sequence = parameters(layers), padding == "VALID", len(layers.space) == 1
    p = sum(sizes)

    q = min(r, *units)
    outer = min(p, q * (r + units[-1] - q))
    if _has_chain(layers):
        outer = min(outer, chain(layers, r))
    functional = min(p, 2 * (p - max(sizes)))
    loss = min(p, outer + functional)
    equal = [len(sizes) == 1, valid and sequence and r == full, False]

    if layers.has_head:
        rest = p - sizes[-1]
        convolutions = part(layers, 0, len(sizes) - 1, padding)
        seen = min(rest, chain(convolutions)) if len(sizes) > 1 and _has_chain(convolutions) else rest
        functional = min(functional, rest + min(rest, seen, sizes[-1]))
        loss = min(loss, rest + min(sizes[-1], seen + units[-1] * min(r, *units[1:-1])))
    if len(sizes) == 2 and valid and (layers.has_head or r == full):
        s = min(r, units[-1]) if layers.has_head else layers.channels[-1]
        functional = 2 * layers.channels[1] * min(sizes[0] // layers.channels[1], s * math.prod(layers.kernels[1]))
        equal[0] = True
    if dominates(layers, min(r, units[-1])):
        functional, loss, exact = _with_dominant_head(layers, r, full, functional, loss)
        equal = [equal[0] or exact[0], equal[1], exact[1]]
    loss = min(loss, outer + functional)
    return known(functional, outer, loss, tuple(equal))


def _with_dominant_head(layers, r, full, functional, loss):
    """Return the forms for H_f and H_L, no larger than the bounds given, and whether they are equalities."""
    sizes, depth, sequence = parameters(layers), len(layers.kernels), len(layers.space) == 1
    regular = is_regular(part(layers, 0, depth - 1))
    seen, rho = layer_terms(layers, r, full)
    c = layers.channels
    narrow = rho[:-1] == sizes[:-1] and seen == sum(sizes[:-1]) - sum(width**2 for width in c[1 : depth - 1])
    functional, loss = min(functional, seen + sum(rho[:-1])), min(loss, sum(rho))
    if layers.padding == "CIRCULAR":
        return functional, loss, (r == full and regular, False)
    return functional, loss, (sequence and regular and narrow, sequence and regular and r == full)


def layer_terms(layers, r, full):
    """Return t_L and [rho_1, ..., rho_L] of a network with a head that dominates, as in `convolutional_ranks`.

    Args:
        layers: Layers, as `layers_of` returns them.
        r: rank of the flattened inputs.
        full: that of full data.
    """
    sizes, depth, sequence = parameters(layers), len(layers.kernels), len(layers.space) == 1
    seen = [0, *(chain(part(layers, 0, count)) for count in range(1, depth))]  # t_1, ..., t_L
    rho = [_layer_rank(layers, end, seen[end - 1], sequence) for end in range(1, depth)]
    c = layers.channels
    if layers.padding == "CIRCULAR":
        around, w = math.prod(layers.space), min(c[:depth])
        lost = [c[0] ** 2, c[0] * around * (w - c[depth - 1]) + seen[-1]]
        lost += [seen[m] for m in range(depth) if c[m] == w]
        return seen[-1], [*rho, min(sizes[-1], seen[-1] + c[-1] * w * around - max(lost))]
    last = _layer_rank(layers, depth, seen[-1], sequence)
    if r < full and r <= min(c[m] * taps(layers, m, depth) for m in range(depth)):
        last = min(last, seen[-1] + c[-1] * r - 1)
    return seen[-1], [*rho, last]


def _layer_rank(layers, end, seen, sequence):
    """Return rho_l, the rank of the rows of layer l, or a bound for it.

    A layer m can be narrower than layer l - 1, while layers m + 1, ..., l - 1 represent all maps that they can. The
    merged kernel of these has left syzygies then, of degrees nu_j that are as equal as can be. Variations of layer l
    that are combinations of them change nothing, and the outputs see those alone that the other conditions leave.
    """
    c, size = layers.channels, parameters(layers)[end - 1]
    if end == 1:
        return size
    reach = [c[m] * taps(layers, m, end) for m in range(end)]
    overlaps = [chain(part(layers, 0, m)) if m else c[0] ** 2 for m in range(end) if reach[m] == min(reach)]
    found = min(size, seen + c[end] * min(reach) - max(overlaps))
    if not sequence:
        return found
    for m in range(end - 1):
        length, parts = taps(layers, m, end - 1), c[end - 1] - c[m]
        everything = c[m] * c[end - 1] * length
        if parts > 0 and chain(part(layers, m, end - 1)) == everything:
            own = layers.kernels[end - 1][0]
            degrees = equal_parts(c[m] * (length - 1), parts)
            missed = [max(0, c[end] * (own - nu) - c[m] * (length + nu)) for nu in degrees if nu < own]
            found = min(found, size - sum(missed))
    return found


def _has_chain(layers):
    """Return whether the chain formula is known to be a bound."""
    if layers.padding != "SAME":
        return layers.padding == "VALID" or len(layers.space) == 1
    convolutions = [kernel[0] for kernel in layers.kernels[: len(layers.kernels) - layers.has_head]]
    odd = all(k % 2 for k in convolutions)
    return len(layers.space) == 1 and odd and layers.space[0] > sum(k // 2 for k in convolutions)


def dominates(layers, s):
    """Return whether the head dominates. The residuals have the rank s = min(r, K)."""
    depth = len(layers.kernels)
    if not layers.has_head or depth < 2 or layers.padding == "SAME":
        return False
    before = taps(layers._replace(padding="VALID"), 0, depth - 1)
    fits = layers.padding == "VALID" or (len(layers.space) == 1 and before <= math.prod(layers.space))
    grows = list(layers.channels[:depth]) == sorted(layers.channels[:depth])
    enough = s * (math.prod(layers.kernels[-1]) - 1) >= layers.channels[0] * (before + 1)
    return fits and grows and enough and all(math.prod(kernel) > 1 for kernel in layers.kernels)


def layers_of(shape, channels, kernels, classes, padding, loss_name):
    """Return the Layers with what the loss sees of the outputs, and c_l d_l of the inputs and all layers."""
    checks.choice("padding", padding, dict.fromkeys(PADDINGS))
    widths, kernels = layer_sizes(channels, kernels)
    if len(shape) != 1 + len(kernels[0]):
        expected = "(w, c_0)" if len(kernels[0]) == 1 else "(h, w, c_0)"
        raise ValueError(f"shape must be {expected} for these kernels, got {tuple(shape)}")
    *space, first = (checks.integer(f"shape[{i}]", size) for i, size in enumerate(shape))
    widths = [first, *widths]
    spaces = [positions(space, kernels[:end], padding) for end in range(len(kernels) + 1)]
    units = [c * math.prod(each) for c, each in zip(widths, spaces, strict=True)]
    if classes is None:
        lost = 2 - effective_outputs(2, loss_name)
        if widths[-1] <= lost:
            raise ValueError("the cross-entropy needs at least two outputs: two channels in the last layer, got 1")
        widths[-1] -= lost
        units[-1] -= lost * math.prod(spaces[-1])
    else:
        outputs = effective_outputs(classes, loss_name)
        widths, units, kernels = [*widths, outputs], [*units, outputs], [*kernels, spaces[-1]]
    return Layers(tuple(widths), tuple(kernels), tuple(space), padding, classes is not None), units
