"""Time and peak memory of the three ranks, the original's way and this project's, side by side in one run.

Each measurement is a fresh process, so that compile time counts and the peak memory is its own; imports and the making
of data and weights come before the clock starts. The two ways take turns, and the median of the repeats is printed.
The data are the Gaussian mixture, so that nothing needs a download.

    python benchmarks/dense.py [--repeats 3]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jax

SIZES = {275: dict(dim=25, widths=[5, 10]), 2856: dict(dim=64, widths=[28, 28])}
WAYS = "original", "here"
SAMPLES, CLASSES, BATCH = 50, 10, 10


def measure(way, dim, widths):
    """Return seconds, peak memory before and after in MB, and the three ranks, for one way at one size."""
    from torch.utils.data import DataLoader

    import bounds
    import original
    from architectures import fully_connected
    from data import get_dataset
    from dataloader import DatasetTorch
    from hessians import functional_hessian, loss_hessian, outer_prod
    from initializers import get_init
    from losses import get_loss, of_params
    from ranks import HessianRanks, numerical_rank

    def here(loss, apply_fn, params, loader):
        loss_params = of_params(loss, apply_fn)
        total = outer = functional = 0
        for inputs, targets in loader:
            batch = inputs.numpy(), targets.numpy()
            total += loss_hessian(loss_params, params, *batch)
            outer += outer_prod(loss, apply_fn, params, *batch)
            functional += functional_hessian(loss, apply_fn, params, *batch)
        return HessianRanks(*(numerical_rank(matrix).rank for matrix in (functional, outer, total)))

    dataset = get_dataset("gaussian", SAMPLES, 0, dim, CLASSES)
    loader = DataLoader(DatasetTorch(dataset.x_train, dataset.y_train), batch_size=BATCH)
    init_fn, apply_fn = fully_connected(widths, CLASSES, "linear", get_init("glorot"))
    _, params = init_fn(jax.random.PRNGKey(0), (-1, dim))
    before = peak_memory()
    start = time.perf_counter()
    found = {"original": original.hessian_ranks, "here": here}[way](get_loss("mse"), apply_fn, params, loader)
    seconds = time.perf_counter() - start
    predicted = bounds.linear_ranks(min(SAMPLES, dim), CLASSES, widths)
    if tuple(found) != tuple(predicted):
        raise SystemExit(f"{way}: ranks {found}, but the closed forms give {predicted}")
    return dict(seconds=seconds, before=before, peak=peak_memory(), ranks=list(found))


def peak_memory():
    """Return the largest resident set of this process so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main():
    """Run the whole table, or one measurement of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "P"), help="one measurement, printed as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        jax.config.update("jax_enable_x64", True)
        print(json.dumps(measure(arguments.one[0], **SIZES[int(arguments.one[1])])))
        return
    print(f"{'p':>5} {'way':<9} {'seconds':>8} {'ratio':>6} {'peak MB':>8} {'of it work':>10}  ranks (H_f, H_o, H_L)")
    for p in SIZES:
        runs = {way: [] for way in WAYS}
        for _ in range(arguments.repeats):
            for way in WAYS:
                command = [sys.executable, Path(__file__), "--one", way, str(p)]
                runs[way].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
        seconds = {way: statistics.median(run["seconds"] for run in runs[way]) for way in WAYS}
        for way in WAYS:
            peak, before = (statistics.median(run[key] for run in runs[way]) for key in ("peak", "before"))
            ratio = seconds["original"] / seconds[way]
            print(
                f"{p:>5} {way:<9} {seconds[way]:>8.2f} {ratio:>6.1f} {peak:>8.0f} {peak - before:>10.0f}"
                f"  {runs[way][0]['ranks']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
