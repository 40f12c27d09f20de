"""How far numbers are from zero: by definition, and by what a perturbation does to them."""

import numpy as np
import pytest

from linear_networks import NotGenericError
from linear_networks.general_position import at_distance, decisive, margin


def test_the_smallest_margin_is_kept():
    assert margin([at_distance("a number", distance) for distance in (0.5, 1e-3, 0.1)]) == 1e-3
    assert margin([]) == margin([at_distance("a number", 7.0)]) == 1.0
    with pytest.raises(NotGenericError, match="a number is zero up to a change of nan of the weights"):
        at_distance("a number", float("nan"))
    with pytest.raises(
        NotGenericError, match=r"a number is zero up to a change of 1e-12 of .* linear_networks.spectrum"
    ):
        at_distance("a number", 1e-12)


def test_the_margin_is_the_distance_to_zero_on_a_line():
    # x(t) = x (1 - t / distance) is zero at the distance
    for distance in (0.3, 1e-4, 1e-9):
        exact = [decisive("numbers", [1.0, -2.0])]
        moved = [decisive("numbers", [1.0, -2.0 * (1 - 1e-12 / distance)])]
        assert margin(exact, [moved], 1e-12) == pytest.approx(distance, rel=1e-3)
        assert margin(exact, [exact, moved, exact], 1e-12) == margin(exact, [moved], 1e-12)  # the smallest counts


def test_eigenvalues_are_compared_in_order():
    # two eigenvalues that change places have not moved far
    exact = [decisive("eigenvalues", [1.0, 1.0 + 1e-9])]
    moved = [decisive("eigenvalues", [1.0 + 1e-9, 1.0])]
    assert margin(exact, [moved], 1e-12) == 1.0


def test_numbers_that_are_rounding_are_declined():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        exact, moved = ([decisive("noise", rng.normal(size=3) * 1e-17)] for _ in range(2))
        with pytest.raises(NotGenericError, match="noise is zero up to"):
            margin(exact, [moved], 1e-14)


def test_what_rounding_leaves_of_zero_is_declined_even_if_it_does_not_move():
    decisive("numbers", [1.0, 1e-12], rounding=1e-14)
    with pytest.raises(NotGenericError, match="numbers is zero up to"):
        decisive("numbers", [1.0, -1e-15], rounding=1e-14)


@pytest.mark.parametrize("value", [0.0, np.inf, np.nan])
def test_zero_and_numbers_that_are_none(value):
    with pytest.raises(NotGenericError, match="a loop is zero up to a change of 0e"):
        decisive("a loop", [1.0, value])
