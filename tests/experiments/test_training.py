import io

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tqdm import tqdm

from architectures import fully_connected
from closed_forms import critical_ranks, linear_ranks
from data import get_dataset
from experiments.training import descend, kept_steps, ranks_along, train
from hessians import dense_hessians
from initializers import get_init
from losses import get_loss

DATA = get_dataset("gaussian", 90, 0, 3, 3)  # classes that overlap, so that the cross-entropy has a minimum
BATCHES = [(DATA.x_train, DATA.y_train)]


def network(widths, activation="linear", seed=1):
    init_fn, apply_fn = fully_connected(widths, 3, activation, get_init("glorot"))
    return apply_fn, init_fn(jax.random.PRNGKey(seed), (-1, 3))[1]


def run(optimizer, steps, keep, loss_name="mse", widths=(4,), activation="linear"):
    apply_fn, params = network(list(widths), activation)
    return train(get_loss(loss_name), apply_fn, params, BATCHES, optimizer, steps, keep)


def test_steps_of_gradient_descent_written_out():
    """For L = 1/2 ||X W_1^T W_2^T - Y||^2 with momentum, in NumPy."""
    training = run(optax.sgd(1e-3, momentum=0.5), 3, [3, 0, 2])
    x, y, (a, b) = DATA.x_train, DATA.y_train, map(np.asarray, jax.tree.leaves(network([4])[1]))
    velocity = [np.zeros_like(a), np.zeros_like(b)]
    for step in range(4):
        if step in training.params:
            for found, expected in zip(jax.tree.leaves(training.params[step]), (a, b), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-12)
        residual = x @ a @ b - y
        gradient = [x.T @ residual @ b.T, (x @ a).T @ residual]
        assert training.losses[step] == pytest.approx(0.5 * (residual**2).sum(), rel=1e-12)
        norm = np.sqrt(sum((each**2).sum() for each in gradient))
        assert training.gradient_norms[step] == pytest.approx(norm, rel=1e-12)
        velocity = [0.5 * v + g for v, g in zip(velocity, gradient, strict=True)]
        a, b = a - 1e-3 * velocity[0], b - 1e-3 * velocity[1]
    assert list(training.params) == [0, 2, 3]
    assert len(training.losses) == len(training.gradient_norms) == 4


@pytest.mark.parametrize("steps", [1, 7, 250])
def test_a_bar_counts_the_updates_and_changes_nothing(steps):
    apply_fn, params = network([4])
    setting = get_loss("mse"), apply_fn, params, BATCHES
    with tqdm(file=io.StringIO()) as bar:
        with_bar = train(*setting, optax.sgd(1e-3), steps, [0, steps], bar)
        assert bar.n == steps
    without = train(*setting, optax.sgd(1e-3), steps, [0, steps])
    np.testing.assert_array_equal(with_bar.losses, without.losses)
    assert list(with_bar.params) == list(without.params) == [0, steps]
    with tqdm(file=io.StringIO()) as bar:
        _, along = descend(*setting, 0.1, 0.5, steps, bar)
        assert bar.n == bar.total == 2 * steps
    assert list(along) == kept_steps(steps)


@pytest.mark.parametrize("loss_name", ["mse", "cross"])
@pytest.mark.parametrize("widths", [[4, 4], [2, 4]], ids=["no bottleneck", "bottleneck"])
def test_a_linear_network_ends_at_the_ranks_of_a_minimum(loss_name, widths):
    """H_f at the scale of H_L: 0, or 2 q (s - q) behind a bottleneck."""
    apply_fn, _ = network(widths)
    training = run(optax.sgd(1e-3, momentum=0.9), 20000, [0, 20000], loss_name, widths)
    assert training.gradient_norms[-1] < 1e-11 * training.gradient_norms[0]
    found = ranks_along(
        get_loss(loss_name),
        apply_fn,
        training,
        [(DATA.x_train[:12], DATA.y_train[:12]), (DATA.x_train[12:], DATA.y_train[12:])],
    )
    assert [each.rank for each in found[0]] == list(linear_ranks(3, 3, widths, loss_name))
    assert [each.rank for each in found[20000]] == list(critical_ranks(3, 3, widths, loss_name))
    assert all(each.gap > 1e9 for each in found[20000])
    assert not found[20000].functional.trusted  # the moments of the residuals vanish to rounding only


def test_kept_steps():
    assert kept_steps(1, 5) == [0, 1]
    assert kept_steps(1000, 4) == [0, 1, 10, 100, 1000]
    assert kept_steps(30000)[-1] == 30000
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        kept_steps(0)


