"""What a function costs, in seconds and memory, in a process of its own."""

import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

import jax


class Cost(NamedTuple):
    """What a function returned, and what the call took."""

    result: object
    seconds: float  # compilation included, imports not
    before: float  # peak memory of the process before the call, in bytes: the interpreter, the libraries, the arguments
    peak: float  # peak memory after the call, in bytes


def measure(function, *arguments, bar=None):
    """Return the Cost of function(*arguments) in a process of its own, which compiles everything anew.

    Args:
        function: any that can be imported by its name. What its module imports is not counted.
        arguments: anything that can be pickled. They should hold NumPy arrays rather than JAX's.
        bar: a `tqdm.tqdm`, drawn again every second, so that its time goes on. It is told of one call.

    Raises:
        Whatever the function raises. BrokenProcessPool if the process dies, for instance of too little memory.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        call = executor.submit(_timed, jax.config.jax_enable_x64, function, arguments)
        if bar is not None:
            while not wait([call], timeout=1.0).done:
                bar.refresh()
            bar.update(1)
        return call.result()


def _timed(x64, function, arguments):
    jax.config.update("jax_enable_x64", x64)
    before, start = _peak_memory(), time.perf_counter()
    result = function(*arguments)
    return Cost(result, time.perf_counter() - start, before, _peak_memory())


def _peak_memory():
    """Return the largest resident set of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, where ru_maxrss would count what the parent held when it started this process
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024.0 * int(lines["VmHWM"].split()[0])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
