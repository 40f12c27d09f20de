import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from losses import LOSSES, MORE_LOSSES, curvature_root, get_loss, has_root, of_params

RNG = np.random.default_rng(0)
PREDICTIONS = RNG.normal(size=(4, 3))
ONE_HOT = np.eye(3)[[0, 2, 1, 1]]
SOFTMAX = np.exp(PREDICTIONS) / np.exp(PREDICTIONS).sum(axis=1, keepdims=True)
RESIDUAL = PREDICTIONS - ONE_HOT

# name: value, gradient (n, K), Hessian of each sample (n, K, K), all written out
EXPECTED = {
    "mse": (0.5 * (RESIDUAL**2).sum(), RESIDUAL, np.stack([np.eye(3)] * 4)),
    "cross": (
        -(ONE_HOT * np.log(SOFTMAX)).sum(),
        SOFTMAX - ONE_HOT,
        np.stack([np.diag(row) - np.outer(row, row) for row in SOFTMAX]),
    ),
    "cosh": (
        np.log(np.cosh(RESIDUAL)).sum(),
        np.tanh(RESIDUAL),
        np.stack([np.diag(row) for row in 1 - np.tanh(RESIDUAL) ** 2]),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_value_gradient_and_hessian_are_the_formulas(name):
    loss = get_loss(name)
    value, gradient, hessian = EXPECTED[name]
    assert_allclose(loss(PREDICTIONS, ONE_HOT), value, rtol=1e-14)
    assert_allclose(jax.grad(loss)(PREDICTIONS, ONE_HOT), gradient, atol=1e-15)
    full = np.asarray(jax.hessian(loss)(PREDICTIONS, ONE_HOT))
    for i in range(4):
        for j in range(4):
            assert_allclose(full[i, :, j], hessian[i] if i == j else np.zeros((3, 3)), atol=1e-15)


def test_log_cosh_does_not_overflow():
    loss, far = get_loss("cosh"), jnp.array([[1000.0, -1000.0]])
    zero = jnp.zeros((1, 2))
    assert_allclose(loss(far, zero), 2 * (1000 - np.log(2)), rtol=1e-15)
    assert_allclose(jax.grad(loss)(far, zero), [[1.0, -1.0]])
    assert np.isfinite(jax.hessian(loss)(far, zero)).all()


@pytest.mark.parametrize("name", EXPECTED)
def test_shapes_must_be_equal(name):
    with pytest.raises(ValueError, match=r"predictions have shape \(4, 3\) and targets \(4, 1\)"):
        get_loss(name)(PREDICTIONS, ONE_HOT[:, :1])


def test_cross_entropy_of_one_output_is_refused():
    with pytest.raises(ValueError, match="at least two outputs"):
        get_loss("cross")(PREDICTIONS[:, :1], ONE_HOT[:, :1])


def test_unknown_name_lists_the_choices():
    names = "'mse', 'cross', 'cosh', 'nll', 'bce', 'huber', 'gaussian'"
    with pytest.raises(ValueError, match=f"unknown loss 'hinge'; choose one of {names} as loss_name"):
        get_loss("hinge")


def test_of_params_composes_network_and_loss():
    loss_params = of_params(get_loss("mse"), lambda params, x: x @ params[0])
    W, x = RNG.normal(size=(2, 3)), RNG.normal(size=(4, 2))
    assert_allclose(loss_params([W], x, ONE_HOT), 0.5 * ((x @ W - ONE_HOT) ** 2).sum(), rtol=1e-14)


@pytest.mark.parametrize("name", LOSSES)
def test_curvature_root(name):
    """R^T R is the Hessian of the loss in the outputs, by jax.hessian; targets need not be one-hot."""
    rng = np.random.default_rng(8)
    loss, (outputs, targets) = get_loss(name), np.abs(rng.normal(size=(2, 4, 3)))
    root = lambda v: curvature_root(loss)(outputs, targets, v)
    R = jax.jacobian(root)(jnp.zeros((4, 3))).reshape(12, 12)
    expected = jax.hessian(lambda f: loss(f, targets))(outputs).reshape(12, 12)
    np.testing.assert_allclose(R.T @ R, expected, atol=1e-14)


def test_the_root_of_a_zero_is_a_zero():
    """Cross-entropy's Hessian has the null vector 1; the root of the zero eigenvalue as computed would be 1e-8."""
    outputs, ones = 10 * np.random.default_rng(9).normal(size=(6, 5)), np.ones((6, 5))
    assert abs(curvature_root(get_loss("cross"))(outputs, np.eye(5)[[0, 1, 2, 3, 4, 0]], ones)).max() < 1e-15


def test_an_unknown_root():
    assert has_root(get_loss("mse"))
    assert not has_root(jnp.sum)
    with pytest.raises(
        ValueError, match=r"root of .*sum.* known, only those of losses.squared, cross_entropy, class_entropy"
    ):
        curvature_root(jnp.sum)


OUTPUTS = RNG.normal(size=(6, 4))
LABELS = np.array([0, 3, 1, -100, 2, 2])
MORE = {  # targets, and the same loss by PyTorch
    "nll": (LABELS, lambda f, y: torch.nn.functional.cross_entropy(f, y, reduction="sum")),
    "bce": (
        RNG.random((6, 4)),
        lambda f, y: torch.nn.functional.binary_cross_entropy_with_logits(f, y, reduction="sum"),
    ),
    "huber": (2 * RNG.normal(size=(6, 4)), lambda f, y: torch.nn.functional.huber_loss(f, y, reduction="sum")),
    "gaussian": (
        RNG.normal(size=(6, 2)),
        lambda f, y: torch.nn.functional.gaussian_nll_loss(f[:, :2], y, f[:, 2:].exp(), eps=0, reduction="sum"),
    ),
}


@pytest.mark.parametrize("name", MORE_LOSSES)
def test_value_slope_and_curvature_are_those_of_pytorch(name):
    targets, reference = MORE[name]
    loss, theirs = get_loss(name), lambda f: reference(f, torch.tensor(targets))
    outputs = torch.tensor(OUTPUTS, requires_grad=True)
    np.testing.assert_allclose(loss(OUTPUTS, targets), theirs(outputs).detach(), rtol=1e-13)
    slope = torch.autograd.grad(theirs(outputs), outputs)[0]
    np.testing.assert_allclose(jax.grad(loss)(OUTPUTS, targets), slope, atol=1e-14)
    curvature = torch.autograd.functional.hessian(theirs, outputs)
    np.testing.assert_allclose(jax.hessian(loss)(OUTPUTS, targets), curvature, atol=1e-13)
    assert has_root(loss) == (name != "gaussian")
    if has_root(loss):
        R = jax.jacobian(lambda v: curvature_root(loss)(OUTPUTS, targets, v))(jnp.zeros((6, 4))).reshape(24, 24)
        np.testing.assert_allclose(R.T @ R, curvature.reshape(24, 24), atol=1e-14)


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "slope", "curvature"),
    [
        # 1 - sigmoid(50) = exp(-50) / (1 + exp(-50)), which a difference of float64 numbers would make 0
        ("bce", np.array([[50.0]]), np.array([[1.0]]), -np.exp(-50), np.exp(-50)),
        ("nll", np.array([[50.0, 0.0]]), np.array([0]), -np.exp(-50), np.exp(-50)),
    ],
)
def test_derivatives_of_saturated_losses_keep_their_digits(name, outputs, targets, slope, curvature):
    loss = get_loss(name)
    np.testing.assert_allclose(jax.grad(loss)(outputs, targets).ravel()[0], slope, rtol=1e-14)
    np.testing.assert_allclose(jax.hessian(loss)(outputs, targets).ravel()[0], curvature, rtol=1e-14)


def test_logarithms_of_probabilities_have_the_same_likelihood():
    logarithms = jax.nn.log_softmax(OUTPUTS)
    np.testing.assert_allclose(get_loss("nll")(logarithms, LABELS), get_loss("nll")(OUTPUTS, LABELS), rtol=1e-14)


def test_a_class_that_does_not_exist_makes_the_loss_nan():
    assert np.isnan(get_loss("nll")(OUTPUTS, np.full(6, 4)))
