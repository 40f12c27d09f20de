import matplotlib.pyplot as plt
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def setting():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in [(4, 6), (6, 7), (7, 3)]]
    return weights, rng.normal(size=(9, 4)), rng.normal(size=(9, 3))
