"""The grades of ranks: right, or open with a reason, where float64 alone was once wrong. Exact ranks judge."""

import concurrent.futures
import time

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
from frozen import UnfreezableError, decides, frozen, program
from grades import against_bound, against_twin, proved
from hessians import HessianTriple, dense_hessians, outer_prod
from initializers import get_init
from losses import curvature_root, get_loss, squared
from matrix_free import loss_operator, sketched_ranks
from problem import Problem, pose
from ranks import dense_ranks, singular_rank
from twins import twin

WAYS = {"dense": dense_ranks, "matrix-free": sketched_ranks}


def network(widths, activation="linear", bias=False, scale=1.0, seed=1):
    """Return apply_fn and params of a network with these widths, inputs and outputs included."""
    dim, *hidden, outputs = widths
    init_fn, apply_fn = fully_connected(hidden, outputs, activation, get_init("glorot"), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(seed), (-1, dim))
    return apply_fn, jax.tree.map(lambda W: scale * np.asarray(W), params)


def check_right_or_open(*problem, ways=WAYS):
    """Check the ranks of a network in each way; return [(ranks, grades) of each way], and the exact ranks."""
    truth = [rank.rank for rank in exact_ranks(*problem)]
    found = []
    for way in ways:
        ranks = WAYS[way](*problem)
        for one, true in zip(ranks, truth, strict=True):
            if one.trusted:
                assert one.rank == true, (way, one, true)
            else:
                assert "exact.exact_ranks settles it" in one.reason
        found.append(([one.rank for one in ranks], [one.grade for one in ranks]))
    return found, truth


# --- what once was wrong with the mark on; the deep bottleneck is in test_graded.py

SMALL, SAMPLES, TRUTH = [5, 3, 2], 12, list(linear_ranks(5, 2, [3]))  # what is compiled for it serves several tests


@pytest.mark.parametrize("exponent", [-1, -4, -8, -12, -15, -17])
def test_collinear_inputs(exponent):
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((SAMPLES, 5))
    inputs[:, 1:] = inputs[:, :1] + 10.0**exponent * inputs[:, 1:]
    problem = squared, *network(SMALL), [(inputs, rng.standard_normal((SAMPLES, 2)))]
    found, truth = check_right_or_open(*problem)
    if exponent == -8:
        assert truth == TRUTH
        for ranks, grades in found:
            assert (ranks[1], grades[1]) == (TRUTH[1], "clear")  # by the factor


def test_small_inputs():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((SAMPLES, 5)) * [1, 1, 1e-9, 1e-9, 1e-9]
    problem = squared, *network(SMALL), [(inputs, rng.standard_normal((SAMPLES, 2)))]
    found, truth = check_right_or_open(*problem)
    assert truth == TRUTH
    for ranks, grades in found:
        assert (ranks[1], grades[1]) == (TRUTH[1], "clear")
        assert grades[2] == "open"


@pytest.mark.parametrize(
    ("loss_name", "cases"),
    [("cosh", [(1, 25), (30, 0)]), ("cross", [(20, 0), (60, 0), (60, "right"), (400, 0)])],
)
def test_saturated_losses(loss_name, cases):
    for weights, shift in cases:
        rng = np.random.default_rng(0)
        apply_fn, params = network([3, 4, 3])
        inputs, params = rng.standard_normal((10, 3)), [params[0], weights * params[1]]
        classes = np.argmax(apply_fn(params, inputs), axis=1) if shift == "right" else rng.integers(3, size=10)
        targets = np.eye(3)[classes] if loss_name == "cross" else rng.standard_normal((10, 3)) + shift
        check_right_or_open(get_loss(loss_name), apply_fn, params, [(inputs, targets)])


def test_an_underflow_is_no_rank_of_zero():
    rng = np.random.default_rng(0)
    batch = 1e6 * rng.standard_normal((10, 3)), np.eye(3)[rng.integers(3, size=10)]
    for way in WAYS.values():
        outer = way(get_loss("cross"), *network([3, 4, 3]), [batch]).outer
        assert (outer.rank, outer.gap, outer.grade) == (0, np.inf, "open")


def layer(W, x):
    return x @ W


