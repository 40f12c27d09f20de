import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch.utils.data import DataLoader

from architectures import fully_connected
from dataloader import DatasetTorch
from exact import exact_rank
from hessians import dense_hessians
from initializers import get_init
from linear_networks import sufficient_samples
from losses import get_loss, squared


def network(activation="linear", bias=False):
    init_fn, apply_fn = fully_connected([6, 4], 3, activation, get_init("glorot"), bias=bias)
    return apply_fn, init_fn(jax.random.PRNGKey(0), (-1, 8))[1]


def samples(n, rank=8):
    """Integers / 128, so that the rank of the product is what it says. Rounding would make it 8."""
    rng = np.random.default_rng(1)
    return rng.integers(-9, 9, size=(n, rank)) @ rng.integers(-9, 9, size=(rank, 8)) / 128, rng.normal(size=(n, 3))


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


@pytest.mark.parametrize("size", [1e-7, 1e-14, 1e-20, 1e-30])
def test_small_directions_are_kept(size):
    """The last input is another one up to `size`. Float64 holds a difference of 1e-14, and none of 1e-20."""
    inputs, targets = samples(30)
    inputs[:, 7] = inputs[:, 6] + size * inputs[:, 7]
    few = sufficient_samples(squared, *network(), [(inputs, targets)])
    assert len(few[0]) == exact_rank(inputs).rank == (8 if size > 1e-16 else 7)
    assert exact_rank(few[0]).rank == len(few[0])


def test_rounding_is_kept():
    """Without rounding the rank would be 5. The rank of the numbers as they are is 8."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(30, 5)) @ rng.normal(size=(5, 8))
    few = sufficient_samples(squared, *network(), [(inputs, rng.normal(size=(30, 3)))])
    assert len(few[0]) == exact_rank(inputs).rank == exact_rank(few[0]).rank == 8


def test_inputs_that_are_left_out_are_those_of_zero():
    inputs, targets = samples(30)
    inputs[:, [2, 5]] = 0.0
    few = sufficient_samples(squared, *network(), [(inputs, targets)])
    assert few[0].shape == (6, 8)
    assert not few[0][:, [2, 5]].any()


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
