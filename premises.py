"""What the Hessians take for granted of a reader's functions, checked once per call.

The loss and the network must be pure functions in float64, without random parts. The loss must be a sum over the
samples. Its gradient must be the derivative of its value, and the Hessian's products that of the gradient: at a kink,
or behind `stop_gradient`, they are not. Each check costs a few evaluations of the network.
"""

import functools
import hashlib
import re

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core, source_info_util

import checks
import losses
from batching import num_samples, part
from matvecs import QUICKLY

_STEPS = 1e-6, 1e-5, 1e-7, 1e-8, 1e-9  # of the differences, relative to the parameters; most often one is enough
_DIFFERENT = 1e-4  # relative; at the best step, differences of gradients are right to 1e-6 even for steep losses
_EQUAL = 1e-9  # relative; rounding leaves some 1e-14
_ADDRESS = re.compile("0x[0-9a-f]+")


def pure(functions, params, inputs, targets):
    """Return functions in a form that JAX compiles anew whenever what they contain has changed.

    JAX keeps a compiled program for each function object. It does not see that an array has been replaced which the
    function uses without taking it as an argument, such as a frozen layer. So the functions are traced again here, and
    the program written down by the trace, with its constants, decides whether an older compilation is used.

    Args:
        functions: a loss ell(predictions, targets) and a network F(params, inputs), or a loss of the parameters
            L(params, inputs, targets) alone. The losses of `losses` contain nothing, and are returned as they are.
        params, inputs, targets: of one batch. Only their shapes matter.

    Returns:
        tuple of as many functions.

    Raises:
        ValueError: if two traces differ, since the functions have random parts.
    """
    try:
        # One sample tells as much, and its program serves batches of all sizes.
        batch = part(inputs, slice(1)), part(targets, slice(1))
        first = _fingerprint(functions, params, *batch)
    except AssertionError as error:
        raise ValueError(
            "JAX cannot linearize the network or the loss: make the custom derivatives in it linear in their tangents, "
            "without comparisons of them"
        ) from error
    except Exception:  # a network may take batches of one size only
        batch = inputs, targets
        first = _fingerprint(functions, params, *batch)
    second = _fingerprint(functions, params, *batch)
    if first != second:
        raise ValueError(
            "the network or the loss is another one every time it is traced: it has random parts, such as dropout with "
            "NumPy's generator, or it counts its calls. Switch dropout off, or draw its masks once and pass the same "
            "in every call"
        )
    return tuple(each if losses.is_known(each) else _version(each, first) for each in functions)


