import itertools
import math

import jax
import matplotlib.colors
import numpy as np
import pytest

from architectures import attention, convolutional, fully_connected
from figures import draw_attention, draw_convolution, draw_hidden_layer
from figures.style import COLORS
from initializers import get_init
from tests.figures.readability import texts

INIT = get_init("glorot")


def shapes_of(network, shape):
    """Return the shapes of a network's weights and of its outputs, by the network itself."""
    params = jax.eval_shape(lambda key: network[0](key, shape)[1], jax.random.key(0))
    outputs = jax.eval_shape(network[1], params, jax.ShapeDtypeStruct((9, *shape[1:]), float))
    return [weights.shape for weights in jax.tree.leaves(params)], outputs.shape


def titled(axis, shapes):
    number = f"{sum(map(math.prod, shapes)):,}".replace(",", "{,}")
    return axis.get_title().endswith(f"$p = {number}$ weights")


def times(shape):
    return " × ".join(map(str, shape))


def marked(axis, name):
    return [artist for artist in axis.get_children() if artist.get_gid() == name]


def is_readable(axis):
    """Return whether no text lies on another or reaches out of the figure."""
    axis.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in [axis.title, *axis.texts]]
    within = all(min(box.min) >= 0 and np.all(box.max <= axis.figure.bbox.max) for box in boxes)
    return within and not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


ATTENTION = [
    dict(dim=5, keys=2, values=3, classes=4),
    dict(dim=5, keys=2, values=3, classes=4, heads=2, softmax=True),
    dict(dim=1, keys=1, values=1, softmax=True),
    dict(dim=100, keys=64, values=40, heads=12),
    dict(dim=100, keys=100, values=100, classes=1, heads=3),
    dict(dim=28, keys=1, values=28, classes=1000, softmax=True),
]


