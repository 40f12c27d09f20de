"""The way of the paper's original notebook, kept as the thing to beat: written anew, with the same steps.

It takes `jax.hessian` of the loss and a forward-mode Jacobian per batch, and nothing is compiled as a whole. The
functional Hessian is a difference. Ranks count singular values at the default tolerance.

Nothing but the benchmark uses this way, because of its known faults. It takes memory of n x K x p and more, and its
difference cancels when residuals are small.
"""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from experiments.ways import network_of
from hessians import HessianTriple
from losses import squared


def original_ranks(params, batches):
    """Return the ranks of H_f, H_o and H_L of a linear network under the squared loss, as `ways.by_matrices` does."""
    (apply_fn, _, _), loss = network_of(params), squared
    theta, unravel = ravel_pytree(params)
    total = outer = jnp.zeros((theta.size, theta.size))
    for inputs, targets in batches:

        def network(t, inputs=inputs):
            return apply_fn(unravel(t), inputs)

        def objective(t, network=network, targets=targets):
            return loss(network(t), targets)

        jacobian = jax.jacfwd(network)(theta)
        curvature = jax.vmap(jax.hessian(lambda f, y: loss(f[None], y[None])))(network(theta), targets)
        weights = jnp.diagonal(curvature, axis1=1, axis2=2)
        total += jax.hessian(objective)(theta)
        outer += jnp.tensordot(jacobian, jacobian * weights[:, :, None], axes=[[0, 1], [0, 1]])
    return HessianTriple(*(int(jnp.linalg.matrix_rank(matrix)) for matrix in (total - outer, outer, total)))
