"""The grades of ranks: right, or open with a reason, where float64 alone was once wrong. Exact ranks judge."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose

from architectures import fully_connected
from closed_forms import linear_ranks
from counting import NumericalRank
from data import get_dataset
from exact import ExactRank, exact_ranks, quick_ranks
from frozen import UnfreezableError, decides, frozen
from grades import against_bound, against_twin, proved
from hessians import HessianTriple, dense_hessians, outer_prod
from initializers import get_init
from losses import curvature_root, get_loss, squared
from matrix_free import loss_operator, sketched_ranks
from ranks import dense_ranks, singular_rank
from twins import twin

WAYS = {"dense": dense_ranks, "matrix-free": sketched_ranks}


def network(widths, activation="linear", bias=False, scale=1.0, seed=1):
    """Return apply_fn and params of a network with these widths, inputs and outputs included."""
    dim, *hidden, outputs = widths
    init_fn, apply_fn = fully_connected(hidden, outputs, activation, get_init("glorot"), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(seed), (-1, dim))
    return apply_fn, jax.tree.map(lambda W: scale * np.asarray(W), params)


def check_right_or_open(way, *problem, exact=None):
    """Check the ranks of a network, and return (ranks, grades, exact ranks)."""
    found = WAYS[way](*problem)
    truth = [rank.rank for rank in exact or exact_ranks(*problem)]
    for one, true in zip(found, truth, strict=True):
        if one.trusted:
            assert one.rank == true, (one, true)
        else:
            assert "exact.exact_ranks settles it" in one.reason
    return [one.rank for one in found], [one.grade for one in found], truth


# --- what once was wrong with the mark on


@pytest.mark.parametrize("way", WAYS)
def test_a_deep_bottleneck_with_large_targets(way):
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((19, 9))
    batch = inputs, 1000 * rng.choice([-1.0, 1.0], (19, 1))
    apply_fn, params = network([9, 2, 2, 5, 2, 5, 4, 2, 1], bias=True, scale=0.1)
    ranks, grades, truth = check_right_or_open(way, squared, apply_fn, params, [batch])
    assert truth == [44, 10, 54]
    assert (ranks[2], grades[2]) == (45, "open")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("exponent", [-1, -4, -8, -12, -15, -17])
def test_collinear_inputs(way, exponent):
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 9))
    inputs = np.stack([first, first + 10.0**exponent * second], axis=1)
    problem = squared, *network([2, 3, 2]), [(inputs, rng.standard_normal((9, 2)))]
    ranks, grades, truth = check_right_or_open(way, *problem)
    if exponent == -8:
        assert truth == [12, 4, 12]
        assert (ranks[1], grades[1]) == (4, "clear")  # by the factor


@pytest.mark.parametrize("way", WAYS)
def test_small_inputs(way):
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((20, 6)) * [1, 1, 1, 1e-9, 1e-9, 1e-9]
    problem = squared, *network([6, 4, 2]), [(inputs, rng.standard_normal((20, 2)))]
    ranks, grades, truth = check_right_or_open(way, *problem)
    assert truth == [16, 12, 24]
    assert (ranks[1], grades[1]) == (12, "clear")
    assert grades[2] == "open"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("loss_name", "weights", "shift"),
    [("cosh", 1, 25), ("cosh", 30, 0), ("cross", 20, 0), ("cross", 60, 0), ("cross", 60, "right"), ("cross", 400, 0)],
)
def test_saturated_losses(way, loss_name, weights, shift):
    rng = np.random.default_rng(0)
    apply_fn, params = network([3, 4, 3])
    inputs, params = rng.standard_normal((10, 3)), [params[0], weights * params[1]]
    classes = np.argmax(apply_fn(params, inputs), axis=1) if shift == "right" else rng.integers(3, size=10)
    targets = np.eye(3)[classes] if loss_name == "cross" else rng.standard_normal((10, 3)) + shift
    check_right_or_open(way, get_loss(loss_name), apply_fn, params, [(inputs, targets)])


def test_an_underflow_is_no_rank_of_zero():
    rng = np.random.default_rng(0)
    batch = 1e6 * rng.standard_normal((10, 3)), np.eye(3)[rng.integers(3, size=10)]
    for way in WAYS.values():
        outer = way(get_loss("cross"), *network([3, 4, 3]), [batch]).outer
        assert (outer.rank, outer.gap, outer.grade) == (0, np.inf, "open")


@pytest.mark.parametrize("far", [20.0, 37.0, 200.0])
def test_curvatures_of_saturated_outputs_are_accurate_relative_to_themselves(far):
    """H_o of f(x) = W x at x = 1 is the Hessian of the loss; the roots, written down, have no cancellation."""
    for name, targets in (("cross", np.eye(3)[:1]), ("cosh", np.zeros((1, 3)))):
        outputs = np.array([[far, 0.5, -1.0]])
        root = np.stack([curvature_root(get_loss(name))(outputs, targets, v[None])[0] for v in np.eye(3)], axis=1)
        found = outer_prod(get_loss(name), lambda W, x: x @ W, outputs, np.ones((1, 1)), targets)
        assert_allclose(found, root.T @ root, rtol=1e-12)
    pi = np.exp(np.array([0.0, 0.5 - far, -1.0 - far]))
    found = outer_prod(get_loss("cross"), lambda W, x: x @ W, outputs, np.ones((1, 1)), np.eye(3)[:1])
    assert_allclose(found[0], [pi[1] + pi[2], -pi[1], -pi[2]], rtol=1e-7)


SCALES = [("weights", 1e-5), ("weights", 1e-4), ("weights", 1e5), ("data", 1e-7), ("data", 1e8), ("data", 1e-30)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bias", [False, True])
def test_scales_of_weights_and_data(bias, way):
    data = get_dataset("digits", 20, 0, 9, 4)
    open_ones = 0
    for what, scale in SCALES:
        apply_fn, params = network([9, 3, 5, 4], bias=bias, scale=scale if what == "weights" else 1.0)
        inputs = data.x_train * (scale if what == "data" else 1.0)
        problem = squared, apply_fn, params, [(inputs, data.y_train)]
        _, grades, truth = check_right_or_open(way, *problem)
        assert truth == ([45, 30, 60] if not bias else truth)
        open_ones += grades.count("open")
    assert open_ones > 3


@pytest.mark.parametrize("activation", ["tanh", "gelu", "elu"])
def test_small_weights_of_smooth_networks(activation):
    """They are nearly linear: what the curvature adds may be far below rounding."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((10, 4)), rng.standard_normal((10, 3))
    for scale in (1e-9, 1e-3, 1.0):
        check_right_or_open("dense", squared, *network([4, 3, 3], activation, scale=scale), [batch])


