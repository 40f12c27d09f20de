"""A process of its own that computes ranks, so that a page never waits, and what nobody waits for any more can end."""

import contextlib
import multiprocessing
import os
import signal
import time

import jax

from exact import exact_ranks
from explorer.choices import problem
from explorer.formulas import forms
from ranks import dense_ranks

_IDLE = 600  # seconds after which a process without work ends
# The programs are small and run once or twice. This halves the time that XLA takes to compile them.
_QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


class StoppedError(Exception):
    """A process ended without a result, most likely because memory ran out."""


class Worker:
    """A process that does one job at a time. It starts with the first, and ends when it has been idle for a while."""

    def __init__(self):
        self._process = self._pipe = None

    def run(self, job, choice, stale, patience=0.0):
        """Return job(choice), computed in the process, or None if nobody waits for it any more.

        Args:
            job: `measure` or `prove`.
            choice: Choice.
            stale: a function without arguments that says whether nobody waits.
            patience: seconds for which a job goes on although nobody waits: less than what a new process takes.

        Raises:
            StoppedError: if the process ends without a result.
            Exception: what the job raised.
        """
        if self._process is None or not self._process.is_alive():
            self._start()
        start = time.monotonic()
        try:
            self._pipe.send((job, choice))
            while not self._pipe.poll(0.05):
                if stale() and time.monotonic() - start > patience:
                    self.stop()
                    return None
            fine, result = self._pipe.recv()
        except (EOFError, OSError):
            self.stop()
            raise StoppedError("the computing process ended; choose a smaller network") from None
        if not fine:
            raise result
        return None if stale() else result

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        with _without_interrupts():
            self._process.start()
        other.close()

    def stop(self):
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def measure(choice):
    """Return the measured ranks of a choice, as `ranks.dense_ranks`."""
    return dense_ranks(*problem(choice))


def prove(choice):
    """Return the exact ranks of a choice, as `exact.exact_ranks`."""
    return exact_ranks(*problem(choice), guess=forms(choice).known.ranks)


@contextlib.contextmanager
def _without_interrupts():
    """Let a process that is started meanwhile not hear Ctrl-C: it ends quietly, with the kernel that started it."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe):
    """Do jobs until the other end is closed, or none has come for a while."""
    if hasattr(os, "nice"):
        os.nice(10)  # the page goes first
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_disable_most_optimizations", True)
    if jax.__version__ == "0.10.2":  # XLA refuses flags that it does not know, and another version may not know these
        os.environ["XLA_FLAGS"] = f"{_QUICK} {os.environ.get('XLA_FLAGS', '')}"
    try:
        while pipe.poll(_IDLE):
            job, choice = pipe.recv()
            try:
                pipe.send((True, job(choice)))
            except Exception as error:  # whatever it is, the page has to say it
                pipe.send((False, error))
    except (EOFError, OSError):
        return
