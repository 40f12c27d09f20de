import jax.numpy as jnp
import numpy as np

from architectures import fully_connected
from counting import GRADES
from experiments.cost import Cost
from experiments.numerical_vs_exact import Trial
from figures import (
    LOSS_TITLES,
    cost_table,
    inertia_table,
    judgement_table,
    negatives_table,
    structure_table,
    text_table,
    truncation_table,
)
from figures.tables import grade_table
from hessians import HessianTriple, dense_hessians
from initializers import get_init
from linear_networks import Descent, Inertia, Spectrum, inertia, spectrum
from losses import LOSSES, get_loss
from ranks import numerical_rank


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
    assert [row.split()[-5] for row in rows] == [row.split()[-1] for row in rows] == ["160", "6", "162"]


def test_every_loss_has_a_title():
    assert list(LOSS_TITLES) == list(LOSSES)


ZERO = HessianTriple(*[numerical_rank(np.zeros((3, 3)))] * 3)


def test_the_error_of_a_zero_matrix_is_a_word():
    found = HessianTriple(ZERO.functional, numerical_rank(np.diag([3.0, -4.0, 0.0])), ZERO.loss)
    header, rule, row = truncation_table({"relu": found}, HessianTriple(0, 1, 2)).splitlines()
    assert row.split() == ["relu", "zero", "6e-01", "zero"]
    assert len(header) == len(rule) == len(row)


def test_the_signs_of_zero_matrices():
    zero = Inertia(0, 0, 3, 1.0)
    header, rule, *rows = inertia_table(ZERO, HessianTriple(zero, zero, Inertia(1, 0, 2, 0.5))).splitlines()
    assert len({len(line) for line in (header, rule, *rows)}) == 1
    assert [row.split()[3:6] for row in rows] == [["0", "0", "3"]] * 3
    assert [row.split()[-2:] for row in rows] == [["yes", "1e+00"], ["yes", "1e+00"], ["no", "5e-01"]]


def test_the_costs_and_the_structure_of_zero_matrices():
    some = HessianTriple(ZERO.functional, numerical_rank(np.eye(2)), ZERO.loss)
    costs = {8: (30, Cost(ZERO, 2.5, 1e6, 4e6)), 9: (30, Cost(some, 2.5, 1e6, 1e6))}
    lines = cost_table(costs, [HessianTriple(0, 0, 0)] * 2).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "  inf   inf   inf" in lines[2]
    assert lines[3].index("inf") == lines[2].index("inf")
    assert lines[3].split()[-1] == "0"
    found = HessianTriple(*[Spectrum(np.zeros(1), np.array([7]))] * 3)
    rows = structure_table(found, HessianTriple(*[Inertia(0, 0, 7, 1.0)] * 3)).splitlines()
    assert len({len(row) for row in rows}) == 1
    assert rows[2].split() == ["H_f", "0", "inf", "open", "1", "0"]


def test_judgements_of_zero_matrices_and_of_nothing():
    trials = [Trial("", "loss", 0, np.inf, 0, np.zeros(3)), Trial("", "loss", 1, 1e10, 0, np.array([1.0, 0.0]))]
    lines = judgement_table(trials).splitlines()
    assert lines[-4].split() == ["1e+09", "and", "more", "2", "1", "0", "1"]
    assert judgement_table([]).splitlines()[-2].split() == ["all", "0", "0", "0", "0"]


def test_grades_of_nothing():
    lines = grade_table([]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.split() for line in lines[2:]] == [[name, "0", "0", "0"] for name in (*GRADES, "all")]


def test_long_names_widen_the_table_of_negatives():
    shape, label = "64-10-20-30-40-50-60-70-80-90-10", "FashionMNIST, orthogonal weights"
    point = Descent(shape, 10**9, 10**10, Inertia(5, 10**6, 1, 0.1))
    header, row, _ = negatives_table({"digits": [point], label: [point]}).splitlines()
    assert len(header) == len(row)
    assert row.split() == [shape, "10,000,000,000", "1,000,000,000", "1,000,000", "1,000,000"]
    assert header.endswith(f"   {label}")
