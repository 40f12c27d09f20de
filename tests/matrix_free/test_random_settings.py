"""A few of the random settings of which benchmarks/matrix_free/random_settings.py takes 200."""

import numpy as np
import pytest

from tests.oracles.random_settings import compare


@pytest.mark.parametrize("seed", range(4))
def test_matrix_free_dense_and_exact_ranks(seed):
    for found in compare(np.random.default_rng([1, seed]), largest=600):
        if found.dense.gap > 1e4:
            assert found.sketched.rank == found.dense.rank, found
        if found.sketched.rank != found.dense.rank:
            assert not (found.dense.trusted and found.sketched.trusted), found
        if found.exact is not None and found.sketched.trusted:
            assert found.sketched.rank == found.exact, found
