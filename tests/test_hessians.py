import jax
import jax.numpy as jnp
import numpy as np
import psutil
import pytest
from jax.flatten_util import ravel_pytree
from numpy.testing import assert_allclose
from torch.utils.data import DataLoader

import matvecs
from architectures import ACTIVATIONS
from dataloader import DatasetTorch
from hessians import (
    HessianTriple,
    check_memory,
    dense_hessians,
    functional_hessian,
    loss_hessian,
    num_params,
    outer_prod,
    split_error,
)
from losses import LOSSES, get_loss, of_params
from ranks import numerical_rank
from tests.problems import problem


def output_derivatives(loss_name, predictions, targets):
    """Return the gradient (n, K) and the Hessian (n, K, K) of the loss in the outputs, from their formulas."""
    residual, eye = predictions - targets, np.eye(predictions.shape[1])
    softmax = np.exp(predictions) / np.exp(predictions).sum(axis=1, keepdims=True)
    return {
        "mse": (residual, np.stack([eye] * len(residual))),
        "cross": (softmax - targets, softmax[:, :, None] * eye - softmax[:, :, None] * softmax[:, None, :]),
        "cosh": (np.tanh(residual), (1 - np.tanh(residual) ** 2)[:, :, None] * eye),
    }[loss_name]


# --- closed forms; the vector of parameters runs through W row by row: index (a, k) of W in R^(d x K) is a K + k


@pytest.mark.parametrize("loss_name", LOSSES)
def test_one_layer(loss_name):
    """f(x) = x W has H_f = 0 and H_L = H_o = sum_i (x_i x_i^T) kron (d^2 loss / df^2)_i."""
    loss, _, _, inputs, targets = problem(loss_name=loss_name)
    W = np.random.default_rng(4).normal(size=(5, 3))
    _, beta = output_derivatives(loss_name, inputs @ W, targets)
    expected = sum(np.kron(np.outer(x, x), b) for x, b in zip(inputs, beta, strict=True))
    H_f, H_o, H_L = dense_hessians(loss, lambda params, x: x @ params[0], [jnp.asarray(W)], [(inputs, targets)])
    assert_allclose(H_L, expected, atol=1e-13)
    assert_allclose(H_o, expected, atol=1e-13)
    assert_allclose(H_f, np.zeros((15, 15)), atol=0)


@pytest.mark.parametrize("loss_name", LOSSES)
def test_two_layers(loss_name):
    """f(x) = x A B, block by block.

    H_o = sum_i J_i^T beta_i J_i with J_i = [x_i kron B^T, (x_i A) kron I]; H_f couples A_ah and B_hk by
    sum_i x_ia alpha_ik and has zero diagonal blocks.
    """
    loss, apply_fn, params, inputs, targets = problem("linear", loss_name, units=(4,))
    A, B = (np.asarray(W) for W in params)
    alpha, beta = output_derivatives(loss_name, inputs @ A @ B, targets)
    H_o = np.zeros((20 + 12, 20 + 12))
    for x, b in zip(inputs, beta, strict=True):
        J = np.concatenate([np.kron(x, B.T), np.kron(x @ A, np.eye(3))], axis=1)
        H_o += J.T @ b @ J
    coupling = np.einsum("hg,ak->ahgk", np.eye(4), inputs.T @ alpha).reshape(20, 12)
    H_f = np.block([[np.zeros((20, 20)), coupling], [coupling.T, np.zeros((12, 12))]])
    for found, expected in zip(
        dense_hessians(loss, apply_fn, params, [(inputs, targets)]), (H_f, H_o, H_f + H_o), strict=True
    ):
        assert_allclose(found, expected, atol=1e-13)


# --- oracles for any network


