"""The three Hessians by their definitions: `jax.hessian`, whole Jacobians, nothing of this project."""

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from hessians import HessianTriple


def plain_hessians(loss, apply_fn, params, inputs, targets):
    """Return H_L - H_o, H_o = J^T S J with S = d^2 loss / dF^2, and H_L = d^2 loss / dtheta^2 of one batch."""
    theta, unravel = ravel_pytree(params)

    @jax.jit
    def parts(theta, inputs):
        outputs, whole = ravel_pytree(apply_fn(unravel(theta), inputs))
        flat = lambda t: ravel_pytree(apply_fn(unravel(t), inputs))[0]
        S = jax.hessian(lambda f: loss(whole(f), targets))(outputs)
        return jax.jacfwd(flat)(theta), S, jax.hessian(lambda t: loss(whole(flat(t)), targets))(theta)

    J, S, H_L = map(np.asarray, parts(theta, inputs))
    return HessianTriple(H_L - J.T @ S @ J, J.T @ S @ J, H_L)


def assert_equal_hessians(found, expected, tolerance=1e-12):
    """Check three matrices against three others, relative to the largest entry of H_L."""
    largest = abs(expected.loss).max()
    assert largest > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * largest)