def check_sum(loss, apply_fn, params, inputs, targets):
    """Check on one batch that the loss is a sum over the samples: L(whole) = L(half) + L(other half).

    Args:
        loss, apply_fn: as `pure` returns them.
        params, inputs, targets: of the batch.

    Raises:
        ValueError: if it is not, or if the outputs of a sample depend on the other samples of its batch.
    """
    # At special weights the outputs may vanish but for rounding. One percent away from there they do not.
    generator = np.random.default_rng(2)
    nearby = jax.tree.map(lambda w: np.asarray(w) * (1 + 0.01 * generator.standard_normal(np.shape(w))), params)
    n = num_samples(inputs)
    for path, leaf in jax.tree_util.tree_leaves_with_path(jax.eval_shape(apply_fn, nearby, inputs)):
        if not leaf.ndim or leaf.shape[0] != n:
            raise ValueError(
                f"the network's outputs{jax.tree_util.keystr(path)} have shape {leaf.shape} for {n} samples; the "
                "sample axis must be in front, so that batches can be added up"
            )
    try:
        found = _parts(loss, apply_fn, nearby, inputs, targets)
    except (TypeError, ValueError) as error:
        shapes = checks.shapes(jax.eval_shape(apply_fn, nearby, inputs)), checks.shapes(targets)
        raise ValueError(
            f"the network or the loss fails on half a batch, so that batches cannot be added up: {error}. Predictions "
            f"are {shapes[0]}, targets {shapes[1]}, which a loss may spread by mistake"
        ) from error
    whole, halves, total, parts = jax.tree.map(np.asarray, found)
    if not np.isfinite(total) or not np.isfinite(parts).all():
        return  # others speak of this
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(halves), strict=True):
        if abs(one - other).max(initial=0) > _EQUAL * abs(one).max(initial=0):
            raise ValueError(
                f"the outputs of a sample depend on the other samples of its batch: they change by "
                f"{abs(one - other).max():.1e} if a batch is cut in two (the largest is {abs(one).max():.1e}). Put "
                "batch normalization and dropout into evaluation mode"
            )
    tolerance = _EQUAL * (abs(parts).sum() + abs(total))
    if len(parts) < 2 or abs(parts.sum() - total) <= tolerance:
        return
    sizes = np.array([n // 2, n - n // 2])
    is_mean = abs(sizes @ parts / n - total) <= tolerance
    remedy = 'It is a mean: pass reduction="mean"' if is_mean else _NO_SUM
    shapes = [getattr(each, "shape", None) for each in (whole, targets)]
    if not is_mean and None not in shapes and shapes[0] != shapes[1]:
        remedy += f" (predictions have shape {shapes[0]} and targets {shapes[1]}, which a loss may spread by mistake)"
    raise ValueError(
        f"the loss must be a sum over the samples, but that of a batch is {total:.6g}, and those of its two halves add "
        f"up to {parts.sum():.6g}. {remedy}, so that batches of every size count right"
    )


def check_derivatives(loss, apply_fn, params, inputs, targets, product):
    """Check on one batch that the derivatives are those of the loss, in a random direction v and on both sides.

        (L(theta + h v) - L(theta - h v)) / 2 h = <grad L, v>,      (grad L(theta +- h v) - grad L(theta)) / +-h = H_L v

    Args:
        loss, apply_fn, params, inputs, targets: as in `check_sum`.
        product: v (p,) -> H_L v (p,).

    Raises:
        ValueError: if one of the equations does not hold. The message names the likely causes and the remedy.
    """
    params = jax.tree.map(np.asarray, params)
    scale, direction = _direction(params)
    along, scale = _flat(direction), _flat(scale)

    def at(h):
        moved = jax.tree.map(lambda w, v: w + h * v, params, direction)
        value, gradient = _value_and_gradient(loss, apply_fn, moved, inputs, targets)
        return float(value), _flat(gradient)

    value, gradient = at(0.0)
    image = np.asarray(product(along))
    if not np.isfinite(gradient).all() or not np.isfinite(image).all():
        return  # others speak of this
    curvature, slope = abs(along @ image), float(gradient @ along)
    image = scale * image
    largest = abs(image).max()
    # Next to a minimum the slope is all rounding, and only the curvature tells what is large.
    most = _DIFFERENT * (abs(slope) + curvature) + 1e-6 * abs(value)
    far = max(_DIFFERENT * largest, 1e-8 * abs(scale * gradient).max())
    slopes, errors = [], {1: np.inf, -1: np.inf}
    # Rounding grows as the step shrinks and curvature as it grows, so one step has to be right. A kink shows at each.
    for h in _STEPS:
        values = {}
        for side in (1, -1):
            values[side], moved = at(side * h)
            if not np.isfinite(moved).all():
                return
            errors[side] = min(errors[side], abs(scale * (moved - gradient) / (side * h) - image).max())
        slopes.append((values[1] - values[-1]) / (2 * h))
        off = min(abs(np.array(slopes) - slope))
        if off <= most and max(errors.values()) <= far:
            return
    if off > most:
        raise ValueError(
            f"the gradient is not the derivative of the loss: along a random direction it is {slope:.4g}, and "
            f"differences of the loss give {slopes[0]:.4g}. {_CAUSES}"
        )
    if max(errors.values()) > far:
        raise ValueError(
            f"H_L is not the derivative of the gradient: its product with a random direction has entries up to "
            f"{largest:.1e}, and differences of gradients close by are off by {max(errors.values()):.1e}. {_CAUSES}"
        )


def reduced(loss, reduction):
    """Return the loss as a sum over samples: n times itself if it is a mean. The same object for the same loss.

    Raises:
        ValueError: for a reduction that is neither 'sum' nor 'mean'.
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(
            f"reduction must be 'sum' or 'mean', got {reduction!r}; it says what the loss does over samples"
        )
    return loss if reduction == "sum" else _times_samples(loss)


@functools.lru_cache(maxsize=64)
def _times_samples(loss):
    return lambda predictions, targets: len(jax.tree.leaves(predictions)[0]) * loss(predictions, targets)


@functools.lru_cache(maxsize=64)
def ignoring_targets(function):
    """Return (predictions, targets) -> function(predictions). The same object for the same function."""
    return lambda predictions, targets: function(predictions)


@functools.lru_cache(maxsize=256)
def _version(function, fingerprint):
    """Return one function object for each function and fingerprint."""
    del fingerprint
    return lambda *arguments: function(*arguments)


def _fingerprint(functions, params, inputs, targets):
    """Return a digest of the program that a trace of the loss and its gradient writes down."""
    if len(functions) == 1:
        function = lambda *arguments: functions[0](*arguments)
    else:
        function = lambda w, x, y: functions[0](functions[1](w, x), y)
    # A new lambda every time: JAX keeps traces, too.
    closed = jax.make_jaxpr(jax.value_and_grad(function))(params, inputs, targets)
    _check_precision(closed.jaxpr)
    digest = hashlib.sha256(_ADDRESS.sub("", str(closed)).encode())
    for constant in _constants(closed):
        if jax.dtypes.issubdtype(constant.dtype, jax.dtypes.prng_key):
            constant = jax.random.key_data(constant)
        digest.update(np.ascontiguousarray(constant).tobytes())
    return digest.hexdigest()


def _check_precision(jaxpr):
    """Check that nothing in float64 is rounded to fewer bits on its way."""
    for equation in jaxpr.eqns:
        inner = list(core.jaxprs_in_params(equation.params))
        for each in inner:
            _check_precision(each)
        bits = lambda atoms: [jnp.finfo(x.aval.dtype).bits for x in atoms if jnp.issubdtype(x.aval.dtype, jnp.floating)]
        if not inner and min(bits(equation.outvars), default=64) < max(bits(equation.invars), default=0) == 64:
            place = "/".join(source_info_util.summarize(equation.source_info).split("/")[-2:])
            raise ValueError(
                f"the network or the loss rounds numbers to {equation.outvars[0].aval.dtype}, at {place}, and ranks "
                "need float64 throughout: take out the conversion, or give the layers dtype=float64. (JAX's own "
                "jax.nn.dot_product_attention rounds to float32: write its softmax yourself)"
            )


def _constants(closed):
    """Yield all arrays that a program contains, inner programs included."""
    yield from closed.consts
    for equation in closed.jaxpr.eqns:
        # The text of a program shows numbers, but not the entries of an array.
        yield from (v.val for v in equation.invars if isinstance(v, core.Literal) and np.ndim(v.val))
        for leaf in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if _is_program(leaf):
                yield from _constants(leaf)


def _is_program(value):
    return isinstance(value, core.ClosedJaxpr)


def _direction(params):
    """Return the size of every parameter's array, and a random direction of this size, two trees like `params`."""
    generator = np.random.default_rng(0)
    sizes = [np.max(abs(leaf), initial=0.0) for leaf in jax.tree.leaves(params)]
    common = np.median([size for size in sizes if size > 0] or [1.0])  # for arrays of zeros, such as new biases
    scale = [np.full(leaf.shape, size or common) for leaf, size in zip(jax.tree.leaves(params), sizes, strict=True)]
    scale = jax.tree.unflatten(jax.tree.structure(params), scale)
    return scale, jax.tree.map(lambda size: size * generator.standard_normal(size.shape), scale)


def _flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=QUICKLY)
def _parts(loss, apply_fn, params, inputs, targets):
    """Return the outputs of a batch, whole and in two halves, and the losses at outputs nearby.

    Where the residuals vanish, a loss is all rounding. One percent away from there it is not.
    """
    half = num_samples(inputs) // 2
    whole = apply_fn(params, inputs)
    generator = np.random.default_rng(1)
    near = jax.tree.map(lambda x: x * (1 + 0.01 * generator.standard_normal(x.shape)), whole)
    if not half:
        return whole, whole, loss(near, targets), loss(near, targets)[None]
    sides = slice(half), slice(half, None)
    halves = [apply_fn(params, part(inputs, side)) for side in sides]
    halves = jax.tree.map(lambda *pair: jnp.concatenate(pair), *halves)
    parts = jnp.stack([loss(part(near, side), part(targets, side)) for side in sides])
    return whole, halves, loss(near, targets), parts


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=QUICKLY)
def _value_and_gradient(loss, apply_fn, params, inputs, targets):
    return jax.value_and_grad(lambda w: loss(apply_fn(w, inputs), targets))(params)


_NO_SUM = "Sum it over the samples, without other terms; a term of the parameters alone is a `penalty`"
_CAUSES = (
    "A unit of relu or its like sits on its kink, where there is no Hessian, or within rounding of it: move the "
    "weights or the data a little. Or the network hides a dependence from JAX, by stop_gradient, a "
    "straight-through estimator or a custom derivative: pass what is to stay fixed as constants instead"
)
