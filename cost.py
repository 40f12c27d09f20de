"""What the three ranks of a linear network cost, in seconds and memory: with the matrices, without, from structure."""

import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jax

from architectures import fully_connected
from bounds import linear_ranks
from hessians import loss_products, num_params
from initializers import get_init
from losses import squared
from ranks import dense_ranks, sketched_rank, sketched_ranks
from second_moments import moments
from structure import inertia, spectrum, structured_ranks
from sufficient import sufficient_samples


class Cost(NamedTuple):
    """What a function returned, and what it took."""

    result: object
    seconds: float  # compilation included, imports not
    before: float  # peak memory of the process before the call, in bytes: the interpreter, the libraries, the arguments
    peak: float  # and after it


def measure(function, *arguments):
    """Return the Cost of function(*arguments) in a process of its own, which compiles everything anew.

    Args:
        function: one that can be imported by its name; what its module imports is not counted.
        arguments: anything that can be pickled; NumPy arrays rather than JAX's.

    Raises:
        Whatever the function raises; BrokenProcessPool if the process dies, of too little memory, say.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        return executor.submit(_timed, jax.config.jax_enable_x64, function, arguments).result()


def by_matrices(params, batches):
    """Return HessianRanks of NumericalRank by the (p, p) matrices of a linear network under the squared loss.

    Args:
        params: list of weight matrices (m_{l-1}, m_l), NumPy.
        batches: list of pairs (inputs (n, d), targets (n, K)).
    """
    apply_fn, _, _ = linear_network(params)
    return dense_ranks(squared, apply_fn, params, batches)


def matrix_free(params, batches):
    """Return the same without the matrices, from as few samples as suffice. Arguments as in `by_matrices`."""
    apply_fn, few, guess = _sufficient(params, batches)
    return sketched_ranks(squared, apply_fn, params, few, guess)


def matrix_free_loss(params, batches):
    """Return the NumericalRank of H_L alone. Arguments as in `by_matrices`."""
    apply_fn, few, guess = _sufficient(params, batches)
    products = loss_products(squared, apply_fn, params, few)
    return sketched_rank(products, num_params(params), guess.loss, jax.random.key(0))


def by_structure(params, batches):
    """Return the same by all eigenvalues, found from the structure. Arguments as in `by_matrices`."""
    return structured_ranks(spectrum(params, *moments(batches)))


def by_structure_loss(params, batches):
    """Return the NumericalRank of H_L alone, by all its eigenvalues. Arguments as in `by_matrices`."""
    return structured_ranks(spectrum(params, *moments(batches), matrices=("loss",))).loss


def by_signs(params, batches):
    """Return HessianRanks of `structure.Inertia`. Arguments as in `by_matrices`."""
    return inertia(params, *moments(batches))


def linear_network(params):
    """Return the apply_fn, the hidden widths and the number of outputs of the linear network with these weights."""
    *units, outputs = (weights.shape[1] for weights in params)
    return fully_connected(units, outputs, "linear", get_init("glorot"))[1], units, outputs


def _sufficient(params, batches):
    apply_fn, units, outputs = linear_network(params)
    inputs, targets = sufficient_samples(squared, apply_fn, params, batches)
    return apply_fn, [(inputs, targets)], linear_ranks(len(inputs), outputs, units)


def _timed(x64, function, arguments):
    jax.config.update("jax_enable_x64", x64)
    before, start = _peak_memory(), time.perf_counter()
    result = function(*arguments)
    return Cost(result, time.perf_counter() - start, before, _peak_memory())


def _peak_memory():
    """Return the largest resident set of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where ru_maxrss would count what the parent process held when it started this one
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024.0 * int(lines["VmHWM"].split()[0])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