def test_batches_add_up():
    apply_fn, params = network([4])
    parts = [(DATA.x_train[:20], DATA.y_train[:20]), (DATA.x_train[20:], DATA.y_train[20:])]
    whole, summed = (
        train(get_loss("mse"), apply_fn, params, batches, optax.sgd(1e-3), 5, [5]) for batches in (BATCHES, parts)
    )
    np.testing.assert_allclose(summed.losses, whole.losses, rtol=1e-12)
    np.testing.assert_allclose(summed.gradient_norms, whole.gradient_norms, rtol=1e-12)
    with pytest.raises(ValueError, match="batches is empty"):
        train(get_loss("mse"), apply_fn, params, [], optax.sgd(1e-3), 5, [5])


def test_the_learning_rate_is_relative_to_the_curvature():
    """One step of `descend` is a step of size rate / lambda_1 along the gradient."""
    apply_fn, params = network([4])
    loss = get_loss("mse")
    training, measured = descend(loss, apply_fn, params, BATCHES, 0.1, 0.0, 1)
    H_L = np.asarray(dense_hessians(loss, apply_fn, params, BATCHES).loss)
    rate = 0.1 / abs(np.linalg.eigvalsh(H_L)).max()
    expected = train(loss, apply_fn, params, BATCHES, optax.sgd(rate), 1, [0, 1])
    np.testing.assert_allclose(training.losses, expected.losses, rtol=1e-12)
    assert list(measured) == [0, 1]
    assert measured[0].loss.rank == linear_ranks(3, 3, [4]).loss


def test_divergence_names_the_step():
    with pytest.raises(FloatingPointError, match=r"after \d+ steps, .* diverged; take a smaller learning rate"):
        run(optax.sgd(10.0), 200, [200])


@pytest.mark.parametrize(
    ("steps", "keep", "message"),
    [
        (0, [0], "steps must be at least 1, got 0"),
        (5, [], r"keep needs steps between 0 and 5, got \[\]"),
        (5, [2, 6], r"keep needs steps between 0 and 5, got \[2, 6\]"),
        (5, [-1], "keep must be at least 0, got -1"),
    ],
)
def test_bad_steps(steps, keep, message):
    with pytest.raises(ValueError, match=message):
        run(optax.sgd(1e-3), steps, keep)


def test_bad_arrays():
    apply_fn, params = network([4])
    arguments = optax.sgd(1e-3), 2, [2]
    single = jax.tree.map(lambda w: w.astype(jnp.float32), params)
    with pytest.raises(TypeError, match="params must be float64, got float32"):
        train(get_loss("mse"), apply_fn, single, BATCHES, *arguments)
    with pytest.raises(ValueError, match="inputs must be finite"):
        train(get_loss("mse"), apply_fn, params, [(np.full_like(DATA.x_train, np.nan), DATA.y_train)], *arguments)


def test_a_zero_hessian_leaves_the_parameters_where_they_are():
    """All units of the relu network are dead: every gradient and every Hessian is zero."""
    init_fn, apply_fn = fully_connected([2], 3, "relu", get_init("glorot"))
    _, params = init_fn(jax.random.PRNGKey(1), (-1, 3))
    params[0] = -abs(params[0])
    batches = [(abs(DATA.x_train), DATA.y_train)]
    training, measured = descend(get_loss("mse"), apply_fn, params, batches, 0.1, 0.9, 5)
    np.testing.assert_array_equal(training.gradient_norms, 0)
    np.testing.assert_array_equal(training.params[5][0], params[0])
    assert [found.rank for found in measured[5]] == [0, 0, 0]


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"rate": np.nan}, ValueError, "rate must be at least 0.0 and below inf, got nan"),
        ({"rate": np.inf}, ValueError, "rate must be at least 0.0 and below inf, got inf"),
        ({"rate": -0.1}, ValueError, "rate must be at least 0.0 .* got -0.1"),
        ({"rate": "0.1"}, TypeError, "rate must be a number, got '0.1' of type str"),
        ({"momentum": 1.0}, ValueError, "momentum must be at least 0.0 and below 1.0, got 1.0"),
        ({"momentum": True}, TypeError, "momentum must be a number, got True of type bool"),
        ({"steps": 10.0}, TypeError, "steps must be an integer, got 10.0"),
        ({"steps": 10**15}, MemoryError, "losses and gradients of 10{15} steps are recorded.* Choose fewer steps"),
    ],
    ids=lambda value: next(iter(value.items())).__repr__() if isinstance(value, dict) else "",
)
def test_bad_numbers(changed, error, message):
    apply_fn, params = network([4])
    numbers = {"rate": 0.1, "momentum": 0.9, "steps": 3} | changed
    with pytest.raises(error, match=message):
        descend(get_loss("mse"), apply_fn, params, BATCHES, *numbers.values())