@pytest.mark.parametrize("sizes", ATTENTION, ids=lambda sizes: "-".join(map(str, sizes.values())))
def test_attention_has_the_shapes_of_the_network(sizes):
    axis = draw_attention(**sizes)
    others = {name: size for name, size in sizes.items() if name != "dim"}
    shapes, outputs = shapes_of(attention(init=INIT, **others), (-1, 7, sizes["dim"]))
    heads = sizes.get("heads", 1)
    names = "QKVO" if "classes" in sizes else "QKV"
    for name, shape in zip(names, shapes[: len(shapes) // heads], strict=True):
        assert f"$W_{name}$\n{times(shape)}" in texts(axis)
    assert titled(axis, shapes)
    columns = [text.removeprefix("$t$ × ") for text in texts(axis) if text.startswith("$t$ × ")]
    expected = [
        sizes["dim"],
        sizes["keys"],
        sizes["keys"],
        sizes["values"],
        *["$t$"] * (1 + sizes.get("softmax", False)),
    ]
    expected += [sizes["values"]] + ([outputs[-1]] if heads > 1 or "classes" in sizes else [])
    assert columns == [str(number) for number in expected]
    assert bool([text for text in texts(axis) if "softmax" in text]) == sizes.get("softmax", False)
    assert is_readable(axis)


@pytest.mark.parametrize(("heads", "sheets"), [(1, 0), (2, 2), (3, 3), (12, 3)])
def test_other_heads_are_sheets_behind_the_first(heads, sheets):
    for classes, words in ((4, "their outputs are added"), (None, "their outputs stand side by side")):
        axis = draw_attention(5, 2, 3, classes, heads)
        assert len(marked(axis, "head")) == sheets
        assert any(text.startswith(f"one of {heads} heads") and words in text for text in texts(axis)) == (heads > 1)


def test_attention_refuses_what_is_no_network():
    with pytest.raises(ValueError, match="dim must be at least 1, got 0"):
        draw_attention(0, 2, 3)
    with pytest.raises(TypeError, match=r"heads must be an integer, got 1\.5"):
        draw_attention(5, 2, 3, heads=1.5)
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        draw_attention(5, 2, 3, classes=0)


CONVOLUTIONS = [
    ((7, 7, 1), [4, 4], [(3, 3), (3, 3)], 10),
    ((12, 2), [3, 40], [4, 3], None),
    ((100, 1), [1], [10], 1),
    ((28, 28, 3), [40, 12, 13, 1], [(5, 3), (5, 5), (3, 3), (1, 1)], 100),
    ((2, 30, 1), [3], [(1, 7)], None),
    ((100, 100, 40), [300], [(97, 97)], 3),
    ((1, 1), [1], [1], None),
    ((30, 40), [40] * 8, [2] * 8, 1000),
]


@pytest.mark.parametrize(("shape", "channels", "kernels", "classes"), CONVOLUTIONS)
def test_a_convolution_has_the_shapes_of_the_network(shape, channels, kernels, classes):
    axis = draw_convolution(shape, channels, kernels, classes)
    shapes, _ = shapes_of(convolutional(channels, kernels, INIT, classes), (-1, *shape))
    for number, (kernel, weights) in enumerate(zip(kernels, shapes, strict=False), 1):
        size = times(kernel) if isinstance(kernel, tuple) else kernel
        assert f"kernel {size}\n$W_{{{number}}}$: {times(weights)}" in texts(axis)
    heads = [text for text in texts(axis) if text.startswith("dense head")]
    assert heads == ([] if classes is None else [f"dense head\n$W_{{\\mathrm{{head}}}}$: {times(shapes[-1])}"])
    assert titled(axis, shapes)
    counts = [shape[-1], *channels]
    for layer, (count, text) in enumerate(zip(counts, texts(axis), strict=False)):
        space = shape[:-1]
        if layer:
            space = shapes_of(convolutional(channels[:layer], kernels[:layer], INIT), (-1, *shape))[1][1:-1]
        where = times(space) if len(space) == 2 else f"length {space[0]}"
        assert text.endswith(f"$x_{{{layer}}}$: {where}\n{count} channel{'' if count == 1 else 's'}".lstrip("$"))
        assert text.startswith("$f(x) = ") == (layer == len(channels) and classes is None)
    assert len(marked(axis, "slice")) == sum(count if count <= 12 else 11 for count in counts)
    assert len(marked(axis, "unit")) == (0 if classes is None else classes if classes <= 7 else 5)
    many = sum(count > 12 for count in counts) + 2 * (classes is not None and classes > 7)
    assert len(marked(axis, "and so on")) == many
    assert is_readable(axis)


def test_windows_have_the_size_of_the_kernel_and_lie_in_their_slices():
    axis = draw_convolution((8, 6, 1), [2, 1], [(3, 2), (2, 4)])
    slices, windows, made = (marked(axis, name) for name in ("slice", "window", "position"))
    assert [len(found) for found in (slices, windows, made)] == [4, 3, 3]  # on 1, 2 and 1 channels
    ratio = lambda part, whole: (part.get_height() / whole.get_height(), part.get_width() / whole.get_width())
    for window, whole in zip(windows, slices, strict=False):
        expected = (3 / 8, 2 / 6) if whole is slices[0] else (2 / 6, 4 / 5)
        np.testing.assert_allclose(ratio(window, whole), expected)
    for position, whole, size in zip(made, slices[1:], [(6, 5), (6, 5), (5, 2)], strict=True):
        np.testing.assert_allclose(ratio(position, whole), (1 / size[0], 1 / size[1]))
    for part, whole in [*zip(windows, slices, strict=False), *zip(made, slices[1:], strict=True)]:
        inner, outer = part.get_bbox(), whole.get_bbox()
        assert np.all(inner.min >= outer.min - 1e-9)
        assert np.all(inner.max <= outer.max + 1e-9)


def test_a_convolution_refuses_what_is_no_network():
    with pytest.raises(ValueError, match=r"a kernel of 3 × 3 taps does not fit into 2 × 5 positions: take larger"):
        draw_convolution((4, 7, 1), [2, 2], [(3, 3), (3, 3)])
    with pytest.raises(ValueError, match=r"shape must be \(h, w, c_0\) for kernels like \(3, 3\), got \(7, 1\)"):
        draw_convolution((7, 1), [2], [(3, 3)])
    with pytest.raises(ValueError, match=r"shape must be \(w, c_0\) for kernels like 3, got \(7, 7, 1\)"):
        draw_convolution((7, 7, 1), [2], [3])
    with pytest.raises(ValueError, match="got 2 channels and 1 kernels"):
        draw_convolution((7, 1), [2, 2], [3])
    with pytest.raises(ValueError, match=r"shape\[1\] must be at least 1, got 0"):
        draw_convolution((7, 0), [2], [3])


HIDDEN = [(5, 8, 3), (100, 1, 1), (1, 5, 10), (7, 7, 7), (784, 1000, 10), (1, 1, 1), (2, 2, 8)]


@pytest.mark.parametrize(("d", "m", "K"), HIDDEN)
def test_a_hidden_layer_highlights_the_weights_of_one_unit(d, m, K):
    axis = draw_hidden_layer(d, m, K)
    shapes, _ = shapes_of(fully_connected([m], K, "relu", INIT), (-1, d))
    assert titled(axis, shapes)
    shown = [n if n <= 7 else 5 for n in (d, m, K)]
    assert len(marked(axis, "unit")) == sum(shown)
    assert len(marked(axis, "and so on")) == 2 * sum(n > 7 for n in (d, m, K))
    edges = [line for line in axis.lines if len(line.get_xdata()) == 2]
    assert len(edges) == shown[0] * shown[1] + shown[1] * shown[2]
    (j,) = marked(axis, "j")
    chosen = [line for line in edges if line.get_color() == COLORS.functional]
    assert len(chosen) == shown[0] + shown[2]
    ends = [tuple(point) in {tuple(j.center)} for line in chosen for point in line.get_xydata()]
    assert sum(ends) == len(chosen)
    assert matplotlib.colors.same_color(j.get_facecolor(), COLORS.functional)
    words = f"$w_j$: row $j$ of $W$,\n{d} weight", f"$v_j$: column $j$ of $V$,\n{K} weight"
    assert all(text + "s" * (n > 1) in texts(axis) for text, n in zip(words, (d, K), strict=True))
    assert any(text.endswith(f"{d + K} × {d + K}") for text in texts(axis))
    assert is_readable(axis)


def test_a_hidden_layer_refuses_sizes_that_are_none():
    with pytest.raises(ValueError, match="m must be at least 1, got 0"):
        draw_hidden_layer(5, 0, 3)
