"""Networks whose primitives once had no exact form, and networks with units at exactly zero."""

import functools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from architectures import fully_connected
from data import get_dataset
from exact import UndecidedError, exact_hessians, exact_ranks
from hessians import dense_hessians
from initializers import get_init
from losses import log_cosh, squared
from ranks import dense_ranks
from tests.exact.test_network_ranks import PRIME, check_against_fractions
from tests.oracles.hyper_duals import fraction_hessians, relu

RNG = np.random.default_rng(0)
lax = jax.lax


def largest_two(z):
    return sorted(z, reverse=True)[:2]


def horner(z):
    value = Fraction(1)
    for entry in z:
        value = value * entry + Fraction(1)
    return value


# The networks are F(x) = g(x W). Each g is written twice: for (n, 3) arrays of JAX, and for one sample of fractions.
HEADS = {
    "stack": (lambda z: jnp.stack([z, z * z], axis=2).reshape(-1, 6), lambda z: [f for y in z for f in (y, y * y)]),
    "index with an array": (lambda z: z[:, np.array([0, 0, 2])] ** 2, lambda z: [z[k] * z[k] for k in (0, 0, 2)]),
    "set at an index": (
        lambda z: jnp.ones((len(z), 4)).at[:, np.array([3, 0, 1])].set(z) ** 2,
        lambda z: [z[1] * z[1], z[2] * z[2], 1, z[0] * z[0]],
    ),
    "cumsum": (
        lambda z: jnp.cumsum(z, axis=1) ** 2,
        lambda z: [s * s for s in (z[0], z[0] + z[1], z[0] + z[1] + z[2])],
    ),
    "scan": (
        lambda z: lax.scan(lambda c, row: (c * row + 1.0, None), jnp.ones(len(z)), z.T)[0][:, None],
        lambda z: [horner(z)],
    ),
    "fori_loop": (
        lambda z: lax.fori_loop(0, 2, lambda i, c: c * z + i, z),
        lambda z: [(y * y + Fraction(0)) * y + Fraction(1) for y in z],
    ),
    "reduce_max": (lambda z: z.max(axis=1, keepdims=True) * z, lambda z: [max(z) * y for y in z]),
    "max pooling": (
        lambda z: lax.reduce_window(z, -jnp.inf, lax.max, (1, 2), (1, 1), "VALID") ** 2,
        lambda z: [y * y for y in (max(z[0], z[1]), max(z[1], z[2]))],
    ),
    "average pooling": (
        lambda z: (lax.reduce_window(z, 0.0, lax.add, (1, 2), (1, 1), "VALID") / 2) ** 2,
        lambda z: [(y * Fraction(1, 2)) * (y * Fraction(1, 2)) for y in (z[0] + z[1], z[1] + z[2])],
    ),
    "reduce_prod": (lambda z: jnp.prod(z, axis=1, keepdims=True), lambda z: [z[0] * z[1] * z[2]]),
    "sort": (
        lambda z: jnp.sort(z, axis=1) ** 2 * jnp.array([1.0, 2.0, 4.0]),
        lambda z: [y * y * Fraction(2**k) for k, y in enumerate(sorted(z))],
    ),
    "top_k": (lambda z: lax.top_k(z, 2)[0] ** 2, lambda z: [y * y for y in largest_two(z)]),
    "argmax": (
        lambda z: jnp.take_along_axis(z, jnp.argmax(z, axis=1)[:, None], axis=1) ** 3,
        lambda z: [max(z) * max(z) * max(z)],
    ),
    "branches": (
        lambda z: jax.vmap(lambda y: lax.cond(y[0] > y[1], lambda t: t * t, lambda t: 3 * t * t * t, y))(z),
        lambda z: [y * y if z[0] > z[1] else y * y * y * Fraction(3) for y in z],
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_primitives_against_fractions(name):
    head, by_hand = HEADS[name]
    W, inputs = RNG.normal(size=(2, 3)), RNG.normal(size=(4, 2))
    targets = RNG.normal(size=head(inputs @ W).shape)
    problem = squared, lambda weights, x: head(x @ weights[0]), [W], [(inputs, targets)]
    expected = fraction_hessians(lambda leaves, x: by_hand(x @ leaves[0]), [W], inputs, targets)
    check_against_fractions(exact_hessians(*problem, PRIME), exact_ranks(*problem), expected)


def three_layers(leaves, x, side):
    """Return relu 1-1-1-1, with one side or the other of every tie."""
    for W in leaves[:-1]:
        x = np.array([relu(z, side) for z in x @ W], object)
    return x @ leaves[-1]


def test_a_layer_that_is_dead_for_a_sample_has_a_hessian():
    """The second unit is at zero whatever the weights nearby: both sides of its kink give the ranks 3, 1 and 3."""
    _, apply_fn = fully_connected([1, 1], 1, "relu", get_init("glorot"))
    params, inputs, targets = [np.ones((1, 1))] * 3, np.array([[1.0], [-1.0]]), np.zeros((2, 1))
    problem = squared, apply_fn, params, [(inputs, targets)]
    found = exact_ranks(*problem)
    assert [exactly.rank for exactly in found] == [3, 1, 3]
    for side in (False, True):
        expected = fraction_hessians(
            lambda leaves, x, side=side: three_layers(leaves, x, side), params, inputs, targets
        )
        check_against_fractions(exact_hessians(*problem, PRIME), found, expected)


@functools.cache  # one network, so that what JAX compiles for it serves for all seeds
def architecture(activation, bias):
    return fully_connected([5, 10], 10, activation, get_init("glorot"), bias=bias)


def relu_network(activation="relu", bias=False, seed=1):
    init_fn, apply_fn = architecture(activation, bias)
    return apply_fn, init_fn(jax.random.PRNGKey(seed), (-1, 25))[1]


def test_networks_on_gaussian_data_have_a_hessian():
    """Of 20 networks nine have a layer that is dead for a sample, and none has a unit on its kink."""
    for seed in range(20):
        apply_fn, params = relu_network(seed=seed)
        problem = squared, apply_fn, params, [(RNG.normal(size=(50, 25)), RNG.normal(size=(50, 10)))]
        found = exact_ranks(*problem, primes=[PRIME])
        assert 200 < found.functional.rank <= found.loss.rank <= 275
        float64 = dense_ranks(*problem) if seed < 4 else []
        assert all(a.rank == b.rank for a, b in zip(found, float64, strict=False) if b.gap > 1e9)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_sample_of_zeros_has_no_say(activation):
    """Without biases the outputs for it are zero whatever the weights: the ranks are those without it."""
    apply_fn, params = relu_network(activation)
    data = get_dataset("digits", 50, 0, 25, 10)
    inputs, targets = np.array(data.x_train), data.y_train
    inputs[7] = 0.0
    others = np.arange(50) != 7
    found = exact_ranks(squared, apply_fn, params, [(inputs, targets)], primes=[PRIME])
    assert found == exact_ranks(squared, apply_fn, params, [(inputs[others], targets[others])], primes=[PRIME])


def test_a_unit_on_its_kink():
    """With biases of zero, a sample of zeros puts every unit of the first layer on its kink."""
    apply_fn, params = relu_network(bias=True)
    inputs, targets = RNG.normal(size=(50, 25)), RNG.normal(size=(50, 10))
    inputs[7] = 0.0
    assert exact_ranks(squared, apply_fn, params, [(inputs, targets)]).loss.rank > 200
    params = [(W, 0.0 * b) for W, b in params]
    with pytest.raises(UndecidedError, match=r"comparisons of the primitive 'max' are ties, .* sits on its kink"):
        exact_ranks(squared, apply_fn, params, [(inputs, targets)])


def total(predictions, targets):
    """Return a loss that is linear in the outputs, so that H_L = H_f is the Hessian of F."""
    return jnp.sum(predictions - targets)


ONE = [(np.ones((1, 1)), np.ones((1, 1)))]
ZERO = np.zeros((1, 1))


@pytest.mark.parametrize(
    ("network", "rank"),
    [
        (lambda z: jnp.abs(z) ** 2, 1),
        (lambda z: jnp.maximum(z, -z) ** 2, 1),
        (lambda z: jnp.abs(z) ** 3, 0),
        (lambda z: jax.nn.relu(z) - jax.nn.relu(-z) + z * z, 1),
        (lambda z: jax.nn.relu(jnp.minimum(z, -z)), 0),
        (lambda z: jnp.max(jnp.stack([z, z, z]), axis=0) ** 2, 1),
        (lambda z: jnp.sort(jnp.concatenate([z, z, -z], axis=1), axis=1).sum(axis=1, keepdims=True) ** 2, 1),
        (lambda z: jnp.tanh(jnp.abs(z) ** 2), 1),
        (lambda z: jnp.logaddexp(z, -z), 1),
        (lambda z: jax.nn.softmax(jnp.concatenate([z, 2 * z], axis=1))[:, :1], 0),
    ],
    ids=["|z|^2", "max(z, -z)^2", "|z|^3", "z", "-|z| cut", "equal maxima", "sorted", "tanh", "logaddexp", "softmax"],
)
def test_ties_that_are_no_kinks(network, rank):
    """At w = 0 both sides of every tie have the same value, slope and curvature."""
    found = exact_ranks(total, lambda w, x: network(x @ w), ZERO, ONE)
    assert [exactly.rank for exactly in found] == [rank, 0, rank]


@pytest.mark.parametrize(
    "network",
    [
        jax.nn.relu,
        jnp.abs,
        lambda z: jnp.abs(z) * z,
        lambda z: jnp.maximum(z, 2 * z),
        jnp.sign,
        jnp.floor,
        jax.nn.elu,
        lambda z: jnp.tanh(jax.nn.relu(z)),
        lambda z: jnp.max(jnp.concatenate([z, -z, 0 * z], axis=1), axis=1, keepdims=True),
        lambda z: lax.reduce_window(jnp.concatenate([z, -z], 1), -jnp.inf, lax.max, (1, 2), (1, 1), "VALID"),
    ],
    ids=["relu", "|z|", "|z| z", "max(z, 2 z)", "sign", "floor", "elu", "tanh of relu", "reduce_max", "max pooling"],
)
def test_ties_that_are_kinks(network):
    """The two sides differ in the value (sign, floor), in the slope or in the curvature (|z| z, elu)."""
    with pytest.raises(UndecidedError, match="are ties, and the slopes or the Hessians on their sides differ"):
        exact_ranks(total, lambda w, x: network(x @ w), ZERO, ONE)


def test_a_loss_on_its_kink():
    absolute = lambda predictions, targets: jnp.sum(jnp.abs(predictions - targets))
    with pytest.raises(UndecidedError, match="unit sits on its kink"):
        exact_ranks(absolute, lambda w, x: x @ w, ZERO + 1, ONE)
    assert exact_ranks(absolute, lambda w, x: x @ w, ZERO, ONE).loss.rank == 0


@pytest.mark.parametrize(("sign", "ranks"), [(1, [0, 1, 1]), (-1, [0, 0, 0])])
def test_a_unit_that_is_off_its_kink_by_rounding_alone(sign, ranks):
    """The float64 numbers 0.1 + 0.2 - 0.3 add up to 2.8e-17, which their float64 sum does not tell from zero."""
    weights, inputs = sign * np.array([[0.1], [0.2], [-0.3]]), np.ones((1, 3))
    found = exact_ranks(squared, lambda w, x: jax.nn.relu(x @ w), weights, [(inputs, np.ones((1, 1)))])
    assert [exactly.rank for exactly in found] == ranks


# --- convolutions and attention


def convolution(x, kernel):
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID")


def convolutional(activation, pool=lambda h: h):
    def apply_fn(params, inputs):
        h = activation(convolution(inputs.reshape(-1, 1, 5, 5), params[0]))
        h = activation(convolution(pool(h), params[1]))
        return h.reshape(len(inputs), -1) @ params[2]

    return apply_fn


def as_matrix(kernel, side):
    """Return the matrix of a convolution of images of side x side pixels, from its definition."""
    outputs, channels, height, width = kernel.shape
    rows = [
        (channel, i + a, j + b)
        for i in range(side - height + 1)
        for j in range(side - width + 1)
        for channel in range(channels)
        for a in range(height)
        for b in range(width)
    ]
    places = (side - height + 1) * (side - width + 1)
    sources = np.array([(channel * side + i) * side + j for channel, i, j in rows]).reshape(places, -1)
    matrix = jnp.zeros((outputs, places, channels * side * side))
    kernels = jnp.broadcast_to(kernel.reshape(outputs, 1, -1), (outputs, *sources.shape))
    return (
        matrix.at[:, np.arange(places)[:, None], sources]
        .set(jnp.broadcast_to(kernels, (outputs, *sources.shape)))
        .reshape(outputs * places, -1)
        .T
    )


@pytest.mark.parametrize("activation", [lambda x: x, jax.nn.relu], ids=["linear", "relu"])
def test_convolutions_are_matrix_products(activation):
    """The same network with its convolutions written as matrices has the same Hessians, entry by entry."""
    params = [RNG.normal(size=(2, 1, 2, 2)), RNG.normal(size=(3, 2, 3, 3)), RNG.normal(size=(12, 2))]
    batches = [(RNG.normal(size=(6, 25)), RNG.normal(size=(6, 2)))]

    def dense(params, inputs):
        h = activation(inputs @ as_matrix(params[0], 5))
        return activation(h @ as_matrix(params[1], 4)) @ params[2]

    found = exact_hessians(squared, convolutional(activation), params, batches, PRIME)
    for matrix, expected in zip(found, exact_hessians(squared, dense, params, batches, PRIME), strict=True):
        np.testing.assert_array_equal(matrix, expected)


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_pooling_networks(pooling):
    """Ranks with a clear gap in float64 are the exact ones."""
    window = (1, 1, 2, 2), (1, 1, 1, 1), "VALID"
    pools = {
        "max": lambda h: lax.reduce_window(h, -jnp.inf, lax.max, *window),
        "average": lambda h: lax.reduce_window(h, 0.0, lax.add, *window) / 4,
    }
    params = [RNG.normal(size=(2, 1, 2, 2)), RNG.normal(size=(3, 2, 2, 2)), RNG.normal(size=(12, 2))]
    problem = (
        squared,
        convolutional(jax.nn.relu, pools[pooling]),
        params,
        [(RNG.normal(size=(9, 25)), RNG.normal(size=(9, 2)))],
    )
    for exactly, measured in zip(exact_ranks(*problem), dense_ranks(*problem), strict=True):
        assert measured.gap > 1e6
        assert exactly.rank == measured.rank


def attention(mask=None, softmax=True):
    def apply_fn(params, inputs):
        x = inputs.reshape(-1, 4, 3)
        scores = (x @ params[0]) @ (x @ params[1]).transpose(0, 2, 1) / jnp.sqrt(3.0)
        scores = scores if mask is None else jnp.where(np.tri(4, dtype=bool), scores, mask)
        weights = jax.nn.softmax(scores) if softmax else scores
        return (weights @ (x @ params[2])).reshape(len(inputs), -1)

    return apply_fn


@pytest.mark.parametrize("mask", [None, -np.inf, -1e9, np.finfo(float).min])
def test_attention(mask):
    params = [RNG.normal(size=(3, 3)) for _ in range(3)]
    problem = squared, attention(mask), params, [(RNG.normal(size=(7, 12)), RNG.normal(size=(7, 12)))]
    found = exact_ranks(*problem)
    for exactly, measured in zip(found, dense_ranks(*problem), strict=True):
        assert measured.gap > 1e6
        assert exactly.rank == measured.rank
        assert exactly.digits == 300
        assert exactly.gap > 200


def test_attention_without_softmax_is_rational():
    """The constant sqrt(3) is a float64 number like any other."""
    params = [RNG.normal(size=(3, 3)) for _ in range(3)]
    batches = [(RNG.normal(size=(9, 12)), RNG.normal(size=(9, 12)))]
    found = exact_ranks(squared, attention(softmax=False), params, batches)
    assert all(len(exactly.primes) == 2 for exactly in found)
    # The outputs depend on W_Q W_K^T and W_V alone, up to a factor that goes from one to the other: 9 + 9 - 1.
    assert found.outer.rank == 17


# --- refusals


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda w, x: (x.astype(jnp.float32) @ w.astype(jnp.float32)).astype(float), "rounds numbers to float32, at"),
        (lambda w, x: jnp.fft.fft(x @ w).real, "computes in complex128: leave that conversion out"),
        (lambda w, x: x @ jnp.linalg.inv(w @ w.T + jnp.eye(2)) @ w, "no exact form for the primitive '.*': write that"),
        (lambda w, x: clipped(x @ w), "make the custom derivatives in it linear in their tangents"),
    ],
    ids=["float32", "complex", "inverse matrix", "derivative"],
)
def test_what_has_no_exact_form_is_told_what_to_change(network, message):
    with pytest.raises(ValueError, match=message):
        exact_ranks(squared, network, np.ones((2, 2)), [(RNG.normal(size=(3, 2)), RNG.normal(size=(3, 2)))])


@jax.custom_jvp
def clipped(z):
    """Return z, with a derivative that is cut off at one."""
    return z


@clipped.defjvp
def _(primals, tangents):
    return primals[0], jnp.where(tangents[0] > 1, 1.0, tangents[0])


def test_divisors_of_zero_and_logarithms_of_zero():
    inverse = lambda w, x: 1 / (x @ w)
    with pytest.raises(UndecidedError, match="a divisor is zero"):
        exact_ranks(squared, inverse, ZERO, ONE)
    with pytest.raises(UndecidedError, match=r"a divisor is zero|infinite or not defined"):
        exact_ranks(log_cosh, lambda w, x: jnp.sqrt(x @ w), ZERO, ONE)


def test_the_hessian_of_ties_in_float64():
    """What JAX computes at |z|^2 = 0 is the Hessian too; at max(z, -z)^2 it is not, and this is noticed."""
    hessian = lambda f: dense_hessians(total, lambda w, x: f(x @ w), ZERO, ONE).loss[0, 0]
    assert hessian(lambda z: jnp.abs(z) ** 2) == 2
    with pytest.raises(ValueError, match="H_L is not the derivative of the gradient"):
        hessian(lambda z: jnp.maximum(z, -z) ** 2)
