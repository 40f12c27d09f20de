import jax.numpy as jnp
import numpy as np

from architectures import fully_connected
from figures import inertia_table, negatives_table, rank_table
from hessians import HessianTriple, functional_hessian, loss_hessian, outer_prod
from initializers import get_init
from linear_networks import Inertia, inertia
from losses import get_loss, of_params
from ranks import numerical_rank


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
    loss = get_loss("mse")
    dense = functional_hessian(loss, apply_fn, params, X, Y), outer_prod(loss, apply_fn, params, X, Y)
    dense += (loss_hessian(of_params(loss, apply_fn), params, X, Y),)
    lines = inertia_table(HessianTriple(*map(numerical_rank, dense)), found).splitlines()
    assert len(lines) == 5
    assert [line.split()[-2] for line in lines[2:]] == ["yes"] * 3
    wrong = HessianTriple(*[Inertia(1, 2, 27, 0.5)] * 3)
    assert "no" in inertia_table(HessianTriple(*map(numerical_rank, dense)), wrong).splitlines()[2]


def test_the_table_of_negatives():
    points = {
        "digits": [("1 of 10", 100, 740, Inertia(5, 67, 1, 1e-3)), ("1 of 30", 300, 2220, Inertia(5, 262, 1, 2e-4))],
        "gaussian": [("1 of 10", 100, 740, Inertia(5, 55, 1, 1e-5)), ("1 of 30", 300, 2220, Inertia(5, 255, 1, 0.1))],
    }
    header, one, other, margin = negatives_table(points).splitlines()
    assert header.split()[-2:] == ["digits", "gaussian"]
    assert one.split()[-4:] == ["740", "100", "67", "55"]
    assert other.split()[-4:] == ["2,220", "300", "262", "255"]
    assert margin == "smallest margin: 1e-05"