# --- what keeps the mark


def test_ordinary_ranks_are_clear():
    counts = []
    for (widths, activation), loss_name in itertools.product(
        [([9, 3, 5, 4], "linear"), ([9, 5, 3, 4], "relu"), ([4, 3, 4], "tanh")], ["mse", "cross", "cosh"]
    ):
        data = get_dataset("digits", 30, 0, widths[0], 4)
        problem = get_loss(loss_name), *network(widths, activation), [(data.x_train, data.y_train)]
        counts += [rank.trusted for rank in dense_ranks(*problem)]
    assert sum(counts) >= 0.9 * len(counts)


def test_constant_and_equal_inputs_are_kept_in_the_twin():
    rng = np.random.default_rng(0)
    column = rng.standard_normal(12)
    inputs = np.stack([column, np.full(12, 0.3), column, np.zeros(12), rng.standard_normal(12)], axis=1)
    for bias in (False, True):
        problem = squared, *network([5, 3, 2], bias=bias), [(inputs, rng.standard_normal((12, 2)))]
        _, grades, _ = check_right_or_open("dense", *problem)
        assert grades == ["clear"] * 3


@pytest.mark.parametrize("way", WAYS)
def test_a_bound_takes_the_twins_place(way):
    rng = np.random.default_rng(0)
    problem = squared, *network([5, 3, 2]), [(rng.standard_normal((12, 5)), rng.standard_normal((12, 2)))]
    found = WAYS[way](*problem, bound=linear_ranks(5, 2, [3]))
    assert [(one.grade, one.reason) for one in found] == [("clear", "it is as large as the bound allows")] * 3
    above, below = (WAYS[way](*problem, bound=HessianTriple(*3 * [most])) for most in (21, 3))
    assert {one.grade for one in (*above, *below)} == {"open"}
    assert "what is missing may be below rounding" in above.loss.reason
    assert "the rank cannot exceed 3" in below.loss.reason


def test_networks_without_a_twin_are_open():
    """Pooling decides where no rule follows it, and a logarithm has no value at random arguments."""
    rng = np.random.default_rng(0)
    batch, params = (rng.standard_normal((6, 4)), rng.standard_normal((6, 2))), [rng.standard_normal((4, 2))]
    pooled = lambda w, x: jax.lax.sort(x @ w[0], dimension=1)
    found = dense_ranks(squared, pooled, params, [batch])
    assert found.outer.grade == "open"
    assert "'sort' decides by comparisons" in found.outer.reason
    positive = [abs(params[0]) + 1]
    found = dense_ranks(squared, lambda w, x: jnp.log(x**2 @ w[0]), positive, [batch])
    assert found.outer.reason.startswith("with other weights and data the Hessian is not finite")


# --- the rules


