"""Some of the hard networks of which benchmarks/ranks/graded.py takes a thousand: no trusted rank may be wrong."""

import jax
import numpy as np
import pytest

from exact import random_primes
from tests.oracles.hard_networks import FAMILIES, Judgement, draw, judge, named

DRAWS = 5  # of each family
SHAPES = 1  # of each family: a new one is compiled, which takes seconds


@pytest.mark.parametrize("family", FAMILIES)
def test_no_trusted_rank_is_wrong(family):
    for number in range(DRAWS):
        rng = np.random.default_rng([3, number])
        for row in judge(draw(rng, family, SHAPES), rng, primes=random_primes(1)):
            assert not row.wrongly_trusted, row


def test_most_right_ranks_are_trusted():
    rows = []
    for number in range(DRAWS):
        rng = np.random.default_rng([4, number])
        rows += judge(draw(rng, "images", SHAPES), rng, primes=random_primes(1))
    assert sum(row.right and row.trusted for row in rows) > 0.8 * sum(row.right for row in rows)


def test_a_cliff_that_is_not_the_rank():
    """A deep bottleneck with large targets; its first grade was wrong."""
    rows = judge(named(), np.random.default_rng(0), primes=random_primes(1))
    assert [row.exact for row in rows] == [44, 10, 54] * 2
    for row in rows[2::3]:  # H_L, dense and matrix-free
        assert (row.measured, row.grade) == (45, "open")
    assert rows[2].gap > 1e9
    assert not any(row.wrongly_trusted for row in rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_draws_the_same_finite_network_again(family):
    first, second = (draw(np.random.default_rng(7), family, 1) for _ in range(2))
    assert first.setting == second.setting
    for one, other in zip(*(jax.tree.leaves([each.params, each.batches]) for each in (first, second)), strict=True):
        assert one.dtype == np.float64
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("measured", "exact", "grade", "wrong"),
    [
        (5, 5, "clear", False),
        (5, 6, "clear", True),
        (5, 6, "proved", True),
        (5, 6, "open", False),
        (5, None, "clear", True),
        (5, None, "open", False),
        (None, None, "refused", False),
    ],
)
def test_only_trusted_ranks_can_be_wrongly_trusted(measured, exact, grade, wrong):
    assert Judgement("", "", "H_L", "dense", measured, exact, grade, 1.0, "").wrongly_trusted == wrong
