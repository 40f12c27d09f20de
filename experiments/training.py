"""Gradient descent on all samples at once, with the parameters along the way, for the Hessians there."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import checks
import losses
from problem import pose
from ranks import dense_ranks

_HALTS = 100  # of a descent, for a progress bar


class Training(NamedTuple):
    """A run of gradient descent. Step 0 is before the first update."""

    losses: np.ndarray  # (steps + 1,), the loss as the Hessians have it, summed over the samples
    gradient_norms: np.ndarray  # (steps + 1,), ||grad L||
    params: dict  # {step: params} for every step to keep


def train(loss, apply_fn, params, batches, optimizer, steps, keep, bar=None):
    """Return a run of `optimizer` on L, the sum of the batches' losses: theta_{t+1} = theta_t + update(grad L).

    With `optax.sgd(rate)` the update is -rate grad L. As in the Hessians, L is the sum over the samples, not their
    mean. So a rate below 2 / (largest eigenvalue of H_L) is stable near a minimum.

    Args:
        loss: a loss of `losses.get_loss`.
        apply_fn: F(params, inputs) -> (n, K), the network.
        params: float64, the parameters at the start.
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a loader. Every step sees all of them.
        optimizer: an optax optimizer.
        steps: number of updates, at least 1.
        keep: steps at which to keep the parameters, between 0 and `steps`. `kept_steps` spreads some.
        bar: a `tqdm.tqdm`, which is told the number of updates, about a hundred times in all.

    Returns:
        Training.

    Raises:
        TypeError: for anything but float64, or numbers of steps that are not integers.
        ValueError: for no steps, no step to keep or one outside of 0 to `steps`, NaN or infinity, or no batches. Also
            for functions with random parts, or a loss that is no sum over the samples.
        MemoryError: if the record of so many steps would not fit in memory.
        FloatingPointError: if the loss is no longer finite. The message names the step.
    """
    steps = checks.integer("steps", steps)
    keep = sorted({checks.integer("keep", step, minimum=0) for step in keep})
    if not keep or keep[-1] > steps:
        raise ValueError(f"keep needs steps between 0 and {steps}, got {keep}")
    checks.memory(32 * steps, f"the losses and gradients of {steps} steps are recorded", "Choose fewer steps")
    loss, apply_fn, params, batches, _, _ = pose(loss, apply_fn, params, batches)
    record = jnp.full((2, steps + 1), jnp.nan, jnp.float64)
    state, kept, step = (params, optimizer.init(params)), {}, 0
    halts = [] if bar is None else range(0, steps, -(-steps // _HALTS))
    for stop in sorted({*keep, *halts, steps + 1}):
        state, record = _advance(losses.of_params(loss, apply_fn), optimizer, state, record, step, stop, batches)
        if stop in keep:
            kept[stop] = state[0]
        if bar is not None:
            record.block_until_ready()  # JAX returns before it has computed
            bar.update(min(stop, steps) - step)
        step = stop
    values, norms = np.asarray(record)
    if not np.isfinite(values).all():
        bad = int(np.argmin(np.isfinite(values)))
        raise FloatingPointError(
            f"the loss is {values[bad]} after {bad} steps, {values[max(bad - 1, 0)]:.3g} one step before: training "
            "diverged; take a smaller learning rate"
        )
    return Training(values, norms, kept)


def descend(loss, apply_fn, params, batches, rate, momentum, steps, bar=None):
    """Return a run of gradient descent with momentum, and the ranks along it.

    The learning rate is `rate` / lambda_1, where lambda_1 is the largest |eigenvalue| of H_L at the start. If H_L is
    zero there, as in a relu network whose units are all dead, it is `rate`.

    Args:
        loss, apply_fn, params, batches, steps: as in `train`.
        rate: below 2 (1 + momentum). Then the descent is stable as long as the curvature does not grow.
        momentum: at least 0 and below 1.
        bar: a `tqdm.tqdm`, whose first half is the descent, and the second the ranks along it.

    Returns:
        Training, and what `ranks_along` returns for it, at `kept_steps(steps)`.

    Raises:
        TypeError, ValueError, MemoryError, FloatingPointError: as in `train`, and for other numbers than these.
    """
    rate, momentum = checks.number("rate", rate, 0.0, np.inf), checks.number("momentum", momentum, 0.0, 1.0)
    kept = kept_steps(steps)
    sharpness = float(abs(dense_ranks(loss, apply_fn, params, batches).loss.spectrum[0]))
    optimizer = optax.sgd(rate / (sharpness or 1.0), momentum)
    tell = None
    if bar is not None:
        bar.reset(total=2 * steps)
        shares = iter(np.diff(np.linspace(0, steps, len(kept) + 1).round()))  # whole numbers, which add up to `steps`
        tell = lambda: bar.update(int(next(shares)))
    training = train(loss, apply_fn, params, batches, optimizer, steps, kept, bar)
    return training, ranks_along(loss, apply_fn, training, batches, tell)


def kept_steps(steps, count=15):
    """Return about `count` steps from 0 to `steps`, at equal distances on a logarithmic axis.

    Raises:
        TypeError, ValueError: unless both are integers, at least 1.

    Example:
        >>> from experiments.training import kept_steps
        >>> kept_steps(1000, count=4)
        [0, 1, 10, 100, 1000]
    """
    steps, count = checks.integer("steps", steps), checks.integer("count", count)
    return [0, *sorted({round(step) for step in np.geomspace(1, steps, count)})]


def ranks_along(loss, apply_fn, training, batches, tell=None):
    """Return {step: HessianTriple of NumericalRank} at the parameters kept.

    H_f vanishes at a minimum. It is computed directly and counted at the scale of H_L. The difference H_L - H_o would
    be lost in its rounding errors long before.

    Args:
        loss, apply_fn, batches: as in `ranks.dense_ranks`.
        training: Training.
        tell: a function without arguments, called whenever the ranks at a step are found.
    """
    found = {}
    for step, params in training.params.items():
        found[step] = dense_ranks(loss, apply_fn, params, batches, near_minimum=True)
        if tell is not None:
            tell()
    return found


@functools.partial(jax.jit, static_argnums=(0, 1))
def _advance(of_params, optimizer, state, record, start, stop, batches):
    """Record the loss and its gradient's norm from step `start` to before `stop`, and advance."""

    def body(step, carried):
        (params, memory), record = carried
        value, gradient = jax.value_and_grad(lambda w: sum(of_params(w, *batch) for batch in batches))(params)
        record = record.at[:, step].set(jnp.stack([value, optax.tree.norm(gradient)]))
        updates, memory = optimizer.update(gradient, memory, params)
        return (optax.apply_updates(params, updates), memory), record

    return jax.lax.fori_loop(start, stop, body, (state, record))
