"""Progress bars of single calls: all steps are told, and the results are those without a bar."""

import io

import jax
import numpy as np
import pytest
from tqdm import tqdm

from blocks import dense_blocks
from hessians import dense_hessians
from losses import get_loss
from ranks import dense_ranks

RNG = np.random.default_rng(0)
PARAMS = {"first": RNG.normal(size=(4, 2)), "last": RNG.normal(size=(2, 3))}
BATCHES = [(RNG.normal(size=(5, 4)), RNG.normal(size=(5, 3))) for _ in range(2)]  # which are joined


def network(params, inputs):
    return inputs @ params["first"] @ params["last"]


@pytest.mark.parametrize(("call", "steps"), [(dense_hessians, 3), (dense_ranks, 3), (dense_blocks, 2 + 2)])
def test_all_steps_are_told(call, steps):
    with tqdm(file=io.StringIO()) as bar:
        with_bar = call(get_loss("mse"), network, PARAMS, BATCHES, bar=bar)
        assert bar.n == bar.total == steps
    without = call(get_loss("mse"), network, PARAMS, BATCHES)
    np.testing.assert_equal(*(jax.tree.map(np.asarray, each) for each in (with_bar, without)))