@pytest.mark.parametrize("far", [20.0, 37.0, 200.0])
def test_curvatures_of_saturated_outputs_are_accurate_relative_to_themselves(far):
    """H_o of f(x) = W x at x = 1 is the Hessian of the loss; the roots, written down, have no cancellation."""
    for name, targets in (("cross", np.eye(3)[:1]), ("cosh", np.zeros((1, 3)))):
        outputs = np.array([[far, 0.5, -1.0]])
        root = np.stack([curvature_root(get_loss(name))(outputs, targets, v[None])[0] for v in np.eye(3)], axis=1)
        found = outer_prod(get_loss(name), layer, outputs, np.ones((1, 1)), targets)
        assert_allclose(found, root.T @ root, rtol=1e-12)
    pi = np.exp(np.array([0.0, 0.5 - far, -1.0 - far]))
    found = outer_prod(get_loss("cross"), layer, outputs, np.ones((1, 1)), np.eye(3)[:1])
    assert_allclose(found[0], [pi[1] + pi[2], -pi[1], -pi[2]], rtol=1e-7)


SCALES = [("weights", 1e-5), ("weights", 1e5), ("data", 1e-7), ("data", 1e8), ("data", 1e-30)]


@pytest.mark.parametrize("bias", [False, True])
def test_scales_of_weights_and_data(bias):
    data = get_dataset("digits", 20, 0, 9, 4)
    open_ones = np.zeros(2, int)
    for what, scale in SCALES:
        apply_fn, params = network([9, 3, 5, 4], bias=bias, scale=scale if what == "weights" else 1.0)
        inputs = data.x_train * (scale if what == "data" else 1.0)
        problem = squared, apply_fn, params, [(inputs, data.y_train)]
        found, truth = check_right_or_open(*problem)
        assert truth == ([45, 30, 60] if not bias else truth)
        open_ones += [grades.count("open") for _, grades in found]
    assert min(open_ones) > 3


@pytest.mark.parametrize("activation", ["tanh", "gelu", "elu"])
def test_small_weights_of_smooth_networks(activation):
    """They are nearly linear: what the curvature adds may be far below rounding."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((10, 4)), rng.standard_normal((10, 3))
    for scale in (1e-9, 1e-3, 1.0):
        check_right_or_open(squared, *network([4, 3, 3], activation, scale=scale), [batch], ways=["dense"])


# --- what keeps the mark


def test_ordinary_ranks_are_clear():
    """Each loss and each activation once, since every pair is compiled; the first is that of the test of scales."""
    counts = []
    networks = [([9, 3, 5, 4], "linear", "mse"), ([9, 5, 4], "relu", "cross"), ([4, 3, 4], "tanh", "cosh")]
    for widths, activation, loss_name in networks:
        data = get_dataset("digits", 20, 0, widths[0], 4)
        problem = get_loss(loss_name), *network(widths, activation), [(data.x_train, data.y_train)]
        counts += [rank.trusted for rank in dense_ranks(*problem)]
    assert sum(counts) >= 0.9 * len(counts)


def test_constant_and_equal_inputs_are_kept_in_the_twin():
    rng = np.random.default_rng(0)
    column, other = rng.standard_normal((2, SAMPLES))
    inputs = np.stack([column, np.full(SAMPLES, 0.3), column, np.zeros(SAMPLES), other], axis=1)
    for bias in (False, True):
        problem = squared, *network(SMALL, bias=bias), [(inputs, rng.standard_normal((SAMPLES, 2)))]
        found, _ = check_right_or_open(*problem, ways=["dense"])
        assert found[0][1] == ["clear"] * 3


@pytest.mark.parametrize("way", WAYS)
def test_a_bound_takes_the_twins_place(way):
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((SAMPLES, 5)), rng.standard_normal((SAMPLES, 2))
    problem = squared, *network(SMALL), [batch]
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
    linear, smooth = network(SMALL), network(SMALL, "tanh")
    assert [rank.rank for rank in quick_ranks(squared, *linear, batch(SAMPLES))] == TRUTH
    assert quick_ranks(squared, *smooth, batch(SAMPLES)).loss.digits == 300
    assert quick_ranks(squared, *smooth, batch(1000)) is None
    assert quick_ranks(squared, lambda w, x: jnp.linalg.inv(w[0]) @ x.T, [np.eye(5)], [(np.eye(5), np.eye(5))]) is None


# --- the parts


def test_a_frozen_function_is_smooth_and_has_the_same_derivatives():
    rng = np.random.default_rng(0)
    function = lambda w, x: jnp.sum(jax.nn.elu(jnp.max(jax.nn.relu(x @ w), axis=1)) * jnp.abs(jnp.min(x @ w, axis=1)))
    weights, inputs = rng.standard_normal((4, 3)), rng.standard_normal((6, 4))
    assert decides(program(function, weights, inputs))
    assert not decides(program(lambda w, x: jnp.tanh(x @ w), weights, inputs))
    g = lambda w: frozen(function)((w, inputs), (weights, inputs), [])
    derivatives = lambda f: jax.jit(lambda w: (f(w), jax.grad(f)(w), jax.hessian(f)(w)))(weights)
    for one, other in zip(derivatives(g), derivatives(lambda w: function(w, inputs)), strict=True):
        assert_allclose(one, other, atol=1e-12)
    with pytest.raises(UnfreezableError, match="'sort' decides"):
        frozen(lambda w: jnp.sort(w))((weights,), (weights,), [])


def test_a_twin_keeps_what_is_zero_constant_or_equal():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((6, 4))
    inputs[:, 1], inputs[:, 3], inputs[2, 0] = 0.3, inputs[:, 2], 0.0
    params = [np.array([[1.0, 0.0], [2.0, 3.0], [1.0, 1.0], [4.0, 1.0]]), np.array([0.0, -2.0])]
    batches = [(inputs[:4], np.eye(2)[[0, 1, 0, 1]]), (inputs[4:], np.eye(2))]
    other = twin(Problem(squared, lambda w, x: x @ w[0] + w[1], params, batches)).other
    assert_allclose(np.asarray(other.params[0] != 0), params[0] != 0)
    assert_allclose(np.sign(other.params[1]), [0, -1])
    new = np.concatenate([x for x, _ in other.batches])
    assert new[2, 0] == 0
    assert np.ptp(new[:, 1]) == 0 < np.ptp(new[:, 2])
    assert_allclose(new[:, 2], new[:, 3], rtol=0)
    assert_allclose(np.concatenate([y for _, y in other.batches]) != 0, np.eye(2)[[0, 1, 0, 1, 0, 1]] != 0)
    assert not np.isclose(new, inputs)[:, [0, 2]].any(axis=0).all()


def test_activations_fit_in_memory():
    """All vectors at once would take more than 600 MB here: 20 000 samples, p = 96."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((20_000, 8)), rng.standard_normal((20_000, 4))
    problem = squared, *network([8, 8, 4], "tanh"), [batch]
    V = np.eye(96)[:64]
    (whole, dense), peak = peak_memory(lambda: (loss_operator(*problem)(V), dense_hessians(*problem).loss))
    assert peak < 4e8
    assert_allclose(whole, dense[:64], rtol=1e-9, atol=1e-9)


