"""Grades of numerical ranks over families of hard networks, judged by exact ranks: no trusted rank may be wrong.

The networks are small, and their shapes few: a thousand networks take six minutes, and half of that is compiling. The
same seed and number give the same network again: `--first NUMBER --networks 1`.

    python -m benchmarks.ranks.graded [--networks 1040] [--seed 0] [--first 0] [--small]
"""

import argparse
import contextlib

import jax

from exact import random_primes
from tests.oracles.hard_networks import FAMILIES, WAYS, judge, named, numbered

COLUMNS = "proved", "clear", "open, right", "open, wrong", "refused", "no Hessian", "WRONG", "trusted"


def tally(rows):
    """Return how many Judgements fall under each of the `COLUMNS`, and the share of right ranks that are trusted.

    A rank that is trusted and wrong counts as WRONG and nowhere else, also where there is no Hessian.
    """
    counts = dict.fromkeys(COLUMNS[:-1], 0)
    for row in rows:
        counts[_column(row)] += 1
    trusted = counts["proved"] + counts["clear"]
    right = trusted + counts["open, right"]
    return {**counts, "trusted": trusted / right if right else 0.0}


def _column(row):
    if row.wrongly_trusted:
        return "WRONG"
    if row.grade == "refused":
        return "refused"
    if row.exact is None:
        return "no Hessian"
    return row.grade if row.grade != "open" else f"open, {'right' if row.right else 'wrong'}"


def line(name, rows):
    """Return the counts of some Judgements as a line of the table."""
    *counts, share = tally(rows).values()
    return f"{name:<32}{''.join(f'{count:>13}' for count in counts)}{share:>13.0%}"


def main():
    """Print every rank that is trusted and wrong, and the counts by family and way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=80 * len(FAMILIES), help="the families take turns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first network")
    parser.add_argument("--small", action="store_true", help="four networks")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    primes, rows = random_primes(1), []
    numbers = range(options.first, options.first + (4 if options.small else options.networks))
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C prints the counts of the networks so far
        for number in numbers:
            generator, network = numbered(options.seed, number)
            # The first of all is the named one, which is not drawn.
            new = judge(named() if number == 0 else network, generator, primes=primes)
            for row in new:
                if row.wrongly_trusted or len(numbers) == 1:
                    print(f"network {number}, {row.setting}: {row.matrix} {row.way} {row.measured}, {row.grade},")
                    print(f"    exact {row.exact}, gap {row.gap}, {row.reason}", flush=True)
            rows += new
    print(f"{len(rows) // len(WAYS)} matrices, each measured in {len(WAYS)} ways, seed {options.seed}")
    print(f"{'':<32}{''.join(f'{name:>13}' for name in COLUMNS)}")
    for family in FAMILIES:
        for way in WAYS:
            print(line(f"{family}, {way}", [row for row in rows if (row.family, row.way) == (family, way)]))
    for way in WAYS:
        print(line(f"all, {way}", [row for row in rows if row.way == way]))
    wrong = sum(row.wrongly_trusted for row in rows)
    if wrong:
        raise SystemExit(f"{wrong} ranks are trusted and wrong")


if __name__ == "__main__":
    main()
