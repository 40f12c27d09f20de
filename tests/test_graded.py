"""Some of the hard networks of which benchmarks/ranks/graded.py takes a thousand: no trusted rank may be wrong."""

import jax
import numpy as np
import pytest

from exact import random_primes
from tests.oracles.hard_networks import FAMILIES, Judgement, draw, judge, named

DRAWS = 8  # of each family
SHAPES = {"matrix-free": 1, "dense": 1}  # of each family: a new one is compiled, which takes seconds


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("way", SHAPES)
def test_no_trusted_rank_is_wrong(family, way):
    for number in range(DRAWS):
        rng = np.random.default_rng([3, number])
        for row in judge(draw(rng, family, SHAPES[way]), rng, [way], primes=random_primes(1)):
            assert not row.wrongly_trusted, row


def test_most_right_ranks_are_trusted():
    rows = []
    for number in range(DRAWS):
        rng = np.random.default_rng([4, number])
        rows += judge(draw(rng, "images", 1), rng, primes=random_primes(1))
    assert sum(row.right and row.trusted for row in rows) > 0.8 * sum(row.right for row in rows)


def test_a_cliff_that_is_not_the_rank():
    rows = judge(named(), np.random.default_rng(0), ["dense"], primes=random_primes(1))
    assert [row.exact for row in rows] == [44, 10, 54]
    dense = rows[-1]
    assert dense.gap > 1e9
    assert dense.measured == 45
    assert dense.grade == "open"
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
