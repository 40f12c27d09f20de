"""How far numbers are from zero: by definition, and by what a perturbation does to them."""

import numpy as np
import pytest

from linear_networks import NotGenericError
from linear_networks.general_position import Decisions


def test_the_smallest_margin_is_kept():
    decisions = Decisions()
    for margin in (0.5, 1e-3, 0.1):
        decisions.nonzero("a number", margin)
    assert decisions.margin == 1e-3
    with pytest.raises(NotGenericError, match="a number is zero up to a change of nan of the weights"):
        decisions.nonzero("a number", float("nan"))
    with pytest.raises(
        NotGenericError, match=r"a number is zero up to a change of 1e-12 of .* linear_networks.spectrum"
    ):
        decisions.nonzero("a number", 1e-12)


def test_the_margin_is_the_distance_to_zero_on_a_line():
    # x(t) = x (1 - t / distance) is zero at the distance
    for distance in (0.3, 1e-4, 1e-9):
        exact, moved = Decisions(), Decisions()
        exact.note("numbers", [1.0, -2.0])
        moved.note("numbers", [1.0, -2.0 * (1 - 1e-12 / distance)])
        exact.compare(moved, 1e-12)
        assert exact.margin == pytest.approx(distance, rel=1e-3)


def test_eigenvalues_are_compared_in_order():
    # two eigenvalues that change places have not moved far
    exact, moved = Decisions(), Decisions()
    exact.note("eigenvalues", [1.0, 1.0 + 1e-9])
    moved.note("eigenvalues", [1.0 + 1e-9, 1.0])
    exact.compare(moved, 1e-12)
    assert exact.margin == 1.0


def test_numbers_that_are_rounding_are_declined():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        exact, moved = Decisions(), Decisions()
        exact.note("noise", rng.normal(size=3) * 1e-17)
        moved.note("noise", rng.normal(size=3) * 1e-17)
        with pytest.raises(NotGenericError, match="noise is zero up to"):
            exact.compare(moved, 1e-14)


def test_what_rounding_leaves_of_zero_is_declined_even_if_it_does_not_move():
    Decisions().note("numbers", [1.0, 1e-12], rounding=1e-14)
    with pytest.raises(NotGenericError, match="numbers is zero up to"):
        Decisions().note("numbers", [1.0, -1e-15], rounding=1e-14)


@pytest.mark.parametrize("value", [0.0, np.inf, np.nan])
def test_zero_and_numbers_that_are_none(value):
    with pytest.raises(NotGenericError, match="a loop is zero up to a change of 0e"):
        Decisions().note("a loop", [1.0, value])
