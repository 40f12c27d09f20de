import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from closed_forms import linear_ranks
from experiments.cost import measure
from experiments.ways import by_matrices, by_probes, by_probes_loss, by_signs, by_structure, by_structure_loss

RNG = np.random.default_rng(0)
PARAMS = [RNG.normal(size=shape) for shape in [(12, 30), (30, 20), (20, 3)]]
BATCHES = [(RNG.normal(size=(25, 12)), RNG.normal(size=(25, 3))) for _ in range(2)]
EXPECTED = linear_ranks(12, 3, [30, 20])


def test_the_ways_agree_with_each_other_and_the_closed_form():
    for way in (by_matrices, by_probes, by_structure, by_signs):
        assert tuple(found.rank for found in way(PARAMS, BATCHES)) == EXPECTED
    assert by_probes_loss(PARAMS, BATCHES).rank == by_structure_loss(PARAMS, BATCHES).rank == EXPECTED.loss


def test_measured_in_a_process_of_its_own():
    cost = measure(by_probes, PARAMS, BATCHES)
    assert tuple(found.rank for found in cost.result) == EXPECTED
    assert cost.seconds > 0
    assert 1e7 < cost.before <= cost.peak < 1e10


def test_a_bar_is_drawn_while_it_runs():
    drawn = []
    bar = SimpleNamespace(refresh=lambda: drawn.append("again"), update=lambda count: drawn.append(count))
    assert measure(time.sleep, 2.5, bar=bar).seconds >= 2.5
    assert drawn[:2] == ["again", "again"]
    assert drawn[-1] == 1
    assert drawn.count(1) == 1


def test_the_peak_is_that_of_the_call():
    cost = measure(np.ones, 5 * 10**7)
    assert 4e8 < cost.peak - cost.before < 4.5e8


def test_errors_come_back():
    with pytest.raises(TypeError, match="must be float64"):
        measure(by_matrices, [W.astype(np.float32) for W in PARAMS], BATCHES)
    assert jax.config.jax_enable_x64
