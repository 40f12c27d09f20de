"""The oracle is the translation of the same model into JAX, whose Hessians `hessians` forms."""

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from adapters.torch_models import from_torch, loss_from_torch
from adapters.torch_operators import operators
from hessians import dense_hessians
from matrix_free import sketched_rank

RNG = np.random.default_rng(0)
BATCHES = [(RNG.normal(size=(n, 3)), np.eye(2)[RNG.integers(2, size=n)]) for n in (4, 2)]
SUM = nn.CrossEntropyLoss(reduction="sum")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    # In the order of names, "10" comes before "2".
    return nn.Sequential(
        nn.Linear(3, 3), nn.Tanh(), *[nn.Identity()] * 7, nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2)
    ).eval()


def test_products_are_those_of_the_matrices(model):
    products = operators(SUM, model, [(torch.tensor(x), torch.tensor(y)) for x, y in BATCHES], chunk_size=3)
    apply_fn, params = from_torch(model, BATCHES[0][0])
    matrices = dense_hessians(loss_from_torch(SUM), apply_fn, params, BATCHES)
    p = len(matrices.loss)
    vectors = np.random.default_rng(1).normal(size=(5, p))
    for product, matrix in zip(products, matrices, strict=True):
        assert_allclose(product(vectors), vectors @ matrix, rtol=0, atol=1e-13 * abs(matrix).max() * p)
    assert sketched_rank(products.outer, p, 6, jax.random.key(0)).rank == np.linalg.matrix_rank(matrices.outer)
    assert all(parameter.dtype == torch.float32 and parameter.grad is None for parameter in model.parameters())
    with pytest.raises(ValueError, match=rf"rows of length p = {p}, got an array of shape \(1, 3\)"):
        products.loss(np.ones((1, 3)))


def test_attention_and_tuples():
    """Attention needs the one implementation that has a forward derivative."""
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(2, 1, batch_first=True)
    inputs, targets = RNG.normal(size=(2, 3, 2)), RNG.normal(size=(2, 3, 2))
    products = operators(lambda F, y: ((F[0] - y) ** 2).sum(), layer, [((inputs, inputs, inputs), targets)])
    vectors = np.random.default_rng(1).normal(size=(1, sum(w.numel() for w in layer.parameters())))
    total = products.functional(vectors) + products.outer(vectors)
    assert_allclose(total, products.loss(vectors), rtol=0, atol=1e-13 * abs(total).max())


def test_refusals(model):
    with pytest.raises(ValueError, match=r"1 \(Dropout\) is in training mode"):
        operators(SUM, nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.1)), BATCHES)
    with pytest.raises(ValueError, match="batches is empty"):
        operators(SUM, model, [])


@pytest.mark.parametrize("kind", [nn.MSELoss, nn.HuberLoss])
def test_means_and_losses_with_pieces(kind, model):
    """A mean over all numbers is the sum divided by their count. (`torch.func.grad` fails for these.)"""
    p, count = sum(parameter.numel() for parameter in model.parameters()), BATCHES[0][1].size
    means, whole = (operators(kind(reduction=how), model, BATCHES[:1]) for how in ("mean", "sum"))
    for mean, total in zip(means, whole, strict=True):
        assert_allclose(count * mean(np.eye(p)), total(np.eye(p)), atol=1e-13)
    assert abs(whole.functional(np.eye(p))).max() > 0.01
