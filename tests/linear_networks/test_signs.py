"""Inertia from the structure, judged by dense eigenvalues and by exact arithmetic."""

import collections
import itertools

import numpy as np
import pytest

import checks
from closed_forms import linear_ranks
from hessians import HessianTriple
from linear_networks import Inertia, NotGenericError, descent, inertia, spectrum, structured_ranks
from tests.oracles.integer_networks import (
    KINDS,
    MOVING,
    exact_inertia,
    hessians,
    next_to_a_sign_change,
    random_network,
    signs,
)


@pytest.mark.parametrize("seed", range(4))
def test_1000_inertias_are_exact(seed):
    """Nobody tells the generator to avoid special cases: those that are declined must be few, and truly special."""
    rng, counts = np.random.default_rng(seed), collections.Counter()
    for _ in range(250):
        network = random_network(rng, "plain")
        exact = [exact_inertia(matrix) for matrix in hessians(*network)]
        try:
            found = signs(*network)
        except NotGenericError:
            counts["declined"] += 1
            continue
        assert [one[:3] for one in found] == exact, [W.tolist() for W in network[0]]
        counts["right"] += 1
    assert counts["declined"] < 25, counts


@pytest.mark.parametrize("kind", KINDS)
def test_difficult_inertias_are_exact_or_declined(kind):
    rng, right = np.random.default_rng(10), 0
    for _ in range(100):
        network = random_network(rng, kind)
        try:
            found = signs(*network)
        except NotGenericError:
            continue
        assert [one[:3] for one in found] == [exact_inertia(matrix) for matrix in hessians(*network)]
        right += 1
    assert right > {"equal loops": 5, "low rank": 20}.get(kind, 40)


@pytest.mark.parametrize("kind", MOVING)
def test_next_to_sign_changes_inertias_are_exact_or_declined(kind):
    rng, right, declined = np.random.default_rng(10), 0, 0
    networks = 2 if "scaled" in kind else 4  # scaled integers are long, and their characteristic polynomials slow
    for _ in range(networks):
        for network in next_to_a_sign_change(rng, kind):
            try:
                found = signs(*network)
            except NotGenericError:
                declined += 1
                continue
            assert [one[:3] for one in found] == [exact_inertia(matrix) for matrix in hessians(*network)]
            right += 1
    assert right > 12.5 * networks
    assert declined > 0  # close to a sign change nothing is sure


@pytest.mark.parametrize("exponent", [3, 5, 6])
def test_inputs_in_very_different_units(exponent):
    """With the weights in the inverse units the network is the same, and so are the signs."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in [(6, 9), (9, 8), (8, 3)]]
    X, Y = rng.normal(size=(20, 6)), rng.normal(size=(20, 3))
    units = 10.0 ** np.linspace(0, exponent, 6)
    scaled = X * units
    found = inertia([weights[0] / units[:, None], *weights[1:]], scaled.T @ scaled, scaled.T @ Y)
    expected = inertia(weights, X.T @ X, X.T @ Y)
    assert [one[:3] for one in found] == [one[:3] for one in expected]
    assert found.loss.margin == pytest.approx(expected.loss.margin, rel=0.9)


def test_inputs_that_may_be_rounding_are_not_counted_silently():
    """Sxx in float64 has an eigenvalue of 1e-18 of the largest here: an input of its own, or rounding."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(3, 4)), rng.normal(size=(4, 2))]
    X, Y = rng.normal(size=(20, 3)) * [1, 1, 1e-9], rng.normal(size=(20, 2))
    with pytest.raises(NotGenericError, match=r"Sxx does not show the rank of the inputs.* Pass the data themselves"):
        inertia(weights, X.T @ X, X.T @ Y)
    assert inertia(weights, batches=[(X, Y)]).outer.positive == 2 * (3 + 2 - 2)
    # the eigenvalues of a matrix of that size are what they are
    assert spectrum(weights, X.T @ X, X.T @ Y).outer.multiplicities.sum() == 20


