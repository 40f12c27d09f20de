import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch.utils.data import DataLoader

import checks
from dataloader import DatasetTorch
from hessians import dense_hessians, num_params, outer_prod
from losses import LOSSES
from matrix_free import factor_operator, functional_operator, loss_operator, operators, outer_operator, restricted
from matvecs import factor_matvec, functional_matvec
from problem import Problem
from tests.problems import problem

# --- products with blocks of vectors, summed over batches


def batches(inputs, targets, size=4):
    return DataLoader(DatasetTorch(inputs, targets), batch_size=size)


@pytest.mark.parametrize(("activation", "loss_name", "bias"), [("linear", "mse", False), ("gelu", "cross", True)])
def test_products(activation, loss_name, bias):
    loss, apply_fn, params, inputs, targets = problem(activation, loss_name, bias)
    H_f, H_o, H_L = (np.asarray(matrix) for matrix in dense_hessians(loss, apply_fn, params, [(inputs, targets)]))
    V = np.random.default_rng(8).normal(size=(7, num_params(params)))
    for product, matrix in [(functional_operator, H_f), (outer_operator, H_o), (loss_operator, H_L)]:
        images = product(loss, apply_fn, params, batches(inputs, targets))(V)
        assert_allclose(images, V @ matrix, atol=1e-13 * abs(V @ matrix).max())


@pytest.mark.parametrize("loss_name", LOSSES)
def test_the_factor_of_the_outer_product(loss_name):
    loss, apply_fn, params, inputs, targets = problem("tanh", loss_name, bias=True)
    A = np.asarray(factor_operator(loss, apply_fn, params, batches(inputs, targets))(np.eye(num_params(params)))).T
    assert A.shape == (9 * 3, num_params(params))
    expected = np.asarray(outer_prod(loss, apply_fn, params, inputs, targets))
    assert_allclose(A.T @ A, expected, atol=1e-13 * abs(expected).max())


@pytest.mark.parametrize("loss_name", LOSSES)
def test_both_products_at_once(loss_name):
    loss, apply_fn, params, inputs, targets = problem("tanh", loss_name, bias=True)
    several = [(inputs[:4], targets[:4]), (inputs[4:], targets[4:])]
    setting = Problem(loss, apply_fn, params, several, scale=0.25)
    V = np.random.default_rng(8).normal(size=(20, num_params(params)))
    for product, images in zip((functional_matvec, factor_matvec), operators.both_operator(setting)(V), strict=True):
        expected = operators.operator(product, setting)(V)
        assert_allclose(images, expected, atol=1e-14 * abs(expected).max())


@pytest.mark.parametrize("size", [4, 9])
def test_products_that_compiled_functions_take(size):
    loss, apply_fn, params, inputs, targets = problem("tanh")
    p = num_params(params)
    v = np.random.default_rng(9).normal(size=p)
    setting = loss, apply_fn, params, batches(inputs, targets, size)
    penalty = lambda w: sum((leaf**4).sum() for leaf in jax.tree.leaves(w))
    layer = np.arange(3, p - 2)
    penalized = loss_operator(*setting, penalty=penalty)
    of_mean = outer_operator(lambda f, y: loss(f, y) / len(f), *setting[1:], reduction="mean")
    for multiply in (loss_operator(*setting), of_mean, penalized):
        found = jax.jit(lambda product, v: product(v))(operators.traceable(multiply), v)
        assert_allclose(found, multiply(v[None])[0], atol=1e-13 * abs(found).max())
        block = restricted(multiply, layer, p)
        found = operators.traceable(block)(v[layer])
        assert_allclose(found, block(v[None, layer])[0], atol=1e-13 * abs(found).max())
    assert operators.traceable(factor_operator(*setting)) is None
    assert operators.traceable(lambda V: V) is None
    assert operators.traceable(restricted(lambda V: V, layer, p)) is None


def test_products_for_few_vectors_keep_nothing_where_memory_is_short(monkeypatch):
    loss, apply_fn, params, inputs, targets = problem("tanh")
    v = np.random.default_rng(9).normal(size=(1, num_params(params)))
    expected = loss_operator(loss, apply_fn, params, [(inputs, targets)])(v)
    monkeypatch.setattr(checks, "free_memory", lambda: 1000)
    multiply = loss_operator(loss, apply_fn, params, [(inputs, targets)])
    assert operators.traceable(multiply) is None
    assert_allclose(multiply(v), expected, rtol=1e-12)


def test_products_are_compiled_once_per_shape():
    loss, apply_fn, params, inputs, targets = problem(units=(2, 3))
    before = operators._block._cache_size()
    for _ in range(3):
        product = loss_operator(loss, apply_fn, params, batches(inputs, targets, size=4))
        for _ in range(3):
            product(np.eye(num_params(params)))
    assert operators._block._cache_size() - before == 1  # the batches of 4, 4 and 1 samples are joined


def test_batches_are_gone_through_once():
    """So a shuffled loader, with another order at every pass, has one factor, and an iterator will do."""
    loss, apply_fn, params, inputs, targets = problem()
    shuffled = DataLoader(DatasetTorch(inputs, targets), batch_size=4, shuffle=True)
    V = np.random.default_rng(8).normal(size=(7, num_params(params)))
    for multiply in (factor_operator(loss, apply_fn, params, given) for given in (shuffled, iter([(inputs, targets)]))):
        assert_allclose(multiply(V), multiply(V), rtol=0)


def test_products_check_what_they_are_given():
    loss, apply_fn, params, inputs, targets = problem()
    with pytest.raises(ValueError, match="batches is empty"):
        outer_operator(loss, apply_fn, params, [])
    with pytest.raises(ValueError, match="inputs has 9 samples and targets has 8"):
        functional_operator(loss, apply_fn, params, [(inputs, targets), (inputs, targets[1:])])
    with pytest.raises(ValueError, match=r"predictions have shape \(9, 3\) and targets \(9, 1\)"):
        factor_operator(loss, apply_fn, params, [(inputs, targets[:, :1])])
    with pytest.raises(ValueError, match=r"root of .* is not known"):
        factor_operator(lambda f, y: loss(f, y), apply_fn, params, [(inputs, targets)])
