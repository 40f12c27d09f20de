import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from numpy.testing import assert_allclose

from architectures import convolutional, fully_connected, residual, transformer
from initializers import get_init
from losses import get_loss
from matrix_free.layouts import relaid
from matvecs import functional_matvec, loss_matvec, outer_matvec

NETWORKS = {
    "dense": (fully_connected([5, 4], 3, "tanh", get_init("glorot")), (6, 2)),
    "with biases": (fully_connected([5], 3, "gelu", get_init("glorot"), bias=True), (6, 2)),
    "convolutional": (convolutional([2, 3], [2, 2], get_init("glorot"), 3, activation="tanh"), (6, 5, 2)),
    "residual": (residual([4, None], get_init("glorot"), 4, 3, "tanh"), (6, 2)),
    "transformer": (transformer(4, 2, 1, 5, get_init("glorot"), 3), (6, 3, 4)),
}


def gradients(jaxpr):
    """Return how many products of a program sum over the first axes of both factors."""
    count = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (first, second), _ = equation.params["dimension_numbers"]
            count += first == second == tuple(range(len(first)))
        count += sum(gradients(inner) for inner in jax.extend.core.jaxprs_in_params(equation.params))
    return count


@pytest.mark.parametrize(
    ("name", "product"),
    [*((name, loss_matvec) for name in NETWORKS), ("dense", outer_matvec), ("dense", functional_matvec)],
)
def test_the_same_products_without_sums_over_the_first_axes(name, product):
    (init_fn, apply_fn), shape = NETWORKS[name]
    generator = np.random.default_rng(0)
    _, params = init_fn(jax.random.key(0), (-1, *shape[1:]))
    inputs = generator.standard_normal(shape)
    targets = np.zeros((shape[0], 3)) + np.eye(3)[0]
    plain = product(get_loss("mse"), apply_fn, params, inputs, targets)
    p = ravel_pytree(params)[0].size
    other, v = relaid(plain, p), generator.standard_normal(p)
    expected, found, block = jax.jit(lambda v: (plain(v), other(v), jax.vmap(other)(v[None])))(v)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    assert_allclose(block[0], expected, rtol=1e-12, atol=1e-13)
    assert gradients(jax.make_jaxpr(plain)(v).jaxpr) > 0
    assert gradients(jax.make_jaxpr(other)(v).jaxpr) == 0
