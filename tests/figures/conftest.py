import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.figures.readability import overlaps


@pytest.fixture(autouse=True)
def every_figure_is_drawn_and_readable():
    """Draw what a test leaves open, since much goes wrong only then: no warning, no text over another."""
    yield
    try:
        assert [pair for number in plt.get_fignums() for pair in overlaps(plt.figure(number))] == []
    finally:
        plt.close("all")


@pytest.fixture
def setting():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in [(4, 6), (6, 7), (7, 3)]]
    return weights, rng.normal(size=(9, 4)), rng.normal(size=(9, 3))
