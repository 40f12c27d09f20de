import math

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from architectures import convolutional
from initializers import get_init
from networks.convolutions import PADDINGS, layer_sizes, positions
from tests.networks.test_activations import ACTIVATIONS


def by_loops(x, W, padding):
    """Return y[t, c] = sum_{s, b} x[t + s, b] W[s, b, c] for one sample, with pairs t and s for images."""
    *sizes, _ = x.shape
    *taps, _, channels = W.shape
    # With zeros, an odd number of them in all has one more behind than before.
    before = [(k - 1) // 2 if padding == "SAME" else 0 for k in taps]
    lost = [k - 1 if padding == "VALID" else 0 for k in taps]
    y = np.zeros([size - less for size, less in zip(sizes, lost, strict=True)] + [channels])
    for t in np.ndindex(*y.shape[:-1]):
        for s in np.ndindex(*taps):
            place = [a + b - c for a, b, c in zip(t, s, before, strict=True)]
            if padding == "CIRCULAR":
                place = [i % size for i, size in zip(place, sizes, strict=True)]
            if all(0 <= i < size for i, size in zip(place, sizes, strict=True)):
                for c in range(channels):
                    y[t][c] += sum(a * b for a, b in zip(x[tuple(place)], W[s][:, c], strict=True))
    return y


def network_by_loops(params, x, padding, sigma, head):
    convolutions = params[:-1] if head else params
    for W in convolutions:
        x = by_loops(x, W, padding)
        x = x if W is params[-1] else np.vectorize(sigma, otypes=[float])(x)
    if not head:
        return x
    numbers = x.ravel()  # position by position, and in each of them channel by channel
    return np.array([sum(numbers[i] * params[-1][i, c] for i in range(len(numbers))) for c in range(head)])


def drawn(shape, *arguments, **options):
    """Return the shape of the outputs, normal weights, the function and normal inputs, three of them."""
    init_fn, apply_fn = convolutional(*arguments, get_init("glorot"), **options)
    outputs, params = init_fn(jax.random.key(0), (-1, *shape))
    rng = np.random.default_rng(0)
    weights = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params)
    return outputs, weights, apply_fn, rng.normal(size=(3, *shape))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("classes", [None, 3], ids=["no head", "head"])
@pytest.mark.parametrize(
    ("shape", "channels", "kernels", "activation"),
    [
        ((6, 2), [3], [3], "tanh"),
        ((6, 2), [3, 2], [2, 4], "linear"),
        ((5, 1), [2, 2, 1], [1, 2, 3], "relu"),
        ((4, 1), [2], [4], "linear"),
        ((5, 4, 2), [3], [(3, 2)], "gelu"),
        ((4, 5, 1), [2, 2], [(2, 3), (1, 2)], "elu"),
        ((4, 4, 1), [2], [(4, 4)], "sigmoid"),
    ],
    ids=str,
)
def test_forward_pass(shape, channels, kernels, activation, classes, padding):
    outputs, params, apply_fn, inputs = drawn(
        shape, channels, kernels, classes=classes, padding=padding, activation=activation
    )
    found = jax.jit(apply_fn)(params, inputs)
    assert found.shape == (3, *outputs[1:])
    expected = [network_by_loops(params, x, padding, ACTIVATIONS[activation], classes) for x in inputs]
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_padding_by_hand():
    """A kernel of two taps, x[t] + 10 x[t + 1]: what lies beyond the end is nothing, zero, or the beginning."""
    x, W = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1), np.array([1.0, 10.0]).reshape(2, 1, 1)
    functions = {padding: convolutional([1], [2], get_init("glorot"), padding=padding)[1] for padding in PADDINGS}
    found = {padding: apply_fn([W], x).ravel().tolist() for padding, apply_fn in functions.items()}
    assert found == {"VALID": [21.0, 32.0], "SAME": [21.0, 32.0, 3.0], "CIRCULAR": [21.0, 32.0, 13.0]}


