"""Products with the Hessians: of blocks of vectors, summed over batches, for matrices that do not fit in memory."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

import checks
import losses
import premises
from matrix_free.checked_products import BLOCK, LONG
from matrix_free.layouts import relaid
from matrix_free.ranges import reduced, sum_of
from matvecs import (
    QUICKLY,
    both_matvec,
    bytes_of_one,
    factor_matvec,
    functional_matvec,
    loss_image,
    loss_matvec,
    num_params,
    outer_matvec,
    vectors_at_once,
)
from problem import pose

_ROUNDING = 1e-11  # of a product, relative to its length

_FEW = 16  # vectors in a block, below which the network's values at its weights are kept from product to product


def loss_operator(loss, apply_fn, params, batches, reduction="sum", only=None, penalty=None):
    """Return the function V -> V H_L, where H_L is the Hessian of the sum of the batches' losses.

    Each row of V (b, p) is a vector, so that a block of b vectors is multiplied at once.

    Args:
        loss, apply_fn, params, batches, reduction, only, penalty: as in `hessians.dense_hessians`. The batches are gone
            through once and kept, so that every product has the same samples in the same order.

    Returns:
        V (b, p) -> (b, p), compiled once per shape of V and of the batches. Rows sharded over devices stay sharded.

    Raises:
        TypeError, ValueError: as in `hessians.dense_hessians`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from losses import get_loss
        >>> from matrix_free import loss_operator
        >>> apply_fn = lambda w, inputs: inputs @ w  # least squares: H_L = X^T X
        >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> matvec = loss_operator(get_loss("mse"), apply_fn, np.zeros((2, 1)), [(X, np.ones((2, 1)))])
        >>> matvec(np.array([[1.0, 0.0]])).tolist()
        [[10.0, 14.0]]
    """
    problem = pose(loss, apply_fn, params, batches, reduction, only, penalty)
    check_derivatives(problem)
    multiply = operator(loss_matvec, problem)
    if penalty is None:
        return multiply
    added = operator(loss_matvec, problem.penalty)

    def both(vectors):
        return multiply(vectors) + added(vectors)

    if hasattr(multiply, "traceable") and hasattr(added, "traceable"):
        both.traceable = lambda: Partial(_added, traceable(multiply), traceable(added))
    return both


def outer_operator(loss, apply_fn, params, batches, reduction="sum", only=None):
    """Return the function V -> V H_o of blocks of row vectors. Arguments and errors as in `loss_operator`."""
    return operator(outer_matvec, pose(loss, apply_fn, params, batches, reduction, only))


def functional_operator(loss, apply_fn, params, batches, reduction="sum", only=None):
    """Return the function V -> V H_f of blocks of row vectors. Arguments and errors as in `loss_operator`."""
    return operator(functional_matvec, pose(loss, apply_fn, params, batches, reduction, only))


def factor_operator(loss, apply_fn, params, batches, reduction="sum", only=None):
    """Return the function V -> V A^T for the factor A of H_o = A^T A.

        A = R J,    R^T R = d^2 ell / dF^2,    J = dF / dtheta

    The singular values of A are the square roots of H_o's eigenvalues, and come with all their digits. An eigenvalue of
    1e-16 of the largest drowns in rounding. Its singular value is 1e-8 of the largest, and does not.

    Args:
        loss: one of the losses in `losses`, whose root R is known (`losses.curvature_root`).
        apply_fn, params, batches, reduction, only: as in `loss_operator`.

    Returns:
        V (b, p) -> V A^T (b, m), m the number of all outputs of all samples.

    Raises:
        TypeError, ValueError: as in `loss_operator`, and ValueError for a loss whose root is not known.
    """
    losses.curvature_root(loss)
    return operator(factor_matvec, pose(loss, apply_fn, params, batches, reduction, only))


def check_derivatives(problem, own=None, quickly=False):
    """Check that the derivatives are those of the loss (`premises.check_derivatives`), at every batch.

    Args:
        problem: `problem.Problem`.
        own: the same network in the form whose products are used, if it is another one.
        quickly: whether the product is compiled for this check alone, because those with H_L are not used later.
    """
    own, p = own or problem, num_params(problem.params)
    for batch, same in zip(problem.batches, own.batches, strict=True):

        def product(v, same=same):
            if quickly:
                return loss_image(*own[:3], *same, v)
            # A block of the shape that is compiled anyway: many vectors are not multiplied at once if they are long.
            vectors = np.zeros((min(BLOCK, p) if p <= LONG else 1, p))
            vectors[0] = v
            return np.asarray(operator(loss_matvec, own._replace(batches=[same], scale=1.0))(vectors))[0]

        premises.check_derivatives(*problem[:3], *batch, product)


def operator(product, problem, bar=None):
    """Return the function V -> V H, or V A^T, for one of the products in `matvecs`.

    For a symmetric product it has the attributes `traceable` and `reduction`, see the functions of these names. A bar,
    such as a `tqdm.tqdm`, is told the number of products, but for those of compiled functions.
    """
    loss, apply_fn, params, batches, scale, _ = problem
    most = min(vectors_at_once(apply_fn, params, inputs) for inputs, _ in batches)
    # What the products keep of the network takes about as much memory as the activations of a vector in each batch.
    few = _FEW if sum(bytes_of_one(apply_fn, params, inputs) for inputs, _ in batches) < checks.free_memory() / 8 else 0
    few = few if one_by_one() else min(few, most)

    # A block of many vectors goes through the network at its weights anew, which costs no more than one vector. For
    # a few vectors at a time, as in a Lanczos method, what the products need of it is kept.
    @functools.cache
    def kept():
        return [_prepared(product, loss, apply_fn, params, *batch) for batch in batches]

    @functools.cache
    def fastest():
        return [relaid(one, num_params(params)) if one_by_one() else one for one in kept()]

    @functools.cache
    def smaller():
        found = reduced(kept(), num_params(params), scale)
        return found if found is not None and _agrees(found, kept(), scale) else None

    def multiply(vectors):
        if bar is not None and not isinstance(vectors, jax.core.Tracer):
            bar.update(len(vectors))
        if len(vectors) < few:
            # Even if the first call is traced, what is kept must be numbers.
            traced = isinstance(vectors, jax.core.Tracer)
            with jax.ensure_compile_time_eval() if traced else contextlib.nullcontext():
                ready = fastest()
            images = [_few(one, vectors) for one in ready]
        else:
            images = [_block(product, loss, apply_fn, most, params, *batch, vectors) for batch in batches]
        return _of_all(images, scale) if product is factor_matvec else _sum(images, scale)

    if product is not factor_matvec and few:
        multiply.traceable = lambda: Partial(sum_of, fastest(), scale)
        multiply.reduction = smaller
    return multiply


def both_operator(problem, bar=None):
    """Return the function V -> (V H_f, V A^T), which is faster than the two operators. Arguments as in `operator`."""
    loss, apply_fn, params, batches, scale, _ = problem
    most = min(vectors_at_once(apply_fn, params, inputs) for inputs, _ in batches)

    def multiply(vectors):
        if bar is not None and not isinstance(vectors, jax.core.Tracer):
            bar.update(2 * len(vectors))
        images = [_block(both_matvec, loss, apply_fn, most, params, *batch, vectors) for batch in batches]
        functional, factor = zip(*images, strict=True)
        return _sum(functional, scale), _of_all(factor, scale)

    return multiply


def traceable(operator):
    """Return the product v (p,) -> H v of an operator of this file as a pytree, which compiled functions can take.

    Several steps of a Lanczos method are then one compiled function. None for an operator that was not made here, and
    for one whose products go through the network anew since they would keep too much of it.
    """
    return getattr(operator, "traceable", lambda: None)()


def reduction(operator):
    """Return the `ranges.Reduction` of an operator of this file to fewer coordinates, or None if it would not pay."""
    return getattr(operator, "reduction", lambda: None)()


def _sum(images, scale):
    """Return the product with the sum of the batches' matrices. Not even a product by 1 is compiled in vain."""
    total = functools.reduce(jnp.add, images)
    return total if scale == 1.0 else scale * total


