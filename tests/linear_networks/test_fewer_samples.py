import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch.utils.data import DataLoader

from architectures import fully_connected
from dataloader import DatasetTorch
from hessians import dense_hessians
from initializers import get_init
from linear_networks import sufficient_samples
from losses import get_loss, squared


def network(activation="linear", bias=False):
    init_fn, apply_fn = fully_connected([6, 4], 3, activation, get_init("glorot"), bias=bias)
    return apply_fn, init_fn(jax.random.PRNGKey(0), (-1, 8))[1]


def samples(n, rank=8):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, 8)), rng.normal(size=(n, 3))


@pytest.mark.parametrize(("n", "rank"), [(500, 8), (500, 5), (8, 8), (5, 8), (1, 1)])
def test_the_three_hessians_stay_as_they_are(n, rank):
    apply_fn, params = network()
    inputs, targets = samples(n, rank)
    batches = DataLoader(DatasetTorch(inputs, targets), batch_size=60)
    few = sufficient_samples(squared, apply_fn, params, batches)
    assert few[0].shape == (min(n, rank), 8)
    assert few[1].shape == (min(n, rank), 3)
    whole, compressed = (dense_hessians(squared, apply_fn, params, [batch]) for batch in ((inputs, targets), few))
    for expected, matrix in zip(whole, compressed, strict=True):
        assert_allclose(matrix, expected, atol=1e-13 * float(abs(expected).max()))


def test_inputs_that_are_zero():
    few = sufficient_samples(squared, *network(), [(np.zeros((5, 8)), np.ones((5, 3)))])
    assert not few[0].any()
    assert few[0].shape == (1, 8)


@pytest.mark.parametrize(
    ("loss_name", "activation", "bias"),
    [("cross", "linear", False), ("cosh", "linear", False), ("mse", "relu", False), ("mse", "linear", True)],
)
def test_other_losses_and_networks_are_refused(loss_name, activation, bias):
    with pytest.raises(ValueError, match=r"Only a linear network without biases under the squared loss"):
        sufficient_samples(get_loss(loss_name), *network(activation, bias), [samples(50)])


def test_batches_are_checked():
    inputs, targets = samples(20)
    with pytest.raises(ValueError, match="batches is empty"):
        sufficient_samples(squared, *network(), [])
    with pytest.raises(TypeError, match="can be gone through only once"):
        sufficient_samples(squared, *network(), iter([(inputs, targets)]))
    with pytest.raises(ValueError, match="inputs must be finite"):
        sufficient_samples(squared, *network(), [(inputs * np.nan, targets)])
