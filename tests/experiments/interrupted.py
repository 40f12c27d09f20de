"""Sweeps that the tests kill or run at once, in a module that other processes can import."""

import jax

from experiments import sweeps
from experiments.setting import Setting
from experiments.sweeps import run_sweep

VALUES, SEEDS = [[2], [3]], [1, 2, 3, 4, 5, 6]


def sweep(path, compiled):
    configure(compiled)
    setting = Setting(dataset="gaussian", n_train=12, dim=4, classes=3)
    run_sweep(setting, "widths", [[2], [3], [2, 3]], [1, 2, 3, 4], path)


def counted(path, compiled, answers, backwards, barrier):
    """Answer what a sweep returned and how many points it measured, once all have come to the barrier."""
    configure(compiled)
    step, at, measured = -1 if backwards else 1, sweeps._at, []

    def counting(setting, load):
        measure = at(setting, load)
        return lambda seed: measured.append(seed) or measure(seed)

    sweeps._at = counting
    barrier.wait()
    setting = Setting(dataset="gaussian", n_train=10, dim=4, classes=3)
    points = run_sweep(setting, "widths", VALUES[::step], SEEDS[::step], path)
    found = [[(*point[:4], [rank[:3] for rank in point.measured]) for point in row[::step]] for row in points[::step]]
    answers.put((found, len(measured)))


def configure(compiled):
    """Use a cache of compiled programs that a killed process may damage: JAX writes its entries in place."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", str(compiled))