def _of_all(images, scale):
    """Return the product with the factors of all batches, one below the other."""
    whole = jnp.concatenate(images, axis=1) if len(images) > 1 else images[0]
    return whole if scale == 1.0 else scale**0.5 * whole


def _agrees(smaller, products, scale):
    """Return whether a Reduction gives the product with a random vector, to rounding."""
    v = np.random.default_rng(0).standard_normal(smaller.p)
    image, difference = _compared(smaller, Partial(sum_of, products, scale), v)
    return bool(difference <= _ROUNDING * image)


@functools.partial(jax.jit, compiler_options=QUICKLY)
def _compared(smaller, product, v):
    image, found = product(v), smaller.whole(smaller.product(smaller.seen(v)))
    return jnp.linalg.norm(image), jnp.linalg.norm(found - image)


def _added(first, second, v):
    return first(v) + second(v)


def one_by_one():
    """Return whether vectors go through a network faster one by one than at once: at p = 1e6 on a CPU by half."""
    return jax.default_backend() == "cpu"


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _block(product, loss, apply_fn, most, params, inputs, targets, vectors):
    one = product(loss, apply_fn, params, inputs, targets)
    # Sharded rows are multiplied all at once, unless that takes too much memory.
    return jax.vmap(one)(vectors) if len(vectors) <= most else jax.lax.map(one, vectors, batch_size=most)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _prepared(product, loss, apply_fn, params, inputs, targets):
    return product(loss, apply_fn, params, inputs, targets)


@jax.jit
def _few(one, vectors):
    return jax.lax.map(one, vectors) if one_by_one() else jax.vmap(one)(vectors)