@pytest.mark.parametrize(("loss_name", "bias"), [("mse", False), ("cross", True), ("cosh", False)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_sum_and_finite_differences(activation, loss_name, bias):
    """H_L = H_o + H_f, and H_L v is the derivative of the gradient along v.

    With steps of 1e-5 the central difference is off by h^2 = 1e-10 times third derivatives of order ten, and by
    eps / h = 2e-11 times gradients of order ten: 1e-8 bounds both with room. No relu has its kink within a step.
    """
    loss, apply_fn, params, inputs, targets = problem(activation, loss_name, bias)
    H_f, H_o, H_L = dense_hessians(loss, apply_fn, params, [(inputs, targets)])
    assert_allclose(H_f + H_o, H_L, atol=1e-14 * abs(H_L).max())
    flat, unravel = ravel_pytree(params)
    theta = np.asarray(flat)
    gradient = jax.jit(jax.grad(lambda t: of_params(loss, apply_fn)(unravel(t), inputs, targets)))
    v = np.random.default_rng(5).normal(size=theta.size)
    v /= np.linalg.norm(v)
    difference = (gradient(theta + 1e-5 * v) - gradient(theta - 1e-5 * v)) / 2e-5
    assert_allclose(H_L @ v, difference, atol=1e-8)


@pytest.mark.parametrize("loss_name", LOSSES)
@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_outer_product_is_the_hessian_of_the_linearized_network(activation, loss_name):
    loss, apply_fn, params, inputs, targets = problem(activation, loss_name)
    theta, unravel = ravel_pytree(params)
    network = lambda t: apply_fn(unravel(t), inputs)
    jacobian, outputs = jax.jit(lambda t: (jax.jacrev(network)(t), network(t)))(theta)
    expected = jax.jit(jax.hessian(lambda t: loss(outputs + jacobian @ (t - theta), targets)))(theta)
    assert_allclose(outer_prod(loss, apply_fn, params, inputs, targets), expected, atol=1e-13)


def test_functional_hessian_sums_the_outputs_hessians():
    loss, apply_fn, params, inputs, targets = problem("gelu", "cross", bias=True)
    theta, unravel = ravel_pytree(params)
    alpha, _ = output_derivatives("cross", np.asarray(apply_fn(params, inputs)), targets)
    tensor = jax.jit(jax.hessian(lambda t: apply_fn(unravel(t), inputs)))(theta)  # n x K x p x p, as only a test may
    expected = np.einsum("ik,ikpq->pq", alpha, tensor)
    assert_allclose(functional_hessian(loss, apply_fn, params, inputs, targets), expected, atol=1e-13)


@pytest.mark.parametrize("residual", [1e-6, 1e-10])
def test_functional_hessian_keeps_its_rank_at_small_residuals(residual):
    """On a 6-5-5-3 network with 20 samples rank(H_f) is 51, however small the residuals; rank(H_L - H_o) is more."""
    loss, apply_fn, params, inputs, _ = problem("linear", "mse", units=(5, 5), n=20, dim=6)
    noise = np.random.default_rng(6).normal(size=(20, 3))
    H_f, H_o, H_L = dense_hessians(loss, apply_fn, params, [(inputs, apply_fn(params, inputs) + residual * noise)])
    found = numerical_rank(H_f)
    assert found.rank == 51
    assert found.gap > 1e4
    assert numerical_rank((H_L - H_o + (H_L - H_o).T) / 2).rank > 51


# --- batches


@pytest.mark.parametrize("loss_name", LOSSES)
def test_batch_size_and_order_of_the_samples_do_not_matter(loss_name):
    loss, apply_fn, params, inputs, targets = problem("tanh", loss_name, bias=True)
    whole = dense_hessians(loss, apply_fn, params, [(inputs, targets)])
    order = np.random.default_rng(7).permutation(len(inputs))
    for size in (2, 9, 20):
        loader = DataLoader(DatasetTorch(inputs[order], targets[order]), batch_size=size)
        for matrix, summed in zip(whole, dense_hessians(loss, apply_fn, params, loader), strict=True):
            assert_allclose(summed, matrix, atol=1e-13)


@pytest.mark.parametrize("batches", [[], [(np.zeros((0, 5)), np.zeros((0, 3)))]], ids=["none", "one without samples"])
def test_no_samples(batches):
    loss, apply_fn, params, _, _ = problem()
    with pytest.raises(ValueError, match="batches is empty: there are no samples to sum over"):
        dense_hessians(loss, apply_fn, params, batches)


def test_the_blocks_of_unit_vectors_do_not_matter(monkeypatch):
    """p = 41 does not divide into blocks of 10; the last one overlaps the one before."""
    loss, apply_fn, params, inputs, targets = problem(units=(4, 3))
    whole = dense_hessians(loss, apply_fn, params, [(inputs, targets)])
    assert num_params(params) == 41
    at_once = []
    monkeypatch.setattr(matvecs, "_BYTES", 10 * 8 * 4 * (9 * (4 + 3 + 3) + 9 * (4 + 3)))
    monkeypatch.setattr(matvecs, "_matrix", lambda *a, whole=matvecs._matrix: at_once.append(a[1]) or whole(*a))
    for found, expected in zip(dense_hessians(loss, apply_fn, params, [(inputs, targets)]), whole, strict=True):
        assert_allclose(found, expected, atol=1e-14)
    assert at_once == [10] * 3


def test_compiled_once_per_shape():
    loss, apply_fn, params, inputs, targets = problem(units=(3, 2))
    loss_params = of_params(loss, apply_fn)
    batch = lambda rows: (inputs[rows], targets[rows])
    for compiled, call in [
        (matvecs._loss_hessian, lambda rows: loss_hessian(loss_params, params, *batch(rows))),
        (matvecs._outer_prod, lambda rows: outer_prod(loss, apply_fn, params, *batch(rows))),
        (
            matvecs._functional_hessian,
            lambda rows: functional_hessian(loss, apply_fn, params, *batch(rows)),
        ),
    ]:
        before = compiled._cache_size()
        for rows in (slice(0, 4), slice(4, 8), slice(0, 4), slice(8, 9)):
            call(rows)
        assert compiled._cache_size() - before == 2  # shapes of 4 and of 1 samples


def test_memory_is_a_few_matrices():
    """For n = 40, K = 10 and p = 1040 the tensor of the outputs' Hessians would take 400 matrices."""
    loss, apply_fn, params, inputs, targets = problem("tanh", "cross", units=(20, 20), n=40, dim=22, classes=10)
    p = num_params(params)
    assert p == 1040
    for compiled, functions in [
        (matvecs._loss_hessian, (of_params(loss, apply_fn),)),
        (matvecs._outer_prod, (loss, apply_fn)),
        (matvecs._functional_hessian, (loss, apply_fn)),
    ]:
        memory = compiled.lower(*functions, 128, params, inputs, targets).compile().memory_analysis()
        assert memory.output_size_in_bytes < 1.01 * 8 * p**2
        assert memory.temp_size_in_bytes < 2 * 8 * p**2


# --- other people's calls


def test_a_loss_that_is_not_ours_and_the_cross_argument():
    """As in the paper's notebook: losses written in a cell, `cross` passed along."""
    _, apply_fn, params, inputs, targets = problem("linear", "cross")

    def loss(preds, targets):
        return -jnp.sum(jax.nn.log_softmax(preds) * targets)

    expected = dense_hessians(get_loss("cross"), apply_fn, params, [(inputs, targets)])[1]
    for cross in (None, True, False):
        assert_allclose(outer_prod(loss, apply_fn, params, inputs, targets, cross=cross), expected, atol=1e-14)


def test_a_loss_that_couples_outputs_and_a_mean_over_the_batch():
    """d^2 loss / dF^2 is taken of the loss as it is called: full, and with the normalization that it has."""
    _, apply_fn, params, inputs, targets = problem("tanh")

    def loss(preds, targets):
        return jnp.mean(jnp.prod(preds - targets, axis=1) ** 2)

    H_f, H_o, H_L = dense_hessians(loss, apply_fn, params, [(inputs, targets)])
    assert_allclose(H_f + H_o, H_L, atol=1e-14 * abs(H_L).max())


# --- bad input


def test_bad_arrays():
    loss, apply_fn, params, inputs, targets = problem()
    single = [W.astype(jnp.float32) for W in params]
    with pytest.raises(TypeError, match=r"params must be float64, got float32: make params\[0\] again in float64"):
        outer_prod(loss, apply_fn, single, inputs, targets)
    with pytest.raises(TypeError, match="the network's outputs must be float64, got float32"):
        functional_hessian(loss, lambda w, x: apply_fn(w, x).astype(np.float32), params, inputs, targets)
    with pytest.raises(TypeError, match=r"the data must be arrays of numbers, .* got a ndarray of shape"):
        loss_hessian(of_params(loss, apply_fn), params, inputs, np.full(targets.shape, "cat"))
    poisoned = [params[0].at[1, 2].set(jnp.nan), *params[1:]]
    with pytest.raises(ValueError, match=r"params must be finite, but 1 of 20 entries of an array of shape \(5, 4\)"):
        loss_hessian(of_params(loss, apply_fn), poisoned, inputs, targets)
    with pytest.raises(ValueError, match="inputs must be finite, but 5 of 45"):
        outer_prod(loss, apply_fn, params, np.where(np.arange(9)[:, None] == 3, np.inf, inputs), targets)
    with pytest.raises(ValueError, match=r"predictions have shape \(9, 3\) and targets \(9, 1\)"):
        functional_hessian(loss, apply_fn, params, inputs, targets[:, :1])
    with pytest.raises(ValueError, match=r"predictions have shape \(9, 3\) and targets \(9, 1\)"):
        loss_hessian(of_params(loss, apply_fn), params, inputs, targets[:, :1])
    with jax.enable_x64(False), pytest.raises(TypeError, match="JAX is set to float32"):
        outer_prod(loss, apply_fn, params, inputs, targets)


def test_a_hessian_that_does_not_fit(monkeypatch):
    """The message gives its size, the memory there is, and the largest p that fits: sqrt(4 GB / (5 * 8 B)) = 10 000."""
    memory = psutil.virtual_memory()._replace(available=4 * 10**9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    check_memory(10_000)
    with pytest.raises(MemoryError, match=r"p = 10001 .* takes 0.8 GB and 5 .* 4.0 GB; 4.0 GB are free\. .* p = 10000"):
        check_memory(10_001)


def test_the_memory_that_counts_is_the_accelerators(monkeypatch):
    """On a GPU `memory_stats` says what JAX may use there; here a stand-in with 4 GB, half of it taken."""

    class Device:
        def memory_stats(self):
            return {"bytes_limit": 4 * 10**9, "bytes_in_use": 2 * 10**9}

    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    with pytest.raises(MemoryError, match=r"2\.0 GB are free\. That is enough for p = 7071"):
        check_memory(8000)


def test_the_hessians_themselves_refuse_before_computing(monkeypatch):
    loss, apply_fn, params, inputs, targets = problem()
    memory = psutil.virtual_memory()._replace(available=2 * 8 * num_params(params) ** 2 - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    for call in (functional_hessian, outer_prod):
        with pytest.raises(MemoryError, match=r"find the ranks without the matrix, by matrix_free\.sketched_ranks"):
            call(loss, apply_fn, params, inputs, targets)
    with pytest.raises(MemoryError, match=f"enough for p = {num_params(params) - 1}:"):
        loss_hessian(of_params(loss, apply_fn), params, inputs, targets)


def test_the_error_of_the_split_is_relative_to_the_largest_of_the_terms():
    entries = np.arange(9.0).reshape(3, 3)
    assert split_error(HessianTriple(functional=entries, outer=-entries, loss=np.zeros((3, 3)))) == 0
    wrong = entries.copy()
    wrong[1, 2] += 2.0
    assert split_error(HessianTriple(functional=wrong, outer=-entries, loss=np.zeros((3, 3)))) == 2 / 8


def test_three_zero_matrices_agree():
    assert split_error(HessianTriple(*np.zeros((3, 4, 4)))) == 0