def peak_memory(call):
    """Return what a call returns, and by how many bytes at most this process grew meanwhile."""
    process = psutil.Process()
    sizes = [process.memory_info().rss]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        result = pool.submit(call)
        while not result.done():
            sizes.append(process.memory_info().rss)
            time.sleep(0.001)
    return result.result(), max(sizes) - sizes[0]


# --- what a network contains without taking it as an argument can hide digits as weights do


FAINT = np.array([[1.0, 2.0, 1.0], [3.0, 1.0, 2.0], [1.0, 1.0, 3.0]]) * [1.0, 1.0, 1e-17]
HIDING = {
    "a layer that is not trained": (squared, lambda w, x: x @ FAINT @ w),
    "one inside of a compiled function": (squared, jax.jit(lambda w, x: x @ FAINT @ w)),
    "one in a relu network": (squared, lambda w, x: jax.nn.relu(x @ FAINT) @ w),
    "the weights of outputs in the loss": (
        lambda f, y: jnp.sum(np.array([1.0, 2.0, 1e-35]) * (f - y) ** 2),
        lambda w, x: x @ w,
    ),
}


@pytest.mark.parametrize("name", HIDING)
def test_what_a_network_contains_cannot_hide_eigenvalues(name):
    loss, apply_fn = HIDING[name]
    rng = np.random.default_rng(0)
    weights, batch = rng.standard_normal((3, 3)), (rng.uniform(0.5, 1.5, (9, 3)), rng.standard_normal((9, 3)))
    for way in (dense_ranks, sketched_ranks):
        found = way(loss, apply_fn, weights, batch)
        assert exact_ranks(loss, apply_fn, weights, batch).loss.rank == 9
        assert (found.loss.rank, found.loss.grade) == (6, "open")
        assert "below rounding" in found.loss.reason


def test_frozen_weights_cannot_hide_eigenvalues():
    rng = np.random.default_rng(0)
    params = {"frozen": FAINT, "free": rng.standard_normal((3, 3))}
    batch = rng.standard_normal((9, 3)), rng.standard_normal((9, 3))
    found = dense_ranks(squared, lambda w, x: x @ w["frozen"] @ w["free"], params, batch, only=lambda p: p == "free")
    assert (found.outer.rank, found.outer.grade) == (6, "open")
    params["frozen"] = FAINT * [1.0, 1.0, 1e17]
    found = dense_ranks(squared, lambda w, x: x @ w["frozen"] @ w["free"], params, batch, only=lambda p: p == "free")
    assert (found.outer.rank, found.outer.grade) == (9, "clear")


