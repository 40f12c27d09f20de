"""Time and peak memory of the three ranks, in one run: the original's way, curvlinops, and this project's ways.

Each measurement is a fresh process, so that compile time counts and the peak memory is its own. The clock starts after
the imports and the making of data and weights. The ways take turns, and the table has the median of the repeats.

    python -m benchmarks.experiments.side_by_side [--dataset gaussian] [--small] [--sizes 0 1] [--ways dense curvlinops]
"""

import argparse
import importlib.util
import statistics

_ALL = ["original", "curvlinops", "dense", "matrix-free", "from PyTorch", "in PyTorch", "structure", "signs"]
_LARGE = ["matrix-free H_L", "structure H_L"]
SIZES = [  # dim, hidden widths, samples, repeats, ways
    (25, [5, 10], 50, 3, _ALL),
    (64, [28, 28], 50, 3, _ALL),
    (64, [56, 56], 100, 1, _ALL),
    (64, [256, 256], 100, 1, ["matrix-free H_L", "structure H_L", "structure", "signs"]),
    (64, [1_000_000], 100, 1, ["structure H_L", "structure", "signs"]),
    (64, [1000] * 19, 100, 1, ["signs"]),
]
SMALL = [(9, [3], 20, 1, _ALL)]
CLASSES, BATCH = 10, 10


def main(arguments=None):
    """Print the table, for these arguments or those of the command line."""
    # These are imported here because the processes that measure import this file too, and none needs all of them.
    import jax
    import numpy as np

    from architectures import fully_connected
    from benchmarks.experiments.original import original_ranks
    from benchmarks.experiments.torch_ways import matrix_ranks, multiplied_ranks, probe_ranks, translated_ranks
    from closed_forms import linear_ranks
    from data import get_dataset
    from experiments.cost import measure
    from experiments.ways import by_probes_loss, by_signs, by_structure, by_structure_loss
    from hessians import num_params
    from initializers import get_init, random_key

    functions = {
        "original": original_ranks,
        "dense": matrix_ranks,
        "matrix-free": probe_ranks,
        "matrix-free H_L": by_probes_loss,
        "structure": by_structure,
        "structure H_L": by_structure_loss,
        "signs": by_signs,
        "from PyTorch": translated_ranks,
        "in PyTorch": multiplied_ranks,
    }
    if importlib.util.find_spec("curvlinops"):
        from benchmarks.experiments.curvlinops_dense import curvlinops_ranks

        functions["curvlinops"] = curvlinops_ranks
    else:
        print("curvlinops is not installed (benchmarks/requirements.txt); its way is left out")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="gaussian")
    parser.add_argument("--small", action="store_true", help="one small network, one run of each way")
    parser.add_argument("--sizes", type=int, nargs="*", default=range(len(SIZES)), help="which, counted from 0")
    parser.add_argument("--ways", nargs="*", default=_ALL + _LARGE, help="which of them, all by default")
    options = parser.parse_args(arguments)
    jax.config.update("jax_enable_x64", True)
    print(
        f"{'p':>8} {'way':<16}{'seconds':>9}{'ratio':>8}{'peak MB':>9}{'of it work':>11}  ranks (H_f, H_o, H_L), gaps"
    )
    for dim, widths, samples, repeats, names in SMALL if options.small else [SIZES[size] for size in options.sizes]:
        ways = [name for name in names if name in functions and name in options.ways]
        data = get_dataset(options.dataset, samples, 0, dim, CLASSES)
        rows = range(0, samples, BATCH)
        batches = [(data.x_train[i : i + BATCH], data.y_train[i : i + BATCH]) for i in rows]
        init_fn, _ = fully_connected(widths, CLASSES, "linear", get_init("glorot"))
        params = [np.asarray(weights) for weights in init_fn(random_key(0), (-1, dim))[1]]
        p = num_params(params)
        costs = {way: [] for way in ways}
        for _ in range(repeats):
            for way in ways:
                costs[way].append(measure(functions[way], params, batches))
        seconds = {way: statistics.median(cost.seconds for cost in costs[way]) for way in ways}
        for way in ways:
            peak = statistics.median(cost.peak for cost in costs[way])
            work = statistics.median(cost.peak - cost.before for cost in costs[way])
            ratio = seconds[ways[0]] / seconds[way]
            print(
                f"{p:>8} {way:<16}{seconds[way]:>9.2f}{ratio:>8.1f}{1e-6 * peak:>9.0f}{1e-6 * work:>11.0f}  "
                f"{describe(costs[way][0].result)}",
                flush=True,
            )
        print(f"{p:>8} {'closed forms':<53}  {list(linear_ranks(min(samples, dim), CLASSES, widths))}")


def describe(found):
    """Return the ranks as text, with their gaps if they have any."""
    found = found if isinstance(found, tuple) and not hasattr(found, "gap") else [found]
    gaps = "".join(f" {rank.gap:.0e}" for rank in found if hasattr(rank, "gap"))
    return f"{[getattr(rank, 'rank', rank) for rank in found]}{gaps}"


if __name__ == "__main__":
    main()
