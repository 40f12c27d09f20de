"""A reader's own functions: what can be made right is made right, and everything else is refused by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch.utils.data import DataLoader

from dataloader import DatasetTorch
from exact import exact_ranks
from hessians import dense_hessians, functional_hessian, loss_hessian, outer_prod
from losses import get_loss, of_params, squared
from matrix_free import factor_operator, loss_operator, sketched_ranks
from ranks import dense_ranks
from tests.problems import problem

WAYS = {
    "dense matrices": dense_hessians,
    "dense": dense_ranks,
    "matrix-free": sketched_ranks,
    "exact": exact_ranks,
}
RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.standard_normal((25, 3)), RNG.standard_normal((25, 2))
PARAMS = [RNG.standard_normal((3, 3)), RNG.standard_normal((3, 2))]
BATCHES = [(INPUTS[rows], TARGETS[rows]) for rows in (slice(0, 10), slice(10, 20), slice(20, 25))]
EQUAL = BATCHES[:2]  # of the same size, so that one program is compiled where the sizes do not matter


def linear(params, inputs):
    return inputs @ params[0] @ params[1]


def mean(predictions, targets):
    return squared(predictions, targets) / len(predictions)


# --- stale programs


class Frozen:
    """A network with an attribute that a reader replaces, and that is no argument."""

    def __init__(self):
        self.layer = np.eye(3)

    def __call__(self, params, inputs):
        return inputs @ self.layer @ params[0] @ params[1]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_function_contains_can_be_replaced(way):
    """A layer that is frozen, here of rank 2 after rank 3, is seen by the next call."""
    network, answers = Frozen(), []
    for layer in (np.eye(3), np.diag([1.0, 1.0, 0.0]), np.eye(3)):
        network.layer = layer
        outer = WAYS[way](squared, network, PARAMS, EQUAL)[1]
        answers.append(outer.rank if hasattr(outer, "rank") else np.linalg.matrix_rank(outer))
    q = 2
    assert answers == [q * (3 + 2 - q), q * (2 + 2 - q), q * (3 + 2 - q)]


def test_a_weight_of_the_loss_can_be_replaced():
    weights = np.array([1.0, 1.0])
    loss = lambda predictions, targets: jnp.sum(weights * (predictions - targets) ** 2)
    first = outer_prod(loss, linear, PARAMS, INPUTS, TARGETS)
    weights = np.array([3.0, 3.0])
    assert_allclose(outer_prod(loss, linear, PARAMS, INPUTS, TARGETS), 3 * first, rtol=1e-12)
    assert_allclose(loss_operator(loss, linear, PARAMS, BATCHES)(np.eye(15)[:1]).shape, (1, 15))


def test_the_same_function_is_compiled_once():
    from matvecs import _outer_prod

    outer_prod(squared, linear, PARAMS, INPUTS, TARGETS)
    before = _outer_prod._cache_size()
    outer_prod(squared, linear, PARAMS, INPUTS + 1, TARGETS)
    assert _outer_prod._cache_size() == before


# --- losses that are no sums


@pytest.mark.parametrize("way", WAYS)
def test_a_mean_over_batches_of_different_sizes_is_refused_or_weighed(way):
    with pytest.raises(ValueError, match=r'the loss must be a sum .* It is a mean: pass reduction="mean"'):
        WAYS[way](mean, linear, PARAMS, BATCHES)
    found = WAYS[way](mean, linear, PARAMS, BATCHES, reduction="mean")
    whole = WAYS[way](squared, linear, PARAMS, BATCHES)
    for one, other in zip(found, whole, strict=True):
        if way == "dense matrices":
            assert_allclose(one, other / 25, atol=1e-13)
        else:
            assert one.rank == other.rank


def test_matrices_of_a_mean_at_its_minimum():
    """At the least-squares solution, H_f vanishes over all batches together: its rank is 0, not that of their sizes."""
    whole = np.linalg.lstsq(INPUTS, TARGETS)[0]
    params = [np.eye(3)[:, :3], whole]
    found = dense_ranks(mean, linear, params, BATCHES, near_minimum=True, reduction="mean")
    assert [rank.rank for rank in found] == [0, 10 - 4, 10 - 4]
    scales = dense_ranks(squared, linear, params, BATCHES, near_minimum=True)
    assert_allclose(found.loss.spectrum[0], scales.loss.spectrum[0] / 25)


def test_products_of_a_mean():
    V = np.eye(15)[:4]
    ours = loss_operator(mean, linear, PARAMS, BATCHES, reduction="mean")(V)
    assert_allclose(ours, loss_operator(squared, linear, PARAMS, BATCHES)(V) / 25, atol=1e-14)
    with pytest.raises(ValueError, match="reduction must be 'sum' or 'mean', got 'average'"):
        dense_ranks(mean, linear, PARAMS, BATCHES, reduction="average")


def test_one_batch_may_have_any_loss():
    """Then there is nothing to add up, and the Hessian is that of the loss as it is called."""
    loss = lambda predictions, targets: squared(predictions, targets) / (1 + jnp.sum(targets**2))
    H_f, H_o, H_L = dense_hessians(loss, linear, PARAMS, [(INPUTS, TARGETS)])
    assert_allclose(H_f + H_o, H_L, atol=1e-14)
    with pytest.raises(ValueError, match="Sum it over the samples, without other terms"):
        dense_hessians(loss, linear, PARAMS, BATCHES)


def batch_norm(params, inputs):
    hidden = inputs @ params[0]
    return (hidden - hidden.mean(axis=0)) / hidden.std(axis=0) @ params[1]


@pytest.mark.parametrize("way", WAYS)
def test_batch_normalization_in_training_mode_is_refused(way):
    with pytest.raises(ValueError, match=r"depend on the other samples of its batch.* into evaluation mode"):
        WAYS[way](squared, batch_norm, PARAMS, BATCHES)


def test_outputs_that_cancel_are_no_batch_normalization():
    """The product of the weights is zero but for rounding, which depends on how many samples are multiplied at once."""
    first = np.array([[0.1, 0.3], [0.7, 0.9], [1.1, 0.2]])
    second = np.linalg.svd(first @ np.diag([1.0, 1e-17]))[2].T[:, 1:]
    found = dense_ranks(squared, linear, [first, second], [(x, y[:, :1]) for x, y in EQUAL])
    assert found.outer.rank > 0


# --- random parts


MASKS = np.random.default_rng(1)


def dropout(params, inputs):
    return inputs @ (params[0] * MASKS.random((3, 3))) @ params[1]


@pytest.mark.parametrize(
    "call",
    [
        *(lambda way=way: way(squared, dropout, PARAMS, BATCHES) for way in WAYS.values()),
        lambda: functional_hessian(squared, dropout, PARAMS, INPUTS, TARGETS),
        lambda: loss_hessian(of_params(squared, dropout), PARAMS, INPUTS, TARGETS),
        lambda: factor_operator(squared, dropout, PARAMS, BATCHES),
    ],
    ids=[*WAYS, "functional_hessian", "loss_hessian", "factor_operator"],
)
def test_random_parts_are_refused(call):
    with pytest.raises(ValueError, match="has random parts, such as dropout with NumPy's generator"):
        call()


def test_a_shuffled_loader_has_one_rank():
    loader = DataLoader(DatasetTorch(INPUTS, TARGETS), batch_size=10, shuffle=True)
    found = sketched_ranks(squared, linear, PARAMS, loader)
    assert [rank.rank for rank in found] == [12, 6, 14]
    assert [rank.grade for rank in found] == ["clear"] * 3


@pytest.mark.parametrize("name", ["batch_stats", "cache"])
def test_the_state_of_a_model_is_not_counted(name):
    params = {"params": PARAMS, name: {"mean": np.zeros(3)}}
    apply_fn = lambda variables, inputs: linear(variables["params"], inputs - variables[name]["mean"])
    with pytest.raises(
        ValueError, match=rf"params holds '{name}', the state of a model, .* such as variables\['params'\]"
    ):
        dense_ranks(squared, apply_fn, params, BATCHES)


# --- derivatives that are none


RELUS = {
    "jax.nn.relu": jax.nn.relu,
    "maximum": lambda z: jnp.maximum(z, 0.0),
    "where": lambda z: jnp.where(z > 0, z, 0.0),
    "times": lambda z: z * jnp.asarray(z > 0, float),
}


@pytest.mark.parametrize("spelling", RELUS)
def test_a_unit_on_its_kink_is_refused_however_relu_is_spelt(spelling):
    """In the last batch, so that the other does not hide it."""
    network = lambda params, inputs: RELUS[spelling](inputs @ params[0]) @ params[1]
    params = [PARAMS[0].copy(), PARAMS[1]]
    params[0][:, 1] = [1.0, 1.0, 0.5]
    inputs = INPUTS.copy()
    inputs[19] = [1.0, -2.0, 2.0]
    batches = [EQUAL[0], (inputs[10:20], TARGETS[10:20])]
    aside = [PARAMS[0].copy(), PARAMS[1]]
    aside[0][:, 1] = params[0][:, 1] + 0.01
    for way in (dense_ranks, dense_hessians, sketched_ranks):
        with pytest.raises(ValueError, match="sits on its kink, where there is no Hessian"):
            way(squared, network, params, batches)
        way(squared, network, aside, batches)  # a little aside there is one


CUSTOM = jax.custom_vjp(lambda x: x**2)
CUSTOM.defvjp(lambda x: (x**2, x), lambda x, cotangent: (3 * x * cotangent,))

HIDDEN = {
    "stop_gradient": lambda w, x: x @ w[0] @ jax.lax.stop_gradient(w[1]) @ w[1].T @ w[1],
    "straight-through": lambda w, x: x @ (w[0] + jax.lax.stop_gradient(jnp.sign(w[0]) - w[0])) @ w[1],
    "custom derivative": lambda w, x: x @ CUSTOM(w[0]) @ w[1],
}


@pytest.mark.parametrize("network", HIDDEN)
def test_hidden_dependences_are_refused(network):
    with pytest.raises(ValueError, match=r"is not the derivative of .*pass what is to stay fixed as constants"):
        dense_ranks(squared, HIDDEN[network], PARAMS, EQUAL)


@pytest.mark.parametrize(
    ("activation", "loss_name"),
    [("linear", "mse"), ("linear", "cosh"), ("linear", "cross"), ("relu", "cross"), ("tanh", "cosh")],
)
def test_no_false_alarm_at_any_scale(activation, loss_name):
    """Of the data, where losses saturate and steps of 1e-5 are long."""
    loss, apply_fn, params, inputs, targets = problem(activation, loss_name)
    for scale in (1e-8, 1e8):
        dense_hessians(loss, apply_fn, params, [(scale * inputs, targets)])


def test_no_false_alarm_at_a_minimum():
    """Gradient 0, residuals of any size: H_f is rounding, and its rank is 0 whether or not one says so."""
    solution = np.linalg.lstsq(INPUTS, TARGETS)[0]
    params = [np.eye(3), solution]
    for way in (dense_ranks, sketched_ranks):
        found = way(squared, linear, params, BATCHES, near_minimum=True)
        assert [rank.rank for rank in found] == [0, 6, 6]
        assert found.functional.grade == "open"
        assert [rank.rank for rank in way(squared, linear, params, BATCHES)][1:] == [6, 6]


# --- dtypes, each with its own remedy


@pytest.mark.parametrize(
    ("params", "targets", "message"),
    [
        (
            [PARAMS[0], 0.5],
            TARGETS,
            r"params must be float64, got a Python float: make an array of it, params\[1\] = num",
        ),
        (
            [np.arange(9).reshape(3, 3), PARAMS[1]],
            TARGETS,
            r"got int64: integers have no derivatives; take params\[0\]",
        ),
        ([PARAMS[0] > 0, PARAMS[1]], TARGETS, "params must be float64, got bool: integers have no derivatives"),
        ([PARAMS[0] + 0j, PARAMS[1]], TARGETS, "got complex128: make the real and the imaginary parts"),
        (
            [PARAMS[0], DatasetTorch(INPUTS, TARGETS)[0][0]],
            TARGETS,
            r"got a PyTorch tensor of torch.float64: take params\[1\]\.detach\(\)\.numpy\(\)",
        ),
        ([PARAMS[0].astype("float32"), PARAMS[1]], TARGETS, r"got float32: make params\[0\] again in float64"),
    ],
    ids=["Python float", "integers", "booleans", "complex", "PyTorch", "float32"],
)
def test_every_dtype_has_its_remedy(params, targets, message):
    with pytest.raises(TypeError, match=message):
        dense_ranks(squared, linear, params, [(INPUTS, targets)])


def test_the_loss_of_a_name_is_returned_as_it_is():
    """`has_root` recognizes the losses of `losses` by their identity."""
    from premises import pure

    loss, network = pure((get_loss("cross"), linear), PARAMS, INPUTS, TARGETS)
    assert loss is get_loss("cross")
    assert network is pure((get_loss("cross"), linear), PARAMS, INPUTS + 1, TARGETS)[1]