def test_masks_in_a_network_stay_masks():
    """A causal mask of 0 and -inf: every token sees only those before, in the twin as well."""
    mask = np.where(np.tril(np.ones((4, 4))), 0.0, -np.inf)
    apply_fn = lambda w, x: jax.nn.softmax(x @ w["q"] @ jnp.swapaxes(x, 1, 2) + mask) @ x @ w["v"]
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal((3, 3)) for name in "qv"}
    found = dense_ranks(squared, apply_fn, params, (rng.standard_normal((6, 4, 3)), rng.standard_normal((6, 4, 3))))
    assert {rank.grade for rank in found} == {"clear"}


@pytest.mark.parametrize("dtype", [float, int])
def test_whole_numbers_can_hide_eigenvalues_as_others_do(dtype):
    """A time in nanoseconds beside small counts: the squares differ by 1e34. Where they are indices, they stay."""
    rng = np.random.default_rng(0)
    inputs = np.stack([rng.integers(1, 9, 12), rng.integers(10**17, 10**18, 12)], axis=1).astype(dtype)
    apply_fn = lambda w, x: (jnp.asarray(x, float) @ w["first"]) @ w["last"]
    params = {"first": rng.standard_normal((2, 3)), "last": rng.standard_normal((3, 2))}
    found = dense_ranks(squared, apply_fn, params, (inputs, rng.standard_normal((12, 2))))
    assert exact_ranks(squared, apply_fn, params, (inputs, np.ones((12, 2)))).loss.rank == 12 > found.loss.rank
    assert found.loss.grade == "open"


def test_indices_stay_indices_and_numbers_become_numbers():
    rng = np.random.default_rng(0)
    data = {
        "token": rng.integers(0, 4, 6),
        "count": rng.integers(1, 5, (6, 2)),
        "bytes": np.full((6, 2), 250, np.uint8),
    }
    apply_fn = lambda w, x: w[x["token"]] * x["count"] + (x["bytes"] + np.uint8(10))  # 260 - 256
    with jax.numpy_dtype_promotion("standard"):
        problem = pose(squared, apply_fn, rng.standard_normal((4, 2)), (data, rng.integers(0, 9, (6, 2))))
    inputs, targets = problem.batches[0]
    assert {name: leaf.dtype for name, leaf in inputs.items()} == {"token": int, "count": float, "bytes": np.uint8}
    assert targets.dtype == float
    labels = pose(get_loss("nll"), lambda w, x: w[x], rng.standard_normal((4, 2)), (data["token"], data["token"] % 2))
    assert [leaf.dtype for leaf in labels.batches[0]] == [int, int]


def test_a_small_factor_cannot_hide_eigenvalues():
    rng = np.random.default_rng(0)
    params, batch = rng.standard_normal((2, 3, 2)), (rng.standard_normal((9, 3)), rng.standard_normal((9, 2)))
    for factor, grade in ((1e-17, "open"), (1e-2, "clear")):
        network = lambda w, x, factor=factor: jnp.tanh(x @ w[0]) + factor * jnp.tanh(x @ w[1])
        found = dense_ranks(squared, network, params, batch)
        assert (found.outer.rank, found.outer.grade) == (6 if grade == "open" else 12, grade)
    for factor, grade in ((1e-17, "open"), (1e-2, "clear")):
        loss = lambda f, y, factor=factor: jnp.sum((f[:, 0] - y[:, 0]) ** 2) + factor * jnp.sum((f - y)[:, 1] ** 2)
        found = dense_ranks(loss, lambda w, x: x @ w, params[0], batch)
        assert (found.outer.rank, found.outer.grade) == (3 if grade == "open" else 6, grade)


@pytest.mark.parametrize("way", [dense_ranks, sketched_ranks])
def test_a_small_penalty_cannot_hide_eigenvalues(way):
    """The true rank with the penalty is six. A penalty of 1e-20 shows three, one of 1e-3 six."""
    rng = np.random.default_rng(0)
    weights, batch = (
        rng.standard_normal((2, 3)),
        (rng.standard_normal((9, 2)) * [1.0, 0.0], rng.standard_normal((9, 3))),
    )
    for factor, rank, grade in ((1e-20, 3, "open"), (1e-3, 6, "clear")):
        penalty = lambda w, factor=factor: factor * jnp.sum(w**2)
        found = way(squared, lambda w, x: x @ w, weights, batch, penalty=penalty)
        assert (found.loss.rank, found.loss.grade) == (rank, grade)
        assert (found.penalty.rank, found.without.rank) == (6, 3)
