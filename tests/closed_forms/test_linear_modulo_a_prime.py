"""The closed forms are the ranks modulo a prime of Hessians written out (tests/oracles/linear_hessians.py).

A setting is drawn by hypothesis, which shrinks one that fails to the smallest; its weights, data and residuals are
random residues, as generic as numbers can be. Losses enter by their gradients and Hessians in the outputs: any of full
rank for 'mse' and 'cosh', those orthogonal to (1, .., 1) for 'cross'.
"""

import itertools
from typing import NamedTuple

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from architectures import fully_connected
from closed_forms import biased_ranks, critical_ranks, flag_rank, linear_ranks
from hessians import HessianTriple, dense_hessians
from initializers import get_init
from losses import LOSSES, squared
from tests.oracles.linear_hessians import P, hessians, inputs_of_layers, kernel, product, random, rank, solve

many = settings(max_examples=300, deadline=None, derandomize=True, database=None)


class Setting(NamedTuple):
    loss_name: str
    bias: bool
    r: int  # of the data, of the centred ones with biases
    more: int  # samples beyond those that the rank needs
    units: list
    K: int
    seed: int


@st.composite
def setting(draw, loss_names=tuple(LOSSES), biases=(False, True)):
    loss_name, depth = draw(st.sampled_from(loss_names)), draw(st.integers(1, 5))
    units = [draw(st.integers(1, 7)) for _ in range(depth - 1)]
    K = draw(st.integers(1 + (loss_name == "cross"), 6))
    r, more, seed = draw(st.integers(1, 7)), draw(st.integers(0, 4)), draw(st.integers(0, 2**32))
    return Setting(loss_name, draw(st.sampled_from(biases)), r, more, units, K, seed)


class Network(NamedTuple):
    """Random residues at a setting, in coordinates of the data: inputs = Z Q, or (Z - mean) Q + shift."""

    weights: list
    biases: list | None
    inputs: np.ndarray  # (n, d)
    Z: np.ndarray  # (n, r), or (n, r + 1) with biases: centred, and a column of ones
    Q: np.ndarray  # (r, d)
    S: np.ndarray  # (n, K, K)
    onto: np.ndarray  # (K, K): what the loss's gradients can be multiplied by, I, or K I - 1 1^T for the cross-entropy
    rng: np.random.Generator


def network(s):
    rng = np.random.default_rng(s.seed)
    n, d = s.r + s.more + s.bias, s.r + int(rng.integers(3))
    sizes = [d, *s.units, s.K]
    weights = [random(rng, *shape) for shape in itertools.pairwise(sizes)]
    biases = [random(rng, width) for width in sizes[1:]] if s.bias else None
    Z, Q = random(rng, n, s.r), random(rng, s.r, d)
    inputs = product(Z, Q)
    if s.bias:
        inputs = (inputs + random(rng, d)) % P
        Z = (Z - Z.sum(axis=0) * pow(n, -1, P)) % P
        Z = np.concatenate([Z, np.ones((n, 1), np.int64)], axis=1)
    onto = np.eye(s.K, dtype=np.int64)
    if s.loss_name == "cross":
        onto = (s.K * onto - 1) % P
    S = np.stack([product(onto, A + A.T, onto) for A in random(rng, n, s.K, s.K) % 2**30])
    if s.loss_name == "mse":
        S = np.stack([onto] * n)
    return Network(weights, biases, inputs, Z, Q, S, onto, rng)


def residuals(net, moment=None):
    """Return random gradients of the loss in the outputs, with Z^T alpha = moment if one is given."""
    alpha = product(random(net.rng, len(net.inputs), len(net.onto)), net.onto)
    if moment is not None:
        missing = moment - product(net.Z.T, alpha)
        alpha = (alpha + product(net.Z, solve(product(net.Z.T, net.Z), missing))) % P
    return alpha


def ranks(net, alpha):
    return HessianTriple(*map(rank, hessians(net.weights, net.biases, net.inputs, alpha, net.S)))


def outputs(s):
    return s.K - (s.loss_name == "cross")


@many
@given(setting())
def test_general_position(s):
    """Depth 1 to 5, widths around the bottleneck, n = r and more, K = 1, r < K, r < d, three losses, biases or none."""
    net = network(s)
    closed_forms = biased_ranks if s.bias else linear_ranks
    assert ranks(net, residuals(net)) == closed_forms(s.r, s.K, s.units, s.loss_name)


@many
@given(setting(), st.data())
def test_residuals_of_any_moment(s, data):
    """Rows of Z^T alpha: Omega without biases, [Omega_c; rho] with them; w = 0 among them, and rho = 0."""
    net = network(s)
    balanced = s.bias and data.draw(st.booleans(), "balanced")
    rows = s.r + (s.bias and not balanced)
    w = data.draw(st.integers(int(s.bias and not balanced), min(rows, outputs(s))), "w")
    moment = product(random(net.rng, rows, w), random(net.rng, w, s.K), net.onto)
    if balanced:
        moment = np.concatenate([moment, np.zeros((1, s.K), np.int64)])
    closed_forms = biased_ranks if s.bias else linear_ranks
    options = dict(balanced=True) if balanced else {}
    expected = closed_forms(s.r, s.K, s.units, s.loss_name, residual_rank=w, **options)
    assert ranks(net, residuals(net, moment)) == expected


