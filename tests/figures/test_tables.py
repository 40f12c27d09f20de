import jax.numpy as jnp
import numpy as np

from architectures import fully_connected
from exact import ExactRank
from experiments.cost import Cost
from experiments.sweeps import Point
from figures import (
    LOSS_TITLES,
    certificate_table,
    cost_table,
    exact_table,
    inertia_table,
    negatives_table,
    rank_list,
    rank_table,
    spread_table,
    structure_table,
    text_table,
    truncation_table,
)
from hessians import HessianTriple, dense_hessians
from initializers import get_init
from linear_networks import Descent, Inertia, inertia, spectrum
from losses import LOSSES, get_loss
from ranks import NumericalRank, numerical_rank


def test_table():
    measured = HessianTriple(*(numerical_rank(np.diag([1.0] * rank + [0.0] * (5 - rank))) for rank in (2, 3, 4)))
    header, _, *rows = rank_table(measured, HessianTriple(2, 3, 5), heading="linear network").splitlines()
    assert "linear network" in header
    assert [row.split()[-4:-1] for row in rows] == [["2", "2", "yes"], ["3", "3", "yes"], ["4", "5", "no"]]
    assert all(row.endswith("4.5e+15") for row in rows)
    assert len({len(line) for line in (header, *rows)}) == 1


def test_table_marks_what_is_not_well_determined():
    measured = HessianTriple(*(numerical_rank(np.diag([1.0, smallest, 0.0])) for smallest in (1.0, 1e-9, 1.0)))
    _, _, *rows, note = rank_table(measured, HessianTriple(2, 2, 2)).splitlines()
    assert [row.endswith("*") for row in rows] == [False, True, False]
    assert note.startswith("* a gap below 1e+09")


def test_jax_arrays_and_the_table():
    init_fn, apply_fn = fully_connected([5], 2, "linear", get_init("orthogonal"))
    _, params = init_fn(jnp.ones(2, jnp.uint32), (-1, 4))
    X = jnp.asarray(np.random.default_rng(0).normal(size=(7, 4)))
    Y = X[:, :2] ** 2
    found = inertia(params, X.T @ X, X.T @ Y)
    dense = dense_hessians(get_loss("mse"), apply_fn, params, [(X, Y)])
    lines = inertia_table(HessianTriple(*map(numerical_rank, dense)), found).splitlines()
    assert len(lines) == 5
    assert [line.split()[-2] for line in lines[2:]] == ["yes"] * 3
    wrong = HessianTriple(*[Inertia(1, 2, 27, 0.5)] * 3)
    assert "no" in inertia_table(HessianTriple(*map(numerical_rank, dense)), wrong).splitlines()[2]


def test_the_table_of_negatives():
    point = lambda shape, product, p, negative, margin: Descent(shape, product, p, Inertia(5, negative, 1, margin))
    points = {
        "digits": [point("1 of 10", 100, 740, 67, 1e-3), point("1 of 30", 300, 2220, 262, 2e-4)],
        "gaussian": [point("1 of 10", 100, 740, 55, 1e-5), point("1 of 30", 300, 2220, 255, 0.1)],
    }
    header, one, other, margin = negatives_table(points).splitlines()
    assert header.split()[-2:] == ["digits", "gaussian"]
    assert one.split()[-4:] == ["740", "100", "67", "55"]
    assert other.split()[-4:] == ["2,220", "300", "262", "255"]
    assert margin == "smallest margin: 1e-05"


def test_columns_are_as_wide_as_their_longest_entry():
    header, rule, one, other = text_table(["name", "rank"], [["a", 7], ["a long name", (10, 2)]]).splitlines()
    assert len({len(line) for line in (header, rule, one, other)}) == 1
    assert set(rule) == {"-"}
    assert one.split() == ["a", "7"]
    assert other.endswith("a long name" + "   (10, 2)")


def test_ranks_line_by_line():
    sure, unsure = (numerical_rank(np.diag([1.0, smallest, 0.0])) for smallest in (0.5, 1e-9))
    lines = rank_list(HessianTriple(sure, unsure, None), data_rank=sure).splitlines()
    assert len({line.index(" = ") for line in lines}) == 1
    assert [line.split(" = ")[0] for line in lines] == ["rank(Sigma), r", "rank(H_f)     ", "rank(H_o)     "]
    assert [line.endswith("   well determined") for line in lines] == [True, True, False]
    assert [int(line.split(" gap")[0].split()[-1]) for line in lines] == [2, 2, 2]


def test_exact_ranks_and_certificates():
    measured = HessianTriple(*(numerical_rank(np.diag([1.0] * rank)) for rank in (3, 4, 5)))
    exact = HessianTriple(*(ExactRank(rank, (7, 11), (rank, rank)) for rank in (3, 5, 5)))
    outer = exact_table(measured, exact).splitlines()[1]
    assert outer == "H_o: numerical rank 4, exact rank 5, modulo the primes (7, 11)"
    bound = HessianTriple(24, 21, 36)
    rows = certificate_table({"7-4-3": (bound, bound), "other": (bound, HessianTriple(24, 20, 36))}).splitlines()[2:]
    assert [row.split()[-1] for row in rows] == ["yes", "NO"]


def test_the_spread_over_seeds():
    ranks = lambda low: HessianTriple(*(NumericalRank(low + i, 10.0**low, 0.0, np.empty(0)) for i in range(3)))
    row = [Point("relu", seed, 50, 4, ranks(low), HessianTriple(9, 9, 9)) for seed, low in ((1, 2), (2, 5))]
    _, _, relu, closed = spread_table([row], "activation").splitlines()
    assert relu.split("   ")[0].strip() == "relu"
    assert [cell.strip() for cell in relu.split("   ") if "to" in cell] == ["2 to 5", "3 to 6", "4 to 7"]
    assert relu.split()[-2:] == ["50", "1e+02"]
    assert closed.split()[-3:] == ["9", "9", "9"]


def test_errors_of_truncation():
    found = numerical_rank(np.diag([3.0, -4.0, 0.0]))
    row = truncation_table({"relu": HessianTriple(*[found] * 3)}, HessianTriple(0, 1, 2)).splitlines()[-1]
    assert row.split() == ["relu", "1e+00", "6e-01", "0e+00"]


def test_costs_beside_the_closed_forms():
    found = HessianTriple(*(numerical_rank(np.eye(rank)) for rank in (1, 2, 3)))
    row = cost_table({8: (30, Cost(found, 2.5, 1e6, 4e6))}, [HessianTriple(1, 2, 3)]).splitlines()[-1].split()
    assert row[:5] == ["8", "30", "1", "2", "3"]
    assert row[-2:] == ["2.5", "3"]


def test_ranks_from_eigenvalues_beside_those_from_signs():
    rng = np.random.default_rng(0)
    setting = [rng.normal(size=(3, 40)), rng.normal(size=(40, 2))], np.eye(3), rng.normal(size=(3, 2))
    rows = structure_table(spectrum(*setting), inertia(*setting)).splitlines()[2:]
    assert [row.split()[-4] for row in rows] == [row.split()[-1] for row in rows] == ["160", "6", "162"]


def test_every_loss_has_a_title():
    assert list(LOSS_TITLES) == list(LOSSES)
