"""What an estimate from random vectors is worth: an interval for the exact value."""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95  # probability that an interval holds the exact value


class Estimate(NamedTuple):
    """A number, or an array of numbers, with the ends of its intervals at 95 %."""

    value: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray


def student(degrees):
    """Return the number of standard errors that Student's distribution allows at 95 %: 2.26 for 9 degrees of freedom.

    With no degree of freedom it is infinite.
    """
    return float(stdtrit(degrees, (1 + LEVEL) / 2)) if degrees > 0 else np.inf


def from_samples(total, deviation, count):
    """Return the Estimate of a mean of `count` independent samples.

    Args:
        total: the mean.
        deviation: the samples' standard deviation, with count - 1 in the denominator.
        count: number of samples.
    """
    half = student(count - 1) * deviation / count**0.5
    return Estimate(total, total - half, total + half)
