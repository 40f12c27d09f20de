"""How small a margin may be: exact arithmetic judges the signs of `linear_networks.inertia`, with none declined.

    python -m benchmarks.linear_networks.judged_signs [--seconds 60] [--seed 0]

prints, for every kind of network, how many signs are right and wrong and the largest margin of a wrong one.
"""

import argparse
import collections
import time

import jax
import numpy as np

from linear_networks import general_position
from tests.oracles.integer_networks import (
    DECLINED,
    KINDS,
    MOVING,
    exact_inertia,
    hessians,
    next_to_a_sign_change,
    random_network,
    signs,
)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="for each of the two halves of the table")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    np.seterr(all="ignore")  # since no margin is declined, some divisions are by zero
    threshold, general_position.UNDECIDED = general_position.UNDECIDED, 0.0
    rng = np.random.default_rng(options.seed)
    titles = "networks with", "right", "wrong", "largest margin of a wrong one", f"right below {threshold:.0e}"
    for heading, networks, kinds in (
        ("at random", lambda kind: [random_network(rng, kind)], KINDS),
        ("next to sign changes", lambda kind: next_to_a_sign_change(rng, kind), MOVING),
    ):
        rows, end = collections.defaultdict(lambda: ([], [])), time.monotonic() + options.seconds
        while time.monotonic() < end:
            kind = str(rng.choice(kinds))
            for network in networks(kind):
                try:
                    found = signs(*network)
                except DECLINED:
                    continue
                for one, exact in zip(found, map(exact_inertia, hessians(*network)), strict=True):
                    rows[kind][tuple(one[:3]) != exact].append(one.margin)
        print(f"{heading}\n{titles[0]:<18}{titles[1]:>8}{titles[2]:>8}{titles[3]:>32}{titles[4]:>20}")
        for kind in kinds:
            right, wrong = rows[kind]
            small = sum(margin < threshold for margin in right)
            print(f"{kind:<18}{len(right):>8}{len(wrong):>8}{max(wrong, default=0):>32.0e}{small:>20}", flush=True)


if __name__ == "__main__":
    main()
