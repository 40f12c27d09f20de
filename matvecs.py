"""Products of the three Hessians with one vector, and the matrices made of them, for one batch.

Nothing here checks its arguments. The products can be traced, vmapped and compiled. They are pytrees: what they keep of
the network at its weights are leaves, so that a compiled function can return one and another can take it.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.flatten_util import ravel_pytree
from jax.tree_util import Partial

import losses
from batching import num_samples

# Compiler options for functions that run a few times only, so that compiling them is what they cost.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

_AT_ONCE = 128  # vectors in a block; from 64 to 512 the time hardly changes, the memory grows with it
_BYTES = 2.5e8  # that a block may take beside the vectors themselves
_COPIES = 4  # of all activations, for each vector: forward, backward, and what is on its way between them


def loss_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> H_L v, the derivative of the gradient along v. Both v and H_L v have shape (p,)."""
    return hessian_product(lambda w: loss(apply_fn(w, inputs), targets), params)


def outer_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> H_o v = J^T (d^2 ell / dF^2) J v: J is forward through the network, J^T backward."""
    predictions, jacobian, _ = linearized(apply_fn, params, inputs)
    _, curvature = jax.linearize(jax.grad(lambda f: loss(f, targets)), predictions)
    return Partial(_there_and_back, jacobian, curvature)


def functional_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> H_f v, the derivative along v of the gradient of <alpha, F>, alpha = d ell / dF held fixed."""
    alpha = jax.grad(loss)(apply_fn(params, inputs), targets)
    along = lambda f: sum(map(jnp.vdot, jax.tree.leaves(alpha), jax.tree.leaves(f)))
    return hessian_product(lambda w: along(apply_fn(w, inputs)), params)


def factor_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> A v for the factor A = R J of H_o = A^T A, R^T R = d^2 ell / dF^2. A v has shape (n K,)."""
    predictions, jacobian, _ = linearized(apply_fn, params, inputs)
    return Partial(_flat_root, jacobian, Partial(losses.curvature_root(loss), predictions, targets))


def both_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> (H_f v, A v), as `functional_matvec` and `factor_matvec` do, from one way through the network."""
    theta, unravel = ravel_pytree(params)
    network = lambda t: apply_fn(unravel(t), inputs)
    predictions = network(theta)
    alpha = jax.grad(loss)(predictions, targets)

    def gradient_and_outputs(t):
        outputs, pullback = jax.vjp(network, t)
        return pullback(alpha)[0], outputs

    product = jax.linearize(gradient_and_outputs, theta)[1]
    return Partial(_with_root, product, Partial(losses.curvature_root(loss), predictions, targets))


def num_params(params):
    """Return p, the number of parameters in a pytree of arrays."""
    return sum(math.prod(np.shape(leaf)) for leaf in jax.tree.leaves(params))


def hessian_product(function, params):
    """Return v -> (d^2 function / dtheta^2) v."""
    theta, unravel = ravel_pytree(params)
    return jax.linearize(jax.grad(lambda t: function(unravel(t))), theta)[1]


def linearized(apply_fn, params, inputs):
    """Return F(theta), the map v -> J v, and theta."""
    theta, unravel = ravel_pytree(params)
    return *jax.linearize(lambda t: apply_fn(unravel(t), inputs), theta), theta


def _there_and_back(jacobian, curvature, v):
    return jax.linear_transpose(jacobian, v)(curvature(jacobian(v)))[0]


def _flat_root(jacobian, root, v):
    return root(jacobian(v)).ravel()


def _with_root(product, root, v):
    gradient, outputs = product(v)
    return gradient, root(outputs).ravel()


def vectors_at_once(function, *arguments, largest=_AT_ONCE):
    """Return how many vectors can be multiplied at once, so that their activations take 250 MB or less.

    The activations of one vector are counted in the function's program: the entries of all arrays between its arguments
    and its results.

    Args:
        function: the network or the loss of the parameters.
        arguments: what it takes. Only their shapes matter.
        largest: the most vectors to return.
    """
    return max(1, min(largest, int(_BYTES / bytes_of_one(function, *arguments))))


