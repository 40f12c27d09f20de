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


def part(layers, m, end):
    """Return layers m + 1, ..., l alone, as a network without a head on long inputs."""
    return layers._replace(channels=layers.channels[m : end + 1], kernels=layers.kernels[m:end], has_head=False)


def chain(layers, r=None):
    """Return C, an upper bound for rank(H_o).

    Args:
        layers: Layers.
        r: rank of the flattened inputs, None for full data. In the first block, the rank of the patches that it sees,
            min(c_0 D, r positions), then takes the place of c_0 D. It is used without padding.
    """
    depth = len(layers.kernels)
    blocks = {pair: taps(layers, *pair) for pair in itertools.combinations(range(depth + 1), 2)}
    first = {end: _patches(layers, blocks[0, end], end, r) for end in range(1, depth + 1)}
    around = math.prod(layers.space) if layers.padding == "CIRCULAR" else None
    best = math.inf
    for count in range(depth):
        for kept in itertools.combinations(range(1, depth), count):
            ends = list(itertools.pairwise((0, *kept, depth)))
            lengths = [blocks[pair] for pair in ends]
            choices = [lengths]
            if around and depth <= _MOST_RAISED:
                choices = itertools.product(*({length, around} for length in lengths))
            widths = [layers.channels[place] for place in (0, *kept, depth)]
            for chosen in choices:
                start = first[ends[0][1]] if around is None else widths[0] * chosen[0]
                best = min(best, _dimension(widths, list(chosen), start, around))
    return best


def _dimension(widths, lengths, start, around):
    """Return the dimension for one choice of kept layers, with their widths cut.

    Args:
        widths: those of the inputs, of the kept layers and of the outputs.
        lengths: D of the blocks between them.
        start: what the first block can see, c_0 D or the rank of its patches.
        around: positions of a circular network, or None.
    """
    e, before = list(widths), None
    while e != before:
        before = list(e)
        for s in range(1, len(e) - 1):
            left = start if s == 1 else e[s - 1] * lengths[s - 1]
            e[s] = min(e[s], left, e[s + 1] * lengths[s])
            if lengths[s - 1] == lengths[s] == around:
                e[s] = min(e[s], e[s - 1], e[s + 1])
    size = start * e[1] + sum(a * b * D for a, b, D in zip(e[1:], e[2:], lengths[1:], strict=False))
    neighbours = zip(e[1:-1], lengths, lengths[1:], strict=False)
    return size - sum(width**2 * (around if one == two == around else 1) for width, one, two in neighbours)


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
