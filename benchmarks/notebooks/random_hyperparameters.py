"""The notebook hessian_rank.ipynb at random hyperparameters, half of the settings invalid, all in one process.

    python -m benchmarks.notebooks.random_hyperparameters [--settings 200] [--seed 0]

A valid setting has to run without a warning, and no clear rank may be wrong where exact
ranks or closed forms judge. An invalid one has to be refused by this project, not by a library, at once and without
filling the memory. Every failure is printed. The exit status is 1 if there was one.
"""

import argparse
import collections
import contextlib
import sys
import time

import jax
import numpy as np

from tests.oracles.hyperparameters import examine, invalid, valid


def main():
    """Print every failure and the counts. Return 1 if there was a failure, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    cases, start = [], time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C prints the counts of the settings so far
        for i in range(options.settings):
            rng = np.random.default_rng([options.seed, i])
            cases.append(examine(*invalid(rng)) if i % 2 else examine(valid(rng)))
            for kind, reason in cases[-1].failures:
                print(f"setting {i}, {kind}: {reason}\n    {written(cases[-1])}", flush=True)
            if i % 20 == 19:
                jax.clear_caches()  # the programs of past settings take a hundred megabytes and are not needed again
    print(f"{len(cases)} settings in {time.monotonic() - start:.0f} s")
    return 1 if report(cases) else 0


def written(case):
    """Return a setting in one line, only the invalid hyperparameters if there are any."""
    chosen = {name: case.setting[name] for name in case.replaced} or case.setting
    return ", ".join(f"{name}={value!r}" for name, value in chosen.items())


def report(cases):
    """Print the counts and return the number of failures."""
    accepted, refused = ([case for case in cases if bool(case.outcome.error) == error] for error in (False, True))
    for name, wrong in (("valid", False), ("invalid", True)):
        counts = [sum(bool(case.replaced) == wrong for case in chosen) for chosen in (cases, accepted, refused)]
        print(f"{name}: {counts[0]}, of these accepted {counts[1]}, refused {counts[2]}")
    kinds = collections.Counter(verdict.kind for case in cases for verdict in case.verdicts)
    judges = collections.Counter(v.judge for case in cases for v in case.verdicts if v.truth is not None)
    print(f"ranks: {kinds.total()}, judged by {_counts(judges)}: {_counts(kinds)}")
    failures = collections.Counter(kind for case in cases for kind, _ in case.failures)
    print(f"failures: {_counts(failures)}")
    slowest = max((case.outcome.seconds for case in cases if case.replaced), default=0)
    largest = max((case.outcome.growth for case in cases), default=0)
    print(f"an invalid setting took at most {slowest:.1f} s; the memory grew by at most {1e-9 * largest:.1f} GB")
    return failures.total()


def _counts(counter):
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"


if __name__ == "__main__":
    sys.exit(main())
