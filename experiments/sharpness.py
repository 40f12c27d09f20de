"""The largest eigenvalue of H_L along gradient descent, beside 2 / rate, beyond which the descent is unstable."""

from typing import NamedTuple

import numpy as np
import optax

import checks
from experiments.training import train
from hessians import num_params
from matrix_free import extreme_eigenvalues, loss_operator


class Sharpness(NamedTuple):
    """A run of gradient descent with a constant rate, and the largest eigenvalue of H_L at some of its steps."""

    losses: np.ndarray  # (steps + 1,), summed over the samples
    steps: np.ndarray  # (m,), int: where the eigenvalue was found
    values: np.ndarray  # (m,), the largest eigenvalue of H_L
    errors: np.ndarray  # (m,); H_L has an eigenvalue within so much of it


def sharpness_along(loss, apply_fn, params, batches, rate, steps, count=20, bar=None):
    """Return a run of gradient descent and the largest eigenvalue of H_L along it, at equal distances.

        theta_{t+1} = theta_t - rate grad L(theta_t)

    Near a minimum, the distance along an eigenvector of H_L is multiplied by 1 - rate lambda in every step. It shrinks
    if lambda < 2 / rate, and grows beyond. L is the sum over the samples, in both the descent and H_L.

    Args:
        loss, apply_fn, params, batches: as in `training.train`.
        rate: the learning rate, above 0.
        steps: number of updates, at least 1.
        count: about how many eigenvalues to find, at least 2: the first before the first update, the last at the end.
        bar: a `tqdm.tqdm`, which is told the number of eigenvalues found.

    Returns:
        Sharpness.

    Raises:
        TypeError, ValueError, MemoryError, FloatingPointError: as in `training.train`, and for other numbers than
            these.

    Example:
        The loss (w x - 1)^2 / 2 of one weight has the Hessian x^2 everywhere.

        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from experiments.sharpness import sharpness_along
        >>> from losses import get_loss
        >>> line, batches = lambda w, inputs: inputs @ w, [(np.full((1, 1), 2.0), np.ones((1, 1)))]
        >>> found = sharpness_along(get_loss("mse"), line, np.zeros((1, 1)), batches, rate=0.1, steps=4, count=2)
        >>> found.steps.tolist(), found.values.tolist(), bool(found.losses[-1] < found.losses[0])
        ([0, 4], [4.0, 4.0], True)
    """
    rate = checks.number("rate", rate, np.finfo(float).tiny, np.inf)
    steps, count = checks.integer("steps", steps), checks.integer("count", count, minimum=2)
    kept = sorted({round(step) for step in np.linspace(0, steps, count)})
    training = train(loss, apply_fn, params, batches, optax.sgd(rate), steps, kept)
    tops = []
    for step in kept:
        operator = loss_operator(loss, apply_fn, training.params[step], batches)
        tops.append(extreme_eigenvalues(operator, num_params(params), k=1, ends="top").top)
        if bar is not None:
            bar.update(1)
    values, errors = (np.array([getattr(top, name)[0] for top in tops]) for name in ("values", "errors"))
    return Sharpness(training.losses, np.array(kept), values, errors)