@pytest.mark.parametrize(
    "sizes", [[30, 20, 40, 6], [80, 60, 5], [12, 15, 9, 20, 8], [20, 50, 4, 50, 10], [9, 25, 25, 25, 9]]
)
def test_the_signs_of_larger_spectra(sizes):
    """Two ways that share nothing but the checks of their arguments."""
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=shape) / shape[0] ** 0.5 for shape in itertools.pairwise(sizes)]
    X, Y = rng.normal(size=(100, sizes[0])), rng.normal(size=(100, sizes[-1]))
    moments = X.T @ X, X.T @ Y
    for one, counts in zip(spectrum(weights, *moments), inertia(weights, *moments), strict=True):
        threshold = 1e-12 * abs(one.eigenvalues).max()
        found = [int(one.multiplicities[sign * one.eigenvalues > threshold].sum()) for sign in (1, -1)]
        assert counts[:2] == tuple(found)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_layer_needs_no_general_position(value):
    found = inertia([np.full((3, 2), value)], np.eye(3), np.ones((3, 2)))
    assert [one[:3] for one in found] == [(0, 0, 6), (6, 0, 0), (6, 0, 0)]


def test_half_of_a_wide_spectrum_is_negative():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) / 30 for shape in [(20, 900), (900, 1000), (1000, 4)]]
    X, Y = rng.normal(size=(50, 20)), rng.normal(size=(50, 4))
    found = inertia(weights, X.T @ X, X.T @ Y)
    assert found.outer[:2] == (80, 0)
    assert abs(found.loss.negative - 4 * 1900) < 4 * (20 + 4)
    assert found.loss.zero == sum(W.size for W in weights) - linear_ranks(20, 4, [900, 1000]).loss


def test_descent_beside_q_times_m():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in [(4, 6), (6, 6), (6, 6), (6, 3)]]
    inputs = rng.normal(size=(2, 4))  # so that r = 2
    batches = [(inputs, rng.normal(size=(2, 3)))]
    found = descent(weights, batches=batches)
    assert found[:3] == ("4-3×6-3", 2 * 18, 4 * 6 + 36 + 36 + 18)
    assert found.signs == inertia(weights, batches=batches).loss
    assert descent([rng.normal(size=(4, 3))], np.eye(4), np.ones((4, 3)))[:2] == ("4-3", 0)


def test_inputs_of_lower_rank_and_none_at_all():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(6, 5)), rng.normal(size=(5, 3))]
    X, Y = rng.integers(-9, 9, size=(9, 2)) @ rng.integers(-9, 9, size=(2, 6)) * 1.0, rng.normal(size=(9, 3))
    found = inertia(weights, batches=[(X, Y)])
    assert HessianTriple(*(one.rank for one in found)) == linear_ranks(2, 3, [5])
    nothing = [(0 * X, Y)]
    assert inertia(weights, batches=nothing) == HessianTriple(*[Inertia(0, 0, 45, 1.0)] * 3)
    # A zero Sxx may have been too small for float64.
    with pytest.raises(NotGenericError, match="the diagonal of Sxx is zero"):
        inertia(weights, np.zeros((6, 6)), np.zeros((6, 3)))
    for found, grade in [
        (spectrum(weights, np.zeros((6, 6)), np.zeros((6, 3))), "open"),
        (spectrum(weights, batches=nothing), "clear"),
    ]:
        for one, rank in zip(found, structured_ranks(found), strict=True):
            assert one.eigenvalues.tolist() == [0.0]
            assert one.multiplicities.tolist() == [45]
            assert (rank.rank, rank.grade) == (0, grade)


W1, W2, SXX, SXY = np.ones((3, 4)), np.ones((4, 2)), np.eye(3), np.ones((3, 2))


