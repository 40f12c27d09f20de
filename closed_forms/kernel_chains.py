"""The chain formula: how many dimensions the set of functions of a linear convolutional network has.

Layers l = 1, ..., L have channels c_l, from c_0 of the inputs on, and kernels of |k_l| taps. A dense head is a
convolution, too: its kernel covers all positions that are left, and the outputs K take the place of its channels. D(m,
l) are the taps of layers m + 1, ..., l merged into one kernel:

    VALID      1 + sum (k - 1)  along each axis
    CIRCULAR   the same, but at most the length of the axis
    SAME       1 + 2 sum h + (sum h)^2 - sum h^2 for k = 2 h + 1, since the borders see other kernels than the middle
    head       all positions, where there is padding

Some hidden layers S are kept, and the runs of layers between them merged. Widths that a block of merged layers cannot
fill are cut until c_s <= c_prev D_prev and c_s <= c_next D_next. These widths are e. Then

    C = min over S of   sum over blocks of e_a e_b D(a, b)  -  sum over kept layers of e_s^2

A block of merged layers is a matrix of e_b rows and e_a D(a, b) columns, and of e_a rows and e_b D(a, b) columns. A
hidden layer of it can limit the rank of the first to g = c_l D(l, b), and of the second to g = c_l D(a, l). Then the
dimension of the matrices of rank g takes the place of e_a e_b D(a, b). On sequences, a hidden layer with
e_a < c_l < e_b, or the other way round, can take some more dimensions away, on account of syzygies (`_missing`).

Merging can only enlarge the set of functions. A kept layer loses the e_s^2 changes of basis of its channels. If both
blocks beside it reach all the way around, it loses d e_s^2, one change of basis for each frequency, and has the smaller
of the widths beside it.
"""

import itertools
import math
from typing import NamedTuple

_MOST_RAISED = 7  # layers up to which every block of a circular network is also tried as one that reaches around


class Layers(NamedTuple):
    """The layers of a linear convolutional network, the head among them."""

    channels: tuple  # (c_0, ..., c_L)
    kernels: tuple  # of tuples: the taps of layers 1, ..., L along each axis
    space: tuple  # positions of the inputs along each axis
    padding: str  # 'VALID', 'SAME' or 'CIRCULAR'
    has_head: bool


def parameters(layers):
    """Return [p_1, ..., p_L], p_l = c_{l-1} c_l |k_l|."""
    pairs = itertools.pairwise(layers.channels)
    return [a * b * math.prod(kernel) for (a, b), kernel in zip(pairs, layers.kernels, strict=True)]


def taps(layers, m, end):
    """Return D(m, l)."""
    if layers.padding != "VALID" and layers.has_head and end == len(layers.kernels):
        return math.prod(layers.space)
    kernels = layers.kernels[m:end]
    return math.prod(_merged(size, axis, layers.padding) for size, *axis in zip(layers.space, *kernels, strict=True))


def part(layers, m, end, padding="VALID"):
    """Return layers m + 1, ..., l alone, as a network without a head on long inputs."""
    channels, kernels = layers.channels[m : end + 1], layers.kernels[m:end]
    return layers._replace(channels=channels, kernels=kernels, padding=padding, has_head=False)


def chain(layers, r=None, syzygies=True):
    """Return C, an upper bound for rank(H_o).

    Args:
        layers: Layers.
        r: rank of the flattened inputs, None for full data. In the first block, the rank of the patches that it sees,
            min(c_0 D, r positions), then takes the place of c_0 D. It is used without padding.
        syzygies: whether to subtract the dimensions that are missing for their sake.
    """
    depth, c = len(layers.kernels), layers.channels
    blocks = {pair: taps(layers, *pair) for pair in itertools.combinations(range(depth + 1), 2)}
    around = math.prod(layers.space) if layers.padding == "CIRCULAR" else None
    syzygies = syzygies and len(layers.space) == 1 and layers.padding == "VALID"
    best = math.inf
    for count in range(depth):
        for kept in itertools.combinations(range(1, depth), count):
            places = (0, *kept, depth)
            ends = list(itertools.pairwise(places))
            lengths = [blocks[pair] for pair in ends]
            hidden = [[(c[i], blocks[a, i], blocks[i, b]) for i in range(a + 1, b)] for a, b in ends]
            hidden = [[] for _ in ends] if layers.padding == "SAME" else hidden  # its D does not count shifts
            choices = [lengths]
            if around and depth <= _MOST_RAISED:
                choices = itertools.product(*({length, around} for length in lengths))
            widths = [c[place] for place in places]
            for chosen in choices:
                start = widths[0] * chosen[0] if around else _patches(layers, lengths[0], ends[0][1], r)
                best = min(best, _dimension(widths, chosen, start, around, hidden, syzygies))
    return best


