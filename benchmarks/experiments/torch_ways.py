"""The ways to the three ranks of a linear network that use PyTorch, whose import is then not measured.

A model is translated into JAX, or multiplied by PyTorch itself. And matrices have their eigenvalues from PyTorch.
"""

import jax
import torch

from adapters.torch_models import from_torch
from adapters.torch_operators import operators
from closed_forms import linear_ranks
from experiments.ways import by_matrices, by_probes, network_of
from hessians import HessianTriple, num_params
from linear_networks import sufficient_samples
from losses import squared
from matrix_free import sketched_rank, sketched_ranks


def matrix_ranks(params, batches):
    """Return `ways.by_matrices`, where large matrices and sketches have their eigenvalues from PyTorch."""
    return by_matrices(params, batches)


def probe_ranks(params, batches):
    """Return `ways.by_probes`, likewise."""
    return by_probes(params, batches)


def translated_ranks(params, batches):
    """Return HessianTriple of NumericalRank, without the matrices, by the model's translation into JAX.

    Args:
        params: list of weight matrices (m_{l-1}, m_l), NumPy.
        batches: list of pairs (inputs (n, d), targets (n, K)).
    """
    few, guess = _sufficient(params, batches)
    apply_fn, weights = from_torch(model_of(params), few[0][0][:2])
    return sketched_ranks(squared, apply_fn, weights, few, guess, bound=guess)


def multiplied_ranks(params, batches):
    """Return the same from products that PyTorch computes (`torch.func`). Arguments as in `translated_ranks`."""
    few, guess = _sufficient(params, batches)
    products = operators(lambda f, y: 0.5 * ((f - y) ** 2).sum(), model_of(params), few)
    p, key = num_params(params), jax.random.key(0)
    return HessianTriple(*(sketched_rank(product, p, rank, key) for product, rank in zip(products, guess, strict=True)))


def model_of(params):
    """Return a torch.nn.Sequential with these weight matrices."""
    layers = [torch.nn.Linear(*weights.shape, bias=False, dtype=torch.float64) for weights in params]
    with torch.no_grad():
        for layer, weights in zip(layers, params, strict=True):
            layer.weight.copy_(torch.from_numpy(weights.T))
    return torch.nn.Sequential(*layers)


def _sufficient(params, batches):
    apply_fn, units, outputs = network_of(params)
    inputs, targets = sufficient_samples(squared, apply_fn, params, batches)
    return [(inputs, targets)], linear_ranks(len(inputs), outputs, units)
