"""Matrix-free ranks beside dense ones over random settings, where exact ranks judge both.

Every network is compiled anew, which takes some ten seconds, and used for several draws of weights and data.

    python -m benchmarks.matrix_free.random_settings [--settings 200] [--draws 4] [--seed 0]
"""

import argparse
import contextlib

import jax
import numpy as np

from tests.oracles.random_settings import compare


def main():
    """Print the counts, and every case in which the two ways differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=200)
    parser.add_argument("--draws", type=int, default=4, help="of weights and data, for each network")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rng, found = np.random.default_rng(options.seed), []
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C prints the counts of the settings so far
        for network in range(options.settings // options.draws):
            new = compare(rng, draws=options.draws)
            found += new
            for c in new:
                if c.dense.rank != c.sketched.rank:
                    print(
                        f"{c.setting}: dense {c.dense.rank} (gap {c.dense.gap:.0e}), matrix-free {c.sketched.rank} "
                        f"(gap {c.sketched.gap:.0e}), exact {c.exact}",
                        flush=True,
                    )
            if network % 20 == 19:
                jax.clear_caches()  # the programs of past settings take a hundred megabytes and are not needed again
    differ = [c for c in found if c.dense.rank != c.sketched.rank]
    clear, judged = [c for c in found if c.dense.gap > 1e4], [c for c in found if c.exact is not None]
    print(f"{len(found) // 3} settings, {len(found)} matrices; dense gap above 1e4: {len(clear)}")
    print(f"  of these, equal: {sum(c.dense.rank == c.sketched.rank for c in clear)}")
    print(f"different: {len(differ)}")
    said = [c for c in differ if not (c.dense.trusted and c.sketched.trusted)]
    print(f"  of these, at least one of the two is open: {len(said)}")
    print(f"judged by exact ranks: {len(judged)}")
    for name in ("dense", "sketched"):
        wrong = [getattr(c, name) for c in judged if getattr(c, name).rank != c.exact]
        silent = [rank for rank in wrong if rank.trusted]
        largest = max((rank.gap for rank in wrong), default=0)
        print(
            f"  {name}: wrong {len(wrong)}, the largest gap of these {largest:.0e}; wrong and not marked {len(silent)}"
        )


if __name__ == "__main__":
    main()
