"""A sweep that the tests kill, in a module that a process of its own can import."""

import jax

from experiments.setting import Setting
from experiments.sweeps import run_sweep


def sweep(path):
    jax.config.update("jax_enable_x64", True)
    setting = Setting(dataset="gaussian", n_train=12, dim=4, classes=3)
    run_sweep(setting, "widths", [[2], [3], [4], [2, 3], [3, 3], [2, 2, 2]], [1, 2], path)
