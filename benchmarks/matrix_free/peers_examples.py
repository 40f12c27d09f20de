"""The documented examples of curvlinops and hessian-eigenthings that need no download, to run other code on them too.

Each function here draws the example's model and data from its seed, and runs the library on them as its documentation
does. PyHessian 0.1 has no such example: the README and the tutorial need CIFAR-10 and a trained network. None of the
documents prints what a run gives.

    example = eigenthings_script()
    operators(example.loss_fn, example.model, example.batches).loss  # adapters.torch_operators
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import curvlinops
import hessian_eigenthings
import torch
from curvlinops.trace.epperly2024xtrace import xtrace
from scipy.sparse.linalg import eigsh
from torch.nn import Linear, ReLU, Sequential, Sigmoid, Tanh
from torch.nn.functional import mse_loss


class Example(NamedTuple):
    """What the library found, and the problem: H is the Hessian of loss_fn(model(x), y) summed over the batches."""

    top: float  # eigenvalue of largest modulus
    trace: float  # random estimate
    model: torch.nn.Module
    loss_fn: Callable  # (predictions, targets) -> scalar, divided by the number of batches
    batches: list  # pairs of tensors, inputs (n, d) and targets (n, K)


def curvlinops_eigenvalues():
    """Return the Example of curvlinops' page "Eigenvalues": p = 88, relu and sigmoid, in float32, two batches.

    The page has no trace. Here, XTrace estimates it from 80 products.
    """
    with _drawn(0):
        pairs = [(torch.rand(20, 7), torch.rand(20, 3)) for _ in range(2)]
        model = Sequential(Linear(7, 5), ReLU(), Linear(5, 5), Sigmoid(), Linear(5, 3))
        operator = curvlinops.HessianLinearOperator(model, torch.nn.MSELoss(), list(model.parameters()), pairs)
        top = eigsh(operator.to_scipy(), k=3, which="LM", return_eigenvectors=False)
        trace = xtrace(operator, 80).item()
    return Example(float(max(top, key=abs)), trace, model, _mean_over(pairs), pairs)


def eigenthings_quickstart():
    """Return the Example of hessian-eigenthings' page "Quickstart": p = 705, Tanh, pure noise, four batches."""
    with _drawn(0):
        model = Sequential(Linear(20, 32), Tanh(), Linear(32, 1)).double()
        inputs, targets = _normal(128, 20), _normal(128, 1)
    return _eigenthings(model, inputs, targets, tol=1e-4)


def eigenthings_script():
    """Return the Example of hessian-eigenthings' `examples/supervised_mlp.py`: p = 1217, linear targets, 8 batches."""
    with _drawn(0):
        model = Sequential(Linear(20, 32), Tanh(), Linear(32, 16), Tanh(), Linear(16, 1)).double()
        inputs, weights = _normal(256, 20), _normal(20, 1)
        targets = inputs @ weights + 0.1 * _normal(256, 1)
    return _eigenthings(model, inputs, targets, tol=1e-7)


def _eigenthings(model, inputs, targets, tol):
    """Both documents ask for 5 eigenvalues in 40 Lanczos steps, and for Hutch++ with 99 products."""
    pairs = list(zip(inputs.split(32), targets.split(32), strict=True))
    operator = hessian_eigenthings.HessianOperator(model, pairs, hessian_eigenthings.supervised_loss(mse_loss))
    top = hessian_eigenthings.lanczos(operator, k=5, max_iter=40, tol=tol, seed=0).eigenvalues[0].item()
    trace = hessian_eigenthings.trace(operator, num_matvecs=99, method="hutch++", seed=0).estimate
    return Example(top, trace, model, _mean_over(pairs), pairs)


def _mean_over(batches):
    """Return the loss of one batch whose sum over the batches, of equal sizes, is the mean over all entries."""
    # As a sum and a quotient: PyTorch 2.15 cannot take the forward derivative of the gradient of a mean.
    return lambda f, y: mse_loss(f, y, reduction="sum") / (y.numel() * len(batches))


def _normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@contextlib.contextmanager
def _drawn(seed):
    """PyTorch draws from this seed within; its random state is restored at the end."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