def is_regular(layers):
    """Return whether no syzygies take a dimension away from C."""
    return chain(layers) == chain(layers, syzygies=False)


def _dimension(widths, lengths, start, around, hidden, syzygies):
    """Return the dimension for one choice of kept layers, with their widths cut.

    Args:
        widths: those of the inputs, of the kept layers and of the outputs.
        lengths: D of the blocks between them.
        start: what the first block can see, c_0 D or the rank of its patches.
        around: positions of a circular network, or None.
        hidden: for each block, the triples c_l, D(a, l), D(l, b) of its hidden layers.
        syzygies: as in `chain`.
    """
    e, before = list(widths), None
    while e != before:
        before = list(e)
        for s in range(1, len(e) - 1):
            left = start if s == 1 else e[s - 1] * lengths[s - 1]
            shown = [width * after for width, _, after in hidden[s - 1]]
            used = [width * ahead for width, ahead, _ in hidden[s]]
            e[s] = min(e[s], left, e[s + 1] * lengths[s], *shown, *used)
            if lengths[s - 1] == lengths[s] == around:
                e[s] = min(e[s], e[s - 1], e[s + 1])
    sides = [start, *(a * D for a, D in zip(e[1:], lengths[1:], strict=False))]
    blocks = zip(e, e[1:], lengths, sides, hidden, strict=False)
    size = sum(_block(*block, syzygies) for block in blocks)
    neighbours = zip(e[1:-1], lengths, lengths[1:], strict=False)
    return size - sum(width**2 * (around if one == two == around else 1) for width, one, two in neighbours)


def _block(a, b, length, seen, hidden, syzygies):
    """Return the dimension of a block of merged layers from a channels to b, a set of matrices of bounded rank."""
    sizes = [b * seen]
    for width, before, after in hidden:
        shown, used = width * after, width * before
        if shown < min(b, seen):
            sizes.append(shown * (b + seen - shown))
        if used < min(a, b * length):
            sizes.append(used * (a + b * length - used))
        if syzygies and seen == a * length and (a < width < b or a > width > b):
            chosen = (a, width, b, before, after) if a < b else (b, width, a, after, before)
            sizes.append(b * seen - _missing(*chosen))
    return min(sizes)


def _missing(a, c, b, before, after):
    """Return how many dimensions a block from a channels to b cannot fill behind a hidden layer of c, a < c < b.

    The c rows of polynomials before the layer have c - a syzygies, of degrees nu_j. The b rows behind it are killed by
    b - c others, of degrees mu_i. Both are as equal as can be in general. The cokernel of the product is an extension
    of bundles over the projective line, one with the degrees nu_j - (after - 1) and one with mu_i. Maps of b rows and a
    columns without a hidden layer have more dimensions, by the first cohomology of the homomorphisms from one to the
    other.
    """
    nu = equal_parts(a * (before - 1), c - a)
    mu = equal_parts(c * (after - 1), b - c)
    return sum(max(0, one - after - other) for one in nu for other in mu)


def equal_parts(total, parts):
    """Return integers that are as equal as can be and add up to the total.

    Example:
        >>> from closed_forms.kernel_chains import equal_parts
        >>> equal_parts(7, 3)
        [3, 2, 2]
    """
    return [total // parts + (place < total % parts) for place in range(parts)]


def _patches(layers, length, end, r):
    """Return the rank of the patches that the first `end` layers see, at most c_0 D."""
    most = layers.channels[0] * length
    if r is None or layers.padding != "VALID":
        return most
    sizes = zip(layers.space, *layers.kernels[:end], strict=True)
    return min(most, r * math.prod(size - _merged(size, axis, "VALID") + 1 for size, *axis in sizes))


def _merged(size, kernels, padding):
    """Return the taps of layers merged into one kernel along one axis."""
    total = 1 + sum(k - 1 for k in kernels)
    if padding == "CIRCULAR":
        return min(size, total)
    if padding == "SAME":
        halves = [(k - 1) // 2 for k in kernels]
        return total + sum(halves) ** 2 - sum(h**2 for h in halves)
    return total
