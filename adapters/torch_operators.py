"""Products with the Hessians of a PyTorch model by PyTorch itself (`torch.func`), for models without a translation.

    products = operators(torch.nn.CrossEntropyLoss(reduction="sum"), model.eval(), batches)
    sketched_rank(products.outer, p, guess=100, key=jax.random.key(0))

Ranks from products alone are open: `adapters.torch_models` gives more, where it has a rule for all operations.
"""

import functools
import warnings

import jax
import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree

from adapters import torch_preparation
from hessians import HessianTriple

_AT_ONCE = 64  # vectors in a block; the memory grows with it


def operators(loss_fn, model, batches, chunk_size=_AT_ONCE):
    """Return the functions V -> V H for H_f, H_o and H_L, each summed over the batches.

    The model is copied and computes in float64. The p parameters with requires_grad are in the model's order, as in
    `jax.flatten_util.ravel_pytree` of what `torch_models.from_torch` returns.

    Args:
        loss_fn: loss(predictions, targets) -> scalar, summed over the samples: a torch.nn.Module such as
            torch.nn.CrossEntropyLoss(reduction="sum"), or a function.
        model: torch.nn.Module, as in `torch_models.from_torch`.
        batches: pairs (inputs, targets) of tensors or arrays. Inputs can be a tuple of several arguments, or a dict by
            keyword.
        chunk_size: how many vectors are multiplied at once.

    Returns:
        HessianTriple of functions V (b, p) -> (b, p), NumPy float64.

    Raises:
        TypeError, ValueError: for a model as in `torch_models.from_torch`, and ValueError for no batches. The functions
            raise ValueError for V of another length than p.

    Example:
        >>> import numpy as np, torch
        >>> from adapters.torch_operators import operators
        >>> model = torch.nn.Linear(2, 1, bias=False)  # least squares: H_o = 2 X^T X
        >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> products = operators(torch.nn.MSELoss(reduction="sum"), model, [(X, np.ones((2, 1)))])
        >>> products.outer(np.eye(2)).tolist()
        [[20.0, 28.0], [28.0, 40.0]]
    """
    this = torch_preparation.prepared(model)
    theta = torch.cat([parameter.flatten() for parameter in this.parameters])
    sizes = [parameter.numel() for parameter in this.parameters]
    loss = loss_fn
    if isinstance(loss_fn, torch.nn.Module):
        torch_preparation.check_mode(loss_fn)
        loss = torch_preparation.in_double(loss_fn)
    batches = [tuple(jax.tree.map(torch_preparation.tensor, part) for part in batch) for batch in batches]
    if not batches:
        raise ValueError("batches is empty: there are no samples to sum over")

    def outputs(inputs, theta):
        pairs = zip(theta.split(sizes), this.parameters, strict=True)
        return torch_preparation.call(this, [part.view_as(parameter) for part, parameter in pairs], inputs)

    def multiply(product, vectors):
        vectors = np.asarray(vectors, np.float64)
        if vectors.ndim != 2 or vectors.shape[1] != len(theta):
            raise ValueError(f"vectors must be rows of length p = {len(theta)}, got an array of shape {vectors.shape}")
        total = torch.zeros(vectors.shape, dtype=torch.float64)
        # Other kinds of attention have no forward derivative.
        with torch_preparation.plain_float64(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated")  # of PyTorch's own use of it
            for inputs, targets in batches:
                one = product(lambda F, y=targets: loss(F, y), functools.partial(outputs, inputs), theta)
                total += torch.func.vmap(one, chunk_size=chunk_size)(torch.from_numpy(vectors.copy())).detach()
        return total.numpy()

    return HessianTriple(*(functools.partial(multiply, product) for product in (_functional, _outer, _loss)))


def _loss(loss, outputs, theta):
    return _hessian(lambda theta: loss(outputs(theta)), theta)


def _outer(loss, outputs, theta):
    predictions, transposed = torch.func.vjp(outputs, theta)

    def product(v):
        _, along = torch.func.jvp(outputs, (theta,), (v,))
        _, curved = torch.func.jvp(_gradient(loss), (predictions,), (along,))
        return transposed(curved)[0]

    return product


def _functional(loss, outputs, theta):
    alpha = _pytree.tree_leaves(torch.func.grad(loss)(outputs(theta)))
    combined = lambda theta: sum((a * f).sum() for a, f in zip(alpha, _pytree.tree_leaves(outputs(theta)), strict=True))
    return _hessian(combined, theta)


def _hessian(function, theta):
    return lambda v: torch.func.jvp(_gradient(function), (theta,), (v,))[1]


def _gradient(function):
    # Not torch.func.grad: forward through it, PyTorch 2.15 fails for means ("ZeroTensors are immutable").
    return torch.func.jacrev(function)
