import functools

import jax
import numpy as np
import pytest
from torch.utils.data import DataLoader

from architectures import fully_connected
from closed_forms import (
    biased_ranks,
    critical_ranks,
    effective_outputs,
    flag_rank,
    functional_rank,
    linear_ranks,
    loss_rank,
    outer_rank,
)
from data import get_dataset
from dataloader import DatasetTorch
from hessians import HessianTriple, dense_hessians
from initializers import INITIALIZERS, get_init
from losses import LOSSES, get_loss
from ranks import numerical_rank
from tests.conftest import IMAGE_SETS


@functools.cache
def apply_function(units, outputs, bias):
    """Return the network: the same object for every initialization, compiled once."""
    return fully_connected(list(units), outputs, "linear", get_init("glorot"), bias=bias)[1]


def measured_ranks(inputs, targets, units, loss_name, init_name, seed, batch_size, bias=False):
    """Return r and the three numerical ranks of a linear network, summed over batches as the notebook does."""
    init_fn, _ = fully_connected(units, targets.shape[1], "linear", get_init(init_name), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(seed), (-1, inputs.shape[1]))
    loader = DataLoader(DatasetTorch(inputs, targets), batch_size=batch_size)
    sums = dense_hessians(get_loss(loss_name), apply_function(tuple(units), targets.shape[1], bias), params, loader)
    return numerical_rank(inputs.T @ inputs), HessianTriple(*map(numerical_rank, sums))


@pytest.mark.parametrize("init_name", INITIALIZERS)
@pytest.mark.parametrize("loss_name", LOSSES)
@pytest.mark.parametrize("dataset", ["digits", *IMAGE_SETS])
def test_the_papers_setting(dataset, loss_name, init_name, request):
    """n = 50 images of 5 x 5 pixels, widths 5 and 10: measured equals predicted, and no gap is below 1e8."""
    if dataset != "digits":
        request.getfixturevalue("image_sets")
    data = get_dataset(dataset, 50, 0, 25, 10)
    r, measured = measured_ranks(data.x_train, data.y_train, [5, 10], loss_name, init_name, seed=1, batch_size=10)
    assert r.rank == 25
    expected = HessianTriple(165, 145, 245) if loss_name == "cross" else HessianTriple(175, 150, 250)
    assert linear_ranks(r.rank, 10, [5, 10], loss_name) == expected
    assert HessianTriple(*(found.rank for found in measured)) == expected
    assert min(found.gap for found in (r, *measured)) >= 1e8


def random_settings(count, bias):
    """Return settings over depth 2 to 4, bottlenecks anywhere, K = 1, n < d, n < K, and data of deficient rank."""
    rng = np.random.default_rng(8)
    for seed in range(count):
        loss_name = list(LOSSES)[seed % 3]
        dim, outputs, n = rng.integers(1, 8), rng.integers(1 + (loss_name == "cross"), 7), rng.integers(1, 25)
        units = rng.integers(1, 8, size=rng.integers(1, 4)).tolist()
        yield pytest.param(
            bias,
            seed,
            dict(dim=dim, outputs=outputs, n=n, r=rng.integers(1, dim + 1), units=units, loss_name=loss_name),
            id=f"{loss_name} {dim}-{'-'.join(map(str, units))}-{outputs} n={n}{' bias' if bias else ''}",
        )


@pytest.mark.parametrize(
    ("bias", "seed", "setting"), [*random_settings(18, bias=False), *random_settings(9, bias=True)]
)
def test_equality_in_general_position(bias, seed, setting):
    """Gaussian data of rank r, Gaussian targets (their softmax for the cross-entropy), orthogonal weights.

    Centring takes nothing from data of rank r < n, and one dimension from n samples in general position.
    """
    rng = np.random.default_rng(seed)
    n, units, loss_name = setting["n"], setting["units"], setting["loss_name"]
    inputs = rng.normal(size=(n, setting["r"])) @ rng.normal(size=(setting["r"], setting["dim"]))
    targets = rng.normal(size=(n, setting["outputs"]))
    if loss_name == "cross":
        targets = np.exp(targets) / np.exp(targets).sum(axis=1, keepdims=True)
    r, measured = measured_ranks(inputs, targets, units, loss_name, "orthogonal", seed, batch_size=25, bias=bias)
    assert r.rank == min(n, setting["r"])
    closed_forms = biased_ranks if bias else linear_ranks
    rank = min(n - bias, setting["r"])
    assert HessianTriple(*(found.rank for found in measured)) == closed_forms(
        rank, setting["outputs"], units, loss_name
    )
    assert min(found.gap for found in measured) > 1e4


def test_with_biases_the_order_of_the_widths_matters():
    assert biased_ranks(3, 3, [4, 1]) == (14, 8, 18)
    assert biased_ranks(3, 3, [1, 4]) == (20, 8, 24)
    assert biased_ranks(5, 3, []) == (0, 18, 18)  # K (r + 1)
    assert linear_ranks(3, 3, [4, 1]) == linear_ranks(3, 3, [1, 4])


def test_flag_formula():
    """In general position it is q (r + K - q); with W_2 = 0 of three layers, a_1 c_2."""
    assert flag_rank([25, 5, 5], [5, 10, 10]) == outer_rank(25, 10, [5, 10]) == 150
    assert flag_rank([25, 4, 0], [0, 6, 10]) == 4 * 6


def test_figures_from_the_paper():
    """The paper's notebook, and a network of width 256 on 8 x 8 images."""
    assert linear_ranks(25, 10, [5, 10]) == (175, 150, 250)
    assert loss_rank(64, 10, [256, 256]) == 10_680


@pytest.mark.parametrize("r", [1, 3, 9])
@pytest.mark.parametrize("outputs", [1, 4, 12])
def test_one_layer_is_a_linear_model(r, outputs):
    assert functional_rank(r, outputs, []) == 0
    assert outer_rank(r, outputs, []) == loss_rank(r, outputs, []) == r * outputs


def test_no_data_and_narrow_layers():
    assert linear_ranks(0, 10, [5, 10]) == (0, 0, 0)
    # q = 1: H_f has 2 M + 2 s - L, H_o has r + K - 1.
    assert linear_ranks(25, 10, [1, 7]) == (2 * 8 + 2 * 10 - 3, 25 + 10 - 1, 2 * 8 - 3 + 35)


def test_cross_entropy_loses_one_output():
    assert [effective_outputs(10, name) for name in LOSSES] == [10, 9, 10]
    with pytest.raises(ValueError, match="classes must be at least 2, got 1"):
        effective_outputs(1, "cross")
    with pytest.raises(ValueError, match="unknown loss 'hinge'; choose one of 'mse', 'cross', 'cosh'"):
        linear_ranks(25, 10, [5], "hinge")
    with pytest.raises(TypeError, match="r must be an integer"):
        linear_ranks(25.5, 10, [5])
    with pytest.raises(TypeError, match=r"units must be a list of hidden widths such as \[5, 10\], got <generator"):
        linear_ranks(25, 10, (m for m in [5, 10]))  # once read, it would be a network without hidden layers
    with pytest.raises(TypeError, match="balanced must be True or False, got 'no'"):
        biased_ranks(25, 10, [5, 10], balanced="no")
    with pytest.raises(TypeError, match=r"bias must be True or False, got 0\.5"):
        critical_ranks(25, 10, [5, 10], bias=0.5)