def test_circular_outputs_shift_with_the_inputs():
    _, params, apply_fn, inputs = drawn((5, 2), [3, 2], [4, 2], padding="CIRCULAR", activation="tanh")
    shifted = apply_fn(params, np.roll(inputs, 2, axis=1))
    assert_allclose(shifted, np.roll(apply_fn(params, inputs), 2, axis=1), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("classes", [None, 10])
@pytest.mark.parametrize(
    ("shape", "kernels", "weights", "narrow"),
    [
        ((7, 2), [3, 2], [(3, 2, 4), (2, 4, 5)], (4,)),
        ((7, 6, 2), [(3, 2), (2, 2)], [(3, 2, 2, 4), (2, 2, 4, 5)], (4, 4)),
        ((7, 6, 2), [[7, 6], [1, 1]], [(7, 6, 2, 4), (1, 1, 4, 5)], (1, 1)),
    ],
    ids=str,
)
def test_shapes(shape, kernels, weights, narrow, classes, padding):
    outputs, params, _, _ = drawn(shape, [4, 5], kernels, classes=classes, padding=padding)
    last = narrow if padding == "VALID" else shape[:-1]
    assert outputs == ((-1, 10) if classes else (-1, *last, 5))
    assert [W.shape for W in params] == weights + ([(5 * math.prod(last), 10)] if classes else [])
    assert positions(shape[:-1], layer_sizes([4, 5], kernels)[1], padding) == last


def test_networks_of_one_kind_share_one_function():
    build = lambda *arguments, **options: convolutional(*arguments, get_init("glorot"), **options)[1]
    apply_fn = build([2, 3], [3, 3], padding="SAME", activation="tanh")
    assert build([5, 1], [(2, 2), (1, 1)], classes=3, padding="SAME", activation="tanh") is apply_fn
    assert build([2, 3], [3, 3], padding="CIRCULAR", activation="tanh") is not apply_fn
    assert build([2, 3], [3, 3], padding="SAME", activation="relu") is not apply_fn
    assert build([2, 3, 4], [3, 3, 3], padding="SAME", activation="tanh") is not apply_fn


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(
    ("shape", "kernels", "taps"),
    [
        ((4, 1), [5], r"\(5,\) taps is longer than the \(4,\)"),
        ((4, 5, 1), [(5, 4)], r"\(5, 4\) taps is longer than the \(4, 5\)"),
        ((4, 5, 1), [(1, 6)], r"\(1, 6\) taps is longer than the \(4, 5\)"),
    ],
    ids=str,
)
def test_a_kernel_longer_than_the_inputs_is_refused(shape, kernels, taps, padding):
    init_fn, apply_fn = convolutional([2], kernels, get_init("glorot"), padding=padding)
    with pytest.raises(ValueError, match=f"a kernel of {taps} positions .* shorter kernels or fewer layers"):
        init_fn(jax.random.key(0), (-1, *shape))
    longer = tuple(size + 2 for size in shape[:-1])
    _, params = init_fn(jax.random.key(0), (-1, *longer, 1))
    with pytest.raises(ValueError, match=f"a kernel of {taps} positions"):
        apply_fn(params, np.ones((3, *shape)))


def test_a_kernel_longer_than_what_the_layer_before_leaves_is_refused():
    init_fn, _ = convolutional([2, 2], [3, 3], get_init("glorot"))
    assert init_fn(jax.random.key(0), (-1, 5, 1))[0] == (-1, 1, 2)
    with pytest.raises(ValueError, match=r"a kernel of \(3,\) taps is longer than the \(2,\) positions"):
        init_fn(jax.random.key(0), (-1, 4, 1))
    init_fn, _ = convolutional([2, 2], [3, 3], get_init("glorot"), padding="SAME")
    assert init_fn(jax.random.key(0), (-1, 4, 1))[0] == (-1, 4, 2)


def test_inputs_that_do_not_fit_the_head_are_refused():
    _, params, apply_fn, _ = drawn((6, 2), [3], [3], classes=4)
    with pytest.raises(ValueError, match=r"\(3, 7, 2\) have 15 features before the head, which takes 12: give inputs"):
        apply_fn(params, np.ones((3, 7, 2)))
    _, params, apply_fn, _ = drawn((6, 2), [3], [3])
    assert apply_fn(params, np.ones((3, 7, 2))).shape == (3, 5, 3)  # without a head any length will do


def test_no_samples_have_no_outputs():
    _, params, apply_fn, _ = drawn((6, 2), [3], [3], classes=4)
    assert apply_fn(params, np.ones((0, 6, 2))).shape == (0, 4)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"channels": []}, ValueError, "every layer needs its channels and its kernel, got 0 channels and 2 kernels"),
        ({"channels": [2]}, ValueError, "every layer needs its channels and its kernel, got 1 channels and 2 kernels"),
        ({"channels": [], "kernels": []}, ValueError, "every layer needs .* got 0 channels and 0 kernels"),
        ({"channels": [2, 0]}, ValueError, r"channels\[1\] must be at least 1, got 0"),
        ({"channels": [2.0, 3]}, TypeError, r"channels\[0\] must be an integer, got 2.0 of type float"),
        ({"channels": 2}, TypeError, "channels must be a list of channels .* got 2 of type int"),
        ({"kernels": 3}, TypeError, r"kernels must be a list such as \[3, 3\] or .* got 3"),
        ({"kernels": "33"}, TypeError, "kernels must be a list .* got '33'"),
        ({"kernels": [3, 0]}, ValueError, r"kernels\[1\] must be at least 1, got 0"),
        ({"kernels": [3, True]}, TypeError, r"kernels\[1\] must be an integer, got True of type bool"),
        ({"kernels": [(3, 3), (3, 2.0)]}, TypeError, r"kernels\[1\] must be an integer, got 2.0 of type float"),
        ({"kernels": [3, (3, 3)]}, ValueError, r"all be ints, .*, or all be pairs, .* got \[3, \(3, 3\)\]"),
        ({"kernels": [(3, 3, 3), (3, 3, 3)]}, ValueError, "all be ints, for sequences, or all be pairs, for images"),
        ({"kernels": [(), ()]}, ValueError, "all be ints, for sequences, or all be pairs, for images"),
        ({"classes": 0}, ValueError, "classes must be at least 1, got 0"),
        ({"classes": 2.0}, TypeError, "classes must be an integer, got 2.0"),
        ({"padding": "same"}, ValueError, "unknown padding 'same'; choose one of 'VALID', 'SAME', 'CIRCULAR'"),
        ({"padding": ["SAME"]}, ValueError, r"unknown padding \['SAME'\]; choose one of"),
        ({"activation": "swish"}, ValueError, "unknown activation 'swish'; choose one of 'linear', 'relu'"),
    ],
    ids=str,
)
def test_bad_arguments(changed, error, message):
    with pytest.raises(error, match=message):
        convolutional(**({"channels": [2, 3], "kernels": [3, 3], "init": get_init("glorot")} | changed))


@pytest.mark.parametrize(
    ("kernels", "shape", "message"),
    [
        ([(3, 3)], (-1, 7, 1), r"must be \(-1, h, w, c_0\) for this network, got \(-1, 7, 1\)"),
        ([3], (-1, 7, 7, 1), r"must be \(-1, w, c_0\) for this network, got \(-1, 7, 7, 1\)"),
    ],
    ids=["sequence", "image"],
)
def test_sequences_and_images_are_told_apart(kernels, shape, message):
    with pytest.raises(ValueError, match=message):
        convolutional([2], kernels, get_init("glorot"))[0](jax.random.key(0), shape)