@many
@given(setting(), st.data())
def test_critical_points(s, data):
    """Omega orthogonal to W_L .. W_2 from the left and to W_{L-1} .. W_1 from the right, rho = 0."""
    net = network(s)
    right = product(net.Q, *net.weights[:-1]) if s.units else np.zeros((s.r, 1), np.int64)
    left = product(*net.weights[1:]) if s.units else np.zeros((1, s.K), np.int64)
    if s.loss_name == "cross":  # the moment's rows add up to zero
        left = np.concatenate([left, np.ones((1, s.K), np.int64)])
    inside, outside = kernel(right.T), kernel(left)
    q = min(s.r, outputs(s), *s.units)
    w = data.draw(st.integers(0, min(s.r, outputs(s)) - q), "w")
    moment = product(inside, random(net.rng, inside.shape[1], w), random(net.rng, w, outside.shape[1]), outside.T)
    if s.bias:
        moment = np.concatenate([moment, np.zeros((1, s.K), np.int64)])
    alpha = residuals(net, moment)
    check_critical(net, alpha)
    expected = critical_ranks(s.r, s.K, s.units, s.loss_name, residual_rank=w, bias=s.bias)
    assert ranks(net, alpha) == expected


def check_critical(net, alpha):
    """Check that the gradient in every weight and bias is zero, by backpropagation."""
    layers, back = inputs_of_layers(net.weights, net.biases, net.inputs)[:-1], alpha
    for h, W in zip(layers[::-1], net.weights[::-1], strict=True):
        assert not product(h.T, back).any()
        assert net.biases is None or not (back.sum(axis=0) % P).any()
        back = product(back, W.T)


@many
@given(setting(), st.data())
def test_weights_of_any_rank(s, data):
    """The flag formula is an equality for H_o; with q from the widths, the closed forms are upper bounds for all."""
    net = network(s)
    for layer, W in enumerate(net.weights):
        inner = data.draw(st.integers(0, min(W.shape)), f"rank of W_{layer + 1}")
        net.weights[layer] = product(random(net.rng, W.shape[0], inner), random(net.rng, inner, W.shape[1]))
    Z = net.Z[:, : s.r]
    right = [rank(product(Z, net.Q, *net.weights[:layer])) for layer in range(len(net.weights))]
    left = [rank(product(*net.weights[layer:], net.onto)) for layer in range(1, len(net.weights) + 1)]
    found = ranks(net, residuals(net))
    assert found.outer == flag_rank(right, left) + s.bias * outputs(s)
    bounds = (biased_ranks if s.bias else linear_ranks)(s.r, s.K, s.units, s.loss_name)
    assert all(measured <= bound for measured, bound in zip(found, bounds, strict=True))


@many
@given(setting(loss_names=["mse"], biases=[False]), st.data())
def test_targets_linear_in_the_inputs(s, data):
    """Y = T X of any rank lowers no rank by itself: Omega = (W - T) X X^T does, by its own."""
    net = network(s)
    inner = data.draw(st.integers(0, min(s.r, s.K)), "rank of T")
    T = product(random(net.rng, net.inputs.shape[1], inner), random(net.rng, inner, s.K))
    alpha = (inputs_of_layers(net.weights, None, net.inputs)[-1] - product(net.inputs, T)) % P
    w = rank(product(net.inputs.T, alpha))
    assert ranks(net, alpha) == linear_ranks(s.r, s.K, s.units, residual_rank=w)
    if inner == min(s.r, s.K):
        assert w == inner  # by itself: no targets of full rank are special


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("units", [[2, 4], [3], [2, 3, 2]], ids=str)
def test_the_oracle_agrees_with_automatic_differentiation(units, bias):
    """Small integers: float64 is exact, and so must be the equality."""
    rng = np.random.default_rng(len(units))
    small = lambda *shape: rng.integers(-3, 4, size=shape)
    sizes = [4, *units, 3]
    weights = [small(*shape) for shape in itertools.pairwise(sizes)]
    biases = [small(width) for width in sizes[1:]] if bias else None
    inputs, targets = small(5, 4), small(5, 3)
    alpha = inputs_of_layers(weights, biases, inputs)[-1] - targets
    expected = hessians(weights, biases, inputs, alpha % P, np.stack([np.eye(3, dtype=np.int64)] * 5))
    _, apply_fn = fully_connected(units, 3, "linear", get_init("glorot"), bias=bias)
    params = list(zip(weights, biases, strict=True)) if bias else weights
    params = jax.tree.map(lambda array: np.asarray(array, float), params)
    batch = inputs.astype(float), targets.astype(float)
    found = dense_hessians(squared, apply_fn, params, [batch])
    for matrix, residue in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(matrix).astype(np.int64) % P, residue)
