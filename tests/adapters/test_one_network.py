"""One network with the same weights in every framework: the Hessians and their ranks are those of a plain function."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen, nnx
from jax.flatten_util import ravel_pytree

from adapters.equinox_models import from_equinox
from adapters.flax_models import from_linen, from_nnx
from adapters.torch_models import from_torch, loss_from_torch
from hessians import dense_hessians
from losses import get_loss
from ranks import dense_ranks
from tests.oracles.plain_hessians import assert_equal_hessians, plain_hessians

RNG = np.random.default_rng(7)
W1, W2 = (RNG.normal(size=shape).astype(np.float32) for shape in ((4, 3), (3, 2)))
b1, b2 = (RNG.normal(size=size).astype(np.float32) for size in (3, 2))
X, LABELS = RNG.normal(size=(9, 4)), RNG.integers(0, 2, size=9)
PLAIN = jax.tree.map(lambda leaf: leaf.astype(float), {"W1": W1, "b1": b1, "W2": W2, "b2": b2})


def plain(w, x):
    return jnp.tanh(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]


def of_linen():
    module = linen.Sequential([linen.Dense(3), jnp.tanh, linen.Dense(2)])
    layers = {"layers_0": {"kernel": W1, "bias": b1}, "layers_2": {"kernel": W2, "bias": b2}}
    names = [(f"layers_{layer}", kind) for layer in (0, 2) for kind in ("kernel", "bias")]
    return *from_linen(module, {"params": layers}), lambda w: [w[layer][kind] for layer, kind in names]


def of_nnx():
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(nnx.Linear(4, 3, rngs=rngs), jnp.tanh, nnx.Linear(3, 2, rngs=rngs))
    for layer, kernel, bias in ((0, W1, b1), (2, W2, b2)):
        model.layers[layer].kernel[...], model.layers[layer].bias[...] = jnp.asarray(kernel), jnp.asarray(bias)
    places = [(layer, kind) for layer in (0, 2) for kind in ("kernel", "bias")]
    return *from_nnx(model), lambda w: [w["layers"][layer][kind] for layer, kind in places]


def of_equinox():
    model = eqx.nn.MLP(4, 2, 3, 1, jnp.tanh, dtype=jnp.float32, key=jax.random.key(0))
    leaves = lambda m: [m.layers[0].weight, m.layers[0].bias, m.layers[1].weight, m.layers[1].bias]
    model = eqx.tree_at(leaves, model, [jnp.asarray(leaf) for leaf in (W1.T, b1, W2.T, b2)])
    return *from_equinox(model), lambda w: [leaves(w)[0].T, leaves(w)[1], leaves(w)[2].T, leaves(w)[3]]


def of_torch():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), (W1.T, b1, W2.T, b2), strict=True):
            parameter.copy_(torch.tensor(value))
    return *from_torch(model, X[:2]), lambda w: [w["0.weight"].T, w["0.bias"], w["2.weight"].T, w["2.bias"]]


@pytest.mark.parametrize("framework", [of_linen, of_nnx, of_equinox, of_torch])
def test_hessians_and_ranks_are_those_of_a_plain_function(framework):
    """The parameters come in another order, which is found by numbering them."""
    apply_fn, params, named = framework()
    numbered = ravel_pytree(params)[1](jnp.arange(23.0))
    order = dict(zip(("W1", "b1", "W2", "b2"), named(numbered), strict=True))
    order = np.asarray(ravel_pytree(order)[0], int)
    whole = lambda matrix: np.asarray(matrix)[np.ix_(order, order)]
    loss = loss_from_torch(torch.nn.CrossEntropyLoss(reduction="sum")) if framework is of_torch else get_loss("nll")
    expected = plain_hessians(get_loss("nll"), plain, PLAIN, X, LABELS)
    assert_equal_hessians(map(whole, dense_hessians(loss, apply_fn, params, (X, LABELS))), expected)
    found = dense_ranks(get_loss("nll"), apply_fn, params, (X, LABELS))
    ours = dense_ranks(get_loss("nll"), plain, PLAIN, (X, LABELS))
    for one, other, matrix in zip(found, ours, expected, strict=True):
        assert one.rank == other.rank == np.linalg.matrix_rank(matrix, tol=1e-11 * np.linalg.norm(matrix))
        np.testing.assert_allclose(one.spectrum, other.spectrum, atol=1e-12 * abs(other.spectrum[0]))
        assert one.grade == other.grade == "clear"


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")  # of PyTorch's own use of it
def test_pytorch_s_own_hessian():
    apply_fn, params, _ = of_torch()
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2)).double()
    weights = {name: torch.tensor(value) for name, value in params.items()}

    def total(weights):
        outputs = torch.func.functional_call(model, weights, (torch.tensor(X),))
        return torch.nn.functional.cross_entropy(outputs, torch.tensor(LABELS), reduction="sum")

    rows = torch.func.hessian(total)(weights)
    sizes = {name: value.numel() for name, value in weights.items()}
    expected = np.block([[rows[k][m].reshape(sizes[k], sizes[m]).numpy() for m in weights] for k in weights])
    found = dense_hessians(get_loss("nll"), apply_fn, params, (X, LABELS)).loss
    np.testing.assert_allclose(found, expected, atol=1e-13 * abs(expected).max())