@pytest.mark.parametrize("function", [inertia, spectrum])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], SXX, SXY), TypeError, "params must be a list of weight matrices"),
        (([(W1, np.ones(4)), (W2, np.ones(2))], SXX, SXY), TypeError, "without biases"),
        (([W1, W2.astype(np.float32)], SXX, SXY), TypeError, "params must be float64, got float32"),
        (([W1, W2], SXX.astype(int), SXY), TypeError, "Sxx must be float64"),
        (([W1, np.full((4, 2), np.nan)], SXX, SXY), ValueError, "params must be finite, but 8 of 8"),
        (([W1, W2], np.full((3, 3), np.inf), SXY), ValueError, "Sxx must be finite"),
        (([W1, W2], SXX, np.full((3, 2), np.nan)), ValueError, "Sxy must be finite"),
        (([W1, np.ones((5, 2))], SXX, SXY), ValueError, "layer 1 has 4 outputs and layer 2 has 5 inputs"),
        (([W1, np.ones(4)], SXX, SXY), ValueError, r"every weight matrix must have shape \(m_in, m_out\)"),
        (([W1, np.ones((4, 0))], SXX, SXY), ValueError, "every weight matrix must have shape"),
        (([W1, W2], np.eye(4), SXY), ValueError, r"Sxx must have shape \(3, 3\) and Sxy \(3, 2\), got \(4, 4\)"),
        (([W1, W2], SXX, SXY.T), ValueError, r"Sxy \(3, 2\), got \(3, 3\) and \(2, 3\)"),
        (([W1, W2], SXX + np.eye(3, k=1), SXY), ValueError, "Sxx must be symmetric, but entries differ .* by 1.0e"),
        (
            ([W1, W2], np.diag([1.0, 1.0, -1e-3]), SXY),
            ValueError,
            "positive semidefinite, but has the eigenvalue -1.0e-03",
        ),
        (([W1, W2], np.diag([1.0, 1.0, 0.0]), SXY), ValueError, "of Sxy is outside the range of Sxx"),
    ],
)
def test_bad_input(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)


ONE = np.ones((5, 3)), np.ones((5, 2))


@pytest.mark.parametrize("function", [inertia, spectrum, descent])
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, TypeError, r"Sxx and Sxy, or as batches=.*, got neither"),
        (dict(Sxx=SXX), TypeError, r"got \['Sxx'\]"),
        (dict(Sxx=SXX, Sxy=SXY, batches=[ONE]), TypeError, r"got \['Sxx', 'Sxy', 'batches'\]"),
        (dict(batches=[]), ValueError, "batches is empty"),
        (dict(batches=iter([ONE])), TypeError, r"only once, .* pass list\(batches\)"),
        (dict(batches=[(ONE[0] * np.nan, ONE[1])]), ValueError, "inputs must be finite"),
        (dict(batches=[(ONE[0], ONE[1].astype(int))]), TypeError, "targets must be float64"),
        (dict(batches=[(ONE[0], ONE[1][1:])]), ValueError, "inputs has 5 samples and targets has 4"),
        (dict(batches=[(ONE[0][:, 1:], ONE[1])]), ValueError, r"d, K = \(3, 2\).* but a batch has .* \(5, 2\)"),
    ],
)
def test_bad_data(function, given, error, message):
    with pytest.raises(error, match=message):
        function([W1, W2], **given)


@pytest.mark.parametrize(
    ("weights", "targets", "reason"),
    [
        ([W1, W2], SXY, "the smallest singular value of a product of weights"),
        ([np.eye(3), np.eye(3)], np.diag([2.0, 0.0, 3.0]), "the difference of the powers 2 of two loops"),
        (
            [np.eye(3), np.eye(3)],
            np.array([[2.0, 1, 0], [0, 2, 0], [0, 0, 3]]),
            "the distance of two loops",
        ),
        ([np.eye(3), np.eye(3)], np.diag([2.0, 1.0, 3.0]), "the smallest singular value of Omega"),
        ([np.array([[1.0], [0.0]]), np.array([[1.0, 0.0]])], np.array([[1.0, -1.0], [-1.0, 0.0]]), "a loop"),
    ],
)
def test_points_that_are_not_generic_are_declined(weights, targets, reason):
    with pytest.raises(NotGenericError, match=f"{reason} is zero up to .* linear_networks.spectrum finds its"):
        inertia(weights, np.eye(len(targets)), targets)
    for one in spectrum(weights, np.eye(len(targets)), targets):
        assert one.multiplicities.sum() == sum(W.size for W in weights)


def test_too_little_memory(monkeypatch):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in [(5, 20), (20, 20), (20, 4)]]
    monkeypatch.setattr(checks, "free_memory", lambda: 1e4)
    with pytest.raises(
        MemoryError, match=r"T of 308 rows is needed.*linear_networks.inertia has the ranks and the signs"
    ):
        spectrum(weights, np.eye(5), np.ones((5, 4)))
    with pytest.raises(MemoryError, match=r"size q \(min\(r, K\) \+ K - q\) = 16"):
        inertia(weights, np.eye(5), np.ones((5, 4)))
