"""Eigenvalues, densities and traces of a Hessian by three other libraries: curvlinops, PyHessian, hessian-eigenthings.

All of them take a network with tanh and without biases (`model_of`), and the cross-entropy summed over the samples.
Both are in float64, and all samples are one batch, which is the fastest way for each of the libraries. Each function is
called as the library documents it, and counts the products with the Hessian H. The functions with equal endings return
the same, unless their docstrings say otherwise.

    measure(curvlinops_extremes, params, inputs, labels, 10, 1e-6)  # experiments.cost
"""

import contextlib
import importlib
import time
import warnings
from unittest import mock

import curvlinops
import hessian_eigenthings
import numpy as np
import pyhessian
import torch
from curvlinops.papyan2020traces.spectrum import LanczosApproximateSpectrumCached
from curvlinops.trace.epperly2024xtrace import xtrace
from curvlinops.trace.hutchinson import hutchinson_trace
from curvlinops.trace.meyer2020hutch import hutchpp_trace
from scipy.sparse.linalg import eigsh

_CURVLINOPS_TRACES = {"hutchinson": hutchinson_trace, "hutch++": hutchpp_trace, "xtrace": xtrace}
_GRID = 1024  # points of a density: curvlinops' own number, and a tenth of hessian-eigenthings'


def model_of(params):
    """Return the network as a torch.nn.Sequential: a layer of each matrix or kernel, with tanh between them.

    Args:
        params: list of weight matrices (m_{l-1}, m_l) and, before them, kernels (h, w, c_{l-1}, c_l), NumPy float64.
            PyTorch's are their transposes. Inputs of kernels are images (n, h, w, c_0).
    """
    layers = [_Axes(0, 3, 1, 2)] if params[0].ndim == 4 else []
    for number, weights in enumerate(params):
        *taps, first, last = weights.shape
        if taps:
            layer = torch.nn.Conv2d(first, last, taps, bias=False, dtype=torch.float64)
        else:
            layer = torch.nn.Linear(first, last, bias=False, dtype=torch.float64)
            if number and params[number - 1].ndim == 4:
                layers += [_Axes(0, 2, 3, 1), torch.nn.Flatten()]
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.array(_theirs(weights))))
        layers += [layer, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


class _Axes(torch.nn.Module):
    """Images with their axes in another order."""

    def __init__(self, *order):
        super().__init__()
        self.order = order

    def forward(self, images):
        """Return the images with the axes in this order."""
        return images.permute(self.order)


def _theirs(weights):
    """Return a matrix or a kernel with PyTorch's order of axes: outputs, inputs, taps."""
    return np.moveaxis(weights, (-1, -2), (0, 1))


def to_ours(vectors, params):
    """Return the vectors in the order of `jax.flatten_util.ravel_pytree(params)`.

    Args:
        vectors: array (p, number) in PyTorch's order of the parameters.
        params: list of matrices and kernels, as in `model_of`, of p entries in all.

    Returns:
        Array (p, number).

    Example:
        >>> import numpy as np
        >>> from benchmarks.matrix_free.peers import to_ours
        >>> to_ours(np.arange(6)[:, None], [np.zeros((2, 3))])[:, 0].tolist()
        [0, 2, 4, 1, 3, 5]
    """
    rows = np.split(vectors, np.cumsum([weights.size for weights in params])[:-1])
    count = vectors.shape[1]
    blocks = [block.reshape(*_theirs(weights).shape, count) for block, weights in zip(rows, params, strict=True)]
    return np.concatenate([np.moveaxis(block, (0, 1), (-2, -3)).reshape(-1, count) for block in blocks])


def curvlinops_extremes(params, inputs, labels, k, rtol):
    """Return the k most negative and the k largest eigenvalues, by SciPy's eigsh on curvlinops' operator.

    A pair (theta, v) has converged when ||H v - theta v|| <= rtol |theta|, by eigsh's own estimate.

    Args:
        params: as in `model_of`.
        inputs: array (n, d) or (n, h, w, c_0), float64.
        labels: array (n,) of integers.
        k: how many eigenvalues at each end.
        rtol: tolerance.

    Returns:
        values (2k,) in ascending order, vectors (p, 2k) in PyTorch's order of the parameters (see `to_ours`), and the
        number of products with H.
    """
    operator, columns = _curvlinops(params, inputs, labels)
    values, vectors = eigsh(operator.to_scipy(), k=2 * k, which="BE", tol=rtol)
    return values, vectors, sum(columns)


def eigenthings_extremes(params, inputs, labels, k, rtol, steps=None):
    """Return the same by hessian-eigenthings' Lanczos method, one run for each end. Arguments as above.

    Its runs have a fixed number of steps and cannot be continued. So this starts with its default of 2k, and doubles
    them until its flag `converged` is set at this end; all runs are counted. It would not keep the basis orthogonal in
    more than 50 steps, and then return copies of eigenvalues. So it is asked to.

    Args:
        steps: the number of steps to start with instead, for instance one that is known to be enough.
    """
    operator, calls = _eigenthings(params, inputs, labels)
    low, high = (_lanczos(operator, k, rtol, steps or 2 * k, which) for which in ("SA", "LA"))
    values = np.concatenate([low.eigenvalues.numpy(), high.eigenvalues.numpy()[::-1]])
    vectors = np.concatenate([low.eigenvectors.numpy(), high.eigenvectors.numpy()[::-1]])
    return values, vectors.T, len(calls)


def pyhessian_extremes(params, inputs, labels, k, rtol, steps=100):
    """Return the k eigenvalues of largest modulus, by PyHessian's power iteration with deflation. Arguments as above.

    It has no way to ask for the most negative ones, which appear only if they are among the largest in modulus. Its
    tolerance bounds the relative change of a value in one step, and no residual.

    Args:
        steps: the most steps for one eigenvalue; 100 is PyHessian's default.

    Returns:
        values (k,) in the order found, vectors (p, k), and the number of products.
    """
    with _pyhessian(params, inputs, labels) as (hessian, calls):
        values, vectors = hessian.eigenvalues(maxIter=steps, tol=rtol, top_n=k)
    columns = [np.concatenate([part.detach().numpy().ravel() for part in vector]) for vector in vectors]
    return np.array(values), np.stack(columns, axis=1), len(calls)


def curvlinops_density(params, inputs, labels, probes, steps):
    """Return the density of the eigenvalues, smoothed by Gaussians, on a grid. Its integral is 1.

    Curvlinops does not keep the basis orthogonal, and finds the ends of the grid by eigsh first, which is counted.

    Args:
        params, inputs, labels: as in `curvlinops_extremes`.
        probes: number of random vectors.
        steps: number of Lanczos steps for each.

    Returns:
        grid (1024,), density (1024,), and the number of products.
    """
    operator, columns = _curvlinops(params, inputs, labels)
    cached = LanczosApproximateSpectrumCached(operator, steps)
    grid, density = cached.approximate_spectrum(num_repeats=probes, num_points=_GRID)
    return grid.numpy(), density.numpy(), sum(columns)


def eigenthings_density(params, inputs, labels, probes, steps):
    """Return the nodes (probes, steps), the weights (probes, steps) and the number of products. Arguments as above.

    The weights of each probe have sum 1. Where a run stops early, nodes are NaN and weights are 0.
    """
    operator, calls = _eigenthings(params, inputs, labels)
    found = hessian_eigenthings.spectral_density(
        operator, num_runs=probes, lanczos_steps=steps, num_grid_points=_GRID, seed=0
    )
    return found.raw_eigenvalues.numpy(), found.raw_weights.numpy(), len(calls)


def pyhessian_density(params, inputs, labels, probes, steps):
    """Return the nodes (probes, steps), the weights (probes, steps) and the number of products. Arguments as above."""
    with _pyhessian(params, inputs, labels) as (hessian, calls):
        nodes, weights = hessian.density(iter=steps, n_v=probes)
    return np.array(nodes), np.array(weights), len(calls)


def curvlinops_trace(params, inputs, labels, products, method="xtrace"):
    """Return an estimate of the trace of H, and the number of products. All of them are computed at once.

    Args:
        params, inputs, labels: as in `curvlinops_extremes`.
        products: at most this many; "hutch++" uses a multiple of 3, "xtrace" of 2.
        method: "hutchinson", "hutch++" or "xtrace".
    """
    operator, columns = _curvlinops(params, inputs, labels)
    usable = products - products % {"hutchinson": 1, "hutch++": 3, "xtrace": 2}[method]
    return _CURVLINOPS_TRACES[method](operator, usable).item(), sum(columns)


def eigenthings_trace(params, inputs, labels, products, method="hutch++"):
    """Return the same by hessian-eigenthings, for the method "hutchinson" or "hutch++". Arguments as above."""
    operator, calls = _eigenthings(params, inputs, labels)
    found = hessian_eigenthings.trace(operator, num_matvecs=products, method=method, seed=0)
    return found.estimate, len(calls)


def pyhessian_trace(params, inputs, labels, products):
    """Return the same by PyHessian, which has Hutchinson's method only. Arguments as above.

    Its stopping rule is switched off. It would always stop after one product for a matrix of negative trace.
    """
    with _pyhessian(params, inputs, labels) as (hessian, calls):
        found = hessian.trace(maxIter=products, tol=-np.inf)
    return float(np.mean(found)), len(calls)


def products_by(peer, params, inputs, labels):
    """Return the function v (p,) -> H v (p,) of the peer "curvlinops", "eigenthings" or "pyhessian", on tensors."""
    if peer == "pyhessian":
        with _pyhessian(params, inputs, labels) as (hessian, _):
            sizes = [parameter.numel() for parameter in hessian.params]

        def product(v):
            parts = [part.view_as(like) for part, like in zip(v.split(sizes), hessian.params, strict=True)]
            return torch.cat([part.flatten() for part in pyhessian.hessian_vector_product(*graph, parts)])

        graph = hessian.gradsH, hessian.params
        return product
    operator, _ = {"curvlinops": _curvlinops, "eigenthings": _eigenthings}[peer](params, inputs, labels)
    return lambda v: operator @ v


def seconds_per_product(peer, params, inputs, labels, repeats=10):
    """Return the median of the seconds of one product H v; a first product is not counted."""
    product = products_by(peer, params, inputs, labels)
    v = torch.ones(sum(weights.size for weights in params), dtype=torch.float64)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        product(v)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def _setting(params, inputs, labels):
    data = torch.from_numpy(np.array(inputs, np.float64)), torch.from_numpy(np.array(labels, np.int64))
    return model_of(params), torch.nn.CrossEntropyLoss(reduction="sum"), data


def _counted(function, count):
    """Return the function, and a list that gains count(*arguments) at each of its calls."""
    counts = []

    def counting(*arguments):
        counts.append(count(*arguments))
        return function(*arguments)

    return counting, counts


def _curvlinops(params, inputs, labels):
    """Return the operator and a list of how many vectors each of its calls multiplied."""
    model, loss, data = _setting(params, inputs, labels)
    # Its check that two products agree is left out: it would cost two of them.
    operator = curvlinops.HessianLinearOperator(
        model, loss, list(model.parameters()), [data], check_deterministic=False
    )
    operator._matmat, columns = _counted(operator._matmat, lambda matrix: matrix[0].shape[-1])
    return operator, columns


def _eigenthings(params, inputs, labels):
    """Return the operator and a list that grows with each of its products."""
    model, loss, data = _setting(params, inputs, labels)
    operator = hessian_eigenthings.HessianOperator(model, [data], hessian_eigenthings.supervised_loss(loss))
    product, calls = _counted(operator.matvec, lambda _: 1)
    return hessian_eigenthings.LambdaOperator(product, operator.size, operator.device, operator.dtype), calls


def _lanczos(operator, k, rtol, steps, which):
    """Return the first run whose k pairs have converged, or one of p steps; the steps double from run to run."""
    while True:
        steps = min(steps, operator.size)
        found = hessian_eigenthings.lanczos(
            operator, k=k, max_iter=steps, tol=rtol, reorthogonalize=True, which=which, seed=0
        )
        if found.converged.all() or steps == operator.size:
            return found
        steps *= 2


@contextlib.contextmanager
def _pyhessian(params, inputs, labels):
    """Yield PyHessian's object and a list that grows with each product, where PyHessian 0.1 can run.

    It draws vectors of the default type, which is set to float64 meanwhile. It calls torch.eig, which fails by
    now, for a small symmetric matrix: eigh takes its place, and PyHessian reads what it would have read.
    """
    model, loss, data = _setting(params, inputs, labels)
    module = importlib.import_module("pyhessian.hessian")  # the attribute of this name is the class
    product, calls = _counted(module.hessian_vector_product, lambda *_: 1)
    before = torch.get_default_dtype()
    with (
        mock.patch.object(module, "hessian_vector_product", product),
        mock.patch.object(torch, "eig", _eig, create=True),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Using backward\\(\\) with create_graph=True")
        torch.set_default_dtype(torch.float64)
        try:
            yield module.hessian(model, loss, data=data, cuda=False), calls
        finally:
            torch.set_default_dtype(before)


def _eig(matrix, eigenvectors):
    """Return real and imaginary parts (n, 2) of the eigenvalues of a symmetric matrix, and its vectors (n, n)."""
    values, vectors = torch.linalg.eigh(matrix)
    return torch.stack([values, torch.zeros_like(values)], dim=1), vectors