def test_the_rules():
    rank = lambda rank, gap, length=9: NumericalRank(rank, gap, 1e-13, np.ones(length))
    assert against_twin(rank(5, 1e4), rank(5, 1e9)).grade == "clear"
    assert against_twin(rank(9, 1e4), rank(9, 10.0)).grade == "clear"  # there is no more than all of them
    for found, other, reason in [
        (rank(5, 9e2), rank(5, 1e9), "the gap 9e+02 is below 1e+03"),
        (rank(5, 1e15), rank(6, 1e9), "the rank is at least 6"),
        (rank(6, 1e15), rank(5, 1e9), "it is 5 at most, so rounding has been counted"),
        (rank(5, 1e15), rank(5, 1e5), "has no cliff either"),
        (rank(6, 1e15), rank(5, 1e5), "has no cliff either"),
        (rank(5, 1e15), None, "why not"),
    ]:
        graded = against_twin(found, other, "why not")
        assert graded.grade == "open"
        assert reason in graded.reason
        assert "exact.exact_ranks settles it" in graded.reason
    assert "below 1e+03" in against_bound(rank(5, 3.0), 5).reason
    sure = proved(rank(5, 1e9), ExactRank(6))
    assert (sure.rank, sure.grade, sure.reason) == (6, "proved", "exact arithmetic says so, while float64 shows 5")
    assert proved(rank(5, 1e9), ExactRank(5)).reason == "exact arithmetic says so"


def test_grades_of_a_matrix_of_data():
    """The stored numbers are the truth, and there are no more dimensions than rows or columns that are not zero."""
    rng = np.random.default_rng(0)
    full = rng.standard_normal((9, 4))
    assert singular_rank(full).grade == "clear"
    assert singular_rank(full * [1, 1, 0, 1]).grade == "clear"
    dependent = singular_rank(np.c_[full, full.sum(axis=1)])
    assert (dependent.rank, dependent.grade) == (4, "open")
    assert dependent.reason.endswith("exact.exact_rank settles it")
    assert singular_rank(full * [1, 1, 1e-13, 1]).grade == "open"


def test_exact_ranks_where_they_take_seconds():
    rng = np.random.default_rng(0)
    batch = lambda n: [(rng.standard_normal((n, 5)), rng.standard_normal((n, 2)))]
    linear, smooth = network([5, 3, 2]), network([5, 3, 2], "tanh")
    assert [rank.rank for rank in quick_ranks(squared, *linear, batch(12))] == list(linear_ranks(5, 2, [3]))
    assert quick_ranks(squared, *smooth, batch(12)).loss.digits == 300
    assert quick_ranks(squared, *smooth, batch(1000)) is None
    assert quick_ranks(squared, lambda w, x: jnp.linalg.inv(w[0]) @ x.T, [np.eye(5)], [(np.eye(5), np.eye(5))]) is None


# --- the parts


def test_a_frozen_function_is_smooth_and_has_the_same_derivatives():
    rng = np.random.default_rng(0)
    function = lambda w, x: jnp.sum(jax.nn.elu(jnp.max(jax.nn.relu(x @ w), axis=1)) * jnp.abs(jnp.min(x @ w, axis=1)))
    weights, inputs = rng.standard_normal((4, 3)), rng.standard_normal((6, 4))
    assert decides(function, weights, inputs)
    assert not decides(lambda w, x: jnp.tanh(x @ w), weights, inputs)
    g = lambda w: frozen(function)((w, inputs), (weights, inputs))
    for derivative in (lambda f: f, jax.grad, jax.hessian):
        assert_allclose(derivative(g)(weights), derivative(lambda w: function(w, inputs))(weights), atol=1e-12)
    with pytest.raises(UnfreezableError, match="'sort' decides"):
        frozen(lambda w: jnp.sort(w))((weights,), (weights,))


def test_a_twin_keeps_what_is_zero_constant_or_equal():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((6, 4))
    inputs[:, 1], inputs[:, 3], inputs[2, 0] = 0.3, inputs[:, 2], 0.0
    params = [np.array([[1.0, 0.0], [2.0, 3.0], [1.0, 1.0], [4.0, 1.0]]), np.array([0.0, -2.0])]
    batches = [(inputs[:4], np.eye(2)[[0, 1, 0, 1]]), (inputs[4:], np.eye(2))]
    other = twin(squared, lambda w, x: x @ w[0] + w[1], params, batches)
    assert_allclose(np.asarray(other.params[0] != 0), params[0] != 0)
    assert_allclose(np.sign(other.params[1]), [0, -1])
    new = np.concatenate([x for x, _ in other.batches])
    assert new[2, 0] == 0
    assert np.ptp(new[:, 1]) == 0 < np.ptp(new[:, 2])
    assert_allclose(new[:, 2], new[:, 3], rtol=0)
    assert_allclose(np.concatenate([y for _, y in other.batches]) != 0, np.eye(2)[[0, 1, 0, 1, 0, 1]] != 0)
    assert not np.isclose(new, inputs)[:, [0, 2]].any(axis=0).all()


def test_activations_fit_in_memory():
    """One batch of 10 000 samples at p = 1100 took 1.7 GB, where 0.02 were checked."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((10_000, 30)), rng.standard_normal((10_000, 4))
    problem = squared, *network([30, 30, 4], "tanh"), [batch]
    process = psutil.Process()
    before = process.memory_info().rss
    V = np.eye(1020)[:64]
    whole = loss_operator(*problem)(V)
    dense = dense_hessians(*problem).loss
    assert process.memory_info().rss - before < 6e8
    assert_allclose(whole, dense[:64], rtol=1e-9, atol=1e-9)
