"""Exact arithmetic judges every closed form, on random networks of each kind.

    python -m benchmarks.closed_forms.certified [--settings 500] [--smooth 100] [--seed 0] [--small]

prints a row for each kind: how many networks were drawn, in how many of them the closed form of each matrix is stated
as an equality, how many ranks refute it, and how many bounds the ranks reach. A rank refutes an equality if it is
another one, and a bound if it is larger. The draws of a kind go on until each equality that the kind is there for has
been stated so often. The ranks are modulo a prime of 31 bits, or in balls of 300 digits where there is exp or its like.
"""

import argparse
import concurrent.futures
import multiprocessing
import random
import sys
from typing import NamedTuple

from exact import UndecidedError
from figures import text_table
from tests.oracles.families import FAMILIES, RATIONAL, exact, verdict

MATRICES = "f", "o", "L"
TITLES = "kind of network", "drawn", *(f"H_{one} =" for one in MATRICES), "refuted", "bounds", "reached", "undecided"


class Judged(NamedTuple):
    """What exact arithmetic says of the closed forms of one kind of network."""

    drawn: int
    equal: tuple  # of ints: how often the form of H_f, H_o and H_L was stated as an equality
    refuted: list  # labels of the networks whose ranks refute a form
    bounds: int  # how many ranks were stated as bounds
    reached: int  # how many of them are the bound
    undecided: int  # networks without exact ranks, not among those drawn


def judged(name, count, seed):
    """Return Judged for one kind of network.

    Args:
        name: a key of `FAMILIES`.
        count: networks to draw, at least, and of each equality that the kind is there for.
        seed: of the draws.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    family, rng = FAMILIES[name], random.Random(f"{name} {seed}")
    drawn, equal, refuted, bounds, reached, undecided = 0, [0, 0, 0], [], 0, 0, 0
    while drawn < count or any(equal[MATRICES.index(own)] < count for own in family.own):
        case = family.draw(rng)
        try:
            found = exact(case)
        except UndecidedError:  # units or outputs that are saturated beyond ten thousand digits
            undecided += 1
            continue
        one = verdict(case, found)
        drawn += 1
        equal = [total + new for total, new in zip(equal, one.equal, strict=True)]
        if not one.is_right():
            refuted.append(f"{case.label}: exact {tuple(found)}, closed form {case.form}")
        hits = [hit for hit, stated in zip(one.hit, one.equal, strict=True) if not stated]
        bounds, reached = bounds + len(hits), reached + sum(hits)
        if drawn % 100 == 0:
            jax.clear_caches()  # every network has a program of its own
    return Judged(drawn, tuple(equal), refuted, bounds, reached, undecided)


def main():
    """Print the table. Its exit status is 1 if a closed form is refuted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=500, help="for each kind without exp and its like")
    parser.add_argument("--smooth", type=int, default=100, help="for each kind with them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a first look, in half a minute")
    options = parser.parse_args()
    counts = (4, 2) if options.small else (options.settings, options.smooth)
    workers = concurrent.futures.ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
    with workers:
        asked = {
            name: workers.submit(judged, name, counts[name not in RATIONAL], options.seed)
            for name in reversed(FAMILIES)  # the slow ones first
        }
        found = {}
        for name in FAMILIES:
            found[name] = asked[name].result()
            print(f"{name}: {found[name].drawn} networks", file=sys.stderr)
    rows = [
        (name, one.drawn, *one.equal, len(one.refuted), one.bounds, one.reached, one.undecided)
        for name, one in found.items()
    ]
    print(text_table(TITLES, rows))
    refuted = [label for one in found.values() for label in one.refuted]
    print(*refuted, sep="\n")
    sys.exit(bool(refuted))


if __name__ == "__main__":
    main()