def samples_at_once(apply_fn, params, inputs):
    """Return how many of the samples can be in one batch, so that the activations of one vector take 250 MB or less."""
    samples = num_samples(inputs)
    return max(1, min(samples, int(samples * _BYTES / bytes_of_one(apply_fn, params, inputs))))


def bytes_of_one(function, *arguments):
    """Return about how many bytes the activations of one vector take. Arguments as in `vectors_at_once`."""
    return 8 * _COPIES * max(1, _entries(jax.make_jaxpr(function)(*arguments).jaxpr))


def _entries(jaxpr):
    total = 0
    for equation in jaxpr.eqns:
        inner = core.jaxprs_in_params(equation.params)
        own = sum(math.prod(atom.aval.shape) for atom in equation.outvars)
        total += max(own, equation.params.get("length", 1) * sum(map(_entries, inner)))
    return total


# --- one batch, without checks; `inputs` and `targets` may be trees of arrays


def loss_hessian_terms(loss_params, params, inputs, targets):
    """Return the H_L (p, p) of a batch, for a loss L(params, inputs, targets)."""
    at_once = vectors_at_once(loss_params, params, inputs, targets)
    return _loss_hessian(loss_params, at_once, params, inputs, targets)


def loss_terms(loss, apply_fn, params, inputs, targets):
    """Return the H_L (p, p) of a batch."""
    at_once = vectors_at_once(apply_fn, params, inputs)
    return _loss_hessian(losses.of_params(loss, apply_fn), at_once, params, inputs, targets)


def outer_terms(loss, apply_fn, params, inputs, targets):
    """Return the H_o (p, p) of a batch."""
    return _outer_prod(loss, apply_fn, vectors_at_once(apply_fn, params, inputs), params, inputs, targets)


def functional_terms(loss, apply_fn, params, inputs, targets, vectors=None):
    """Return the H_f (p, p) of a batch, or V H_f for vectors in the rows of V (N, p)."""
    at_once = vectors_at_once(apply_fn, params, inputs)
    return _functional_hessian(loss, apply_fn, at_once, params, inputs, targets, vectors)


def factor_terms(loss, apply_fn, params, inputs, targets):
    """Return the transpose (p, n K) of the factor A of H_o = A^T A of a batch, for a loss whose root is known."""
    return _factor(loss, apply_fn, vectors_at_once(apply_fn, params, inputs), params, inputs, targets)


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=QUICKLY)
def loss_image(loss, apply_fn, params, inputs, targets, v):
    """Return v H_L of a batch, for one vector."""
    return loss_matvec(loss, apply_fn, params, inputs, targets)(v)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _loss_hessian(loss_params, at_once, params, inputs, targets):
    return _matrix(hessian_product(lambda w: loss_params(w, inputs, targets), params), at_once, params)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _outer_prod(loss, apply_fn, at_once, params, inputs, targets):
    return _matrix(outer_matvec(loss, apply_fn, params, inputs, targets), at_once, params)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _functional_hessian(loss, apply_fn, at_once, params, inputs, targets, vectors=None):
    return _matrix(functional_matvec(loss, apply_fn, params, inputs, targets), at_once, params, vectors)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _factor(loss, apply_fn, at_once, params, inputs, targets):
    return _matrix(factor_matvec(loss, apply_fn, params, inputs, targets), at_once, params)


def _matrix(product, at_once, params, vectors=None):
    """Return the rows product(v), a block of `at_once` at a time, for the rows v of an array or the unit vectors."""
    p = num_params(params)
    count = p if vectors is None else len(vectors)
    block = min(at_once, count)
    row = (lambda j: jnp.zeros(p).at[j].set(1.0)) if vectors is None else (lambda j: vectors[j])
    rows = jax.vmap(lambda j: product(row(j)))
    width = jax.eval_shape(product, jax.ShapeDtypeStruct((p,), float)).shape[0]

    def fill(k, matrix):
        first = jnp.minimum(k * block, count - block)  # all blocks have one shape: the last overlaps the one before
        return jax.lax.dynamic_update_slice(matrix, rows(first + jnp.arange(block)), (first, 0))

    return jax.lax.fori_loop(0, -(-count // block), fill, jnp.zeros((count, width)))
