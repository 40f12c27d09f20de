"""The three ranks along a sweep over one hyperparameter, every finished point kept in a results file.

The file has one JSON object a line: the setting, then the points. It is replaced as a whole after each point, and so it
is complete at any time. An interrupted sweep resumes, and the file is the same in the end. Several processes may run
the same sweep at once: all of them return all points, and the file has each point once (`points_file`).

Points are read only at their own setting and with the same versions of JAX and NumPy. A file of another setting is
refused. The sweep cannot notice a change of these modules: move the files away then.
"""

import functools
import hashlib
import json
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

import checks
from counting import NumericalRank
from data import get_dataset, home
from experiments.points_file import PointsFile, expanded
from experiments.points_lines import key
from experiments.setting import closed_forms, network, parameters
from hessians import SYMBOLS, HessianTriple, num_params
from initializers import random_key
from losses import get_loss
from matrix_free import sketched_ranks
from ranks import dense_ranks, singular_rank

_DENSE = 1500  # parameters: up to here the matrices take no longer than products with probes, and their gap is larger


class Point(NamedTuple):
    """The ranks at one value and one seed."""

    value: object  # of the hyperparameter that is varied
    seed: int  # of the initial weights
    parameters: int  # p
    r: int  # rank of the data, of the centred data with biases
    measured: HessianTriple  # of NumericalRank, their spectra left out
    predicted: HessianTriple  # of int: the closed forms, of the linear network of the same shape


def run_sweep(setting, variable, values, seeds, path, bar=None):
    """Return the Points of a sweep, and measure those that the results file does not have yet.

    Up to p = 1500 the ranks are those of the matrices (`ranks.dense_ranks`). Beyond, they are matrix-free
    (`matrix_free.sketched_ranks`), with the closed forms as the guess if the network is linear.

    Args:
        setting: Setting. Its own value of the variable does not matter.
        variable: name of the hyperparameter to vary, a field of Setting.
        values: the values of the variable, in this order: numbers, names, or lists of widths.
        seeds: seeds of the initial weights, each of them at every value: integers from -2^63 to 2^63 - 1. A value or a
            seed that comes twice is measured once and returned twice.
        path: the results file, made if it does not exist. `results_file` names one for every setting.
        bar: a `tqdm.tqdm` to show the progress and the time left. Every point is weighted by the time it should take.

    Returns:
        For each value a list of Points, one for each seed.

    Raises:
        ValueError: for an unknown variable, no values or no seeds, a seed out of range, or a value that makes no
            network. Also for a results file that is damaged or of another setting, which is left as it is.
        TypeError: for values or seeds that are no list, such as a set or a generator, or hold what they should not.
        OSError: if the results file cannot be read or written, or the disk is full. This is found out before a point is
            measured, and those in the file stay.
        TypeError, MemoryError, RuntimeError: as in `data.get_dataset` and the ranks.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import tempfile
        >>> from experiments.setting import Setting
        >>> from experiments.sweeps import run_sweep
        >>> setting = Setting(dataset="gaussian", n_train=9, dim=3, classes=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ((point,),) = run_sweep(setting, "widths", values=[(2,)], seeds=[0], path=f"{folder}/sweep.jsonl")
        >>> [found.rank for found in point.measured], list(point.predicted)
        ([8, 6, 10], [8, 6, 10])
    """
    header = _header(setting, variable)
    values, seeds = _listed("values", values, variable), _listed("seeds", seeds, variable)
    values = [_plain(f"values[{i}]", value) for i, value in enumerate(values)]
    seeds = [checks.integer(f"seeds[{i}]", seed, minimum=-(2**63)) for i, seed in enumerate(seeds)]
    settings = [setting._replace(**{variable: value}) for value in values]
    sizes = [_size(each) for each in settings]
    keys = [[key(value, seed) for seed in seeds] for value in values]
    known_sizes = {json.dumps(value): size for value, size in zip(values, sizes, strict=True)}
    file = PointsFile(path, header, [each for row in keys for each in row], known_sizes)
    known = file.read()
    cost = {each: 1 + (p / 4000) ** 2 for row, (p, _) in zip(keys, sizes, strict=True) for each in row}
    wanted = {each for each in cost if each not in known}
    if bar is not None:
        # The total is a little more than the sum: tqdm warns if rounding takes the count beyond it.
        bar.reset(total=sum(cost[each] for each in wanted) + 1e-6 if wanted else 1)
        bar.update(0 if wanted else 1)
    if wanted:
        known = _measured(file, wanted, zip(values, settings, keys, strict=True), seeds, cost, bar)
    return [[_point(each, known[name]) for name in row] for each, row in zip(settings, keys, strict=True)]


def results_file(setting, variable, folder=None):
    """Return the path of a results file, a different one for every setting and variable.

    It lies in `folder`, by default in results/sweeps (`data.home`). A leading ~ stands for the user's home.

    Raises:
        TypeError, ValueError: for an unknown variable, or a setting that holds anything but numbers, names and widths.
    """
    header = _header(setting, variable)
    digest = hashlib.sha256(header.encode()).hexdigest()[:10]
    names = variable, setting.dataset, setting.activation, setting.loss_name
    # A name that somebody gave to a function of his own may be long or hold a slash. The digest tells such names apart.
    readable = "-".join(re.sub(r"[^A-Za-z0-9_.]", "_", str(name))[:40] for name in names)
    return expanded("folder", folder or home() / "results" / "sweeps") / f"{readable}-{digest}.jsonl"


def contradictions(points):
    """Return a sentence for every clear rank that differs from the closed form: none for linear networks.

    Args:
        points: what `run_sweep` returns.
    """
    return [
        f"{symbol} at {point.value}, seed {point.seed}: rank {found.rank} with a gap of {found.gap:.0e}, not {bound}"
        for row in points
        for point in row
        for symbol, found, bound in zip(SYMBOLS, point.measured, point.predicted, strict=True)
        if found.trusted and found.rank != bound
    ]


def _measured(file, wanted, rows, seeds, cost, bar):
    """Return {key: line} of all points after measuring those wanted that the file does not get from elsewhere."""
    load = functools.lru_cache(maxsize=1)(get_dataset)  # a sweep over widths reads its images once
    with file:
        for value, setting, row in rows:
            measure = None
            for seed, name in zip(seeds, row, strict=True):
                if name not in wanted:
                    continue
                if name not in file.reserve(name):  # another process may have finished it meanwhile
                    measure = measure or _at(setting, load)
                    file.add(name, json.dumps({"value": value, "seed": seed, **measure(seed)}))
                wanted.remove(name)
                if bar is not None:
                    bar.update(cost[name])
        return file.read()


def _at(setting, load):
    """Return the function seed -> what a point's line says, for networks compiled once."""
    data = load(setting.dataset, setting.n_train, 0, setting.dim, setting.classes)
    inputs, loss = data.x_train, get_loss(setting.loss_name)
    bs = checks.integer("bs", setting.bs)
    batches = [(inputs[i : i + bs], data.y_train[i : i + bs]) for i in range(0, len(inputs), bs)]
    rank = singular_rank(inputs - inputs.mean(axis=0) if setting.bias else inputs)
    rank_bound = min(inputs.any(axis=1).sum(), inputs.any(axis=0).sum())
    init_fn, apply_fn = network(setting)

    def measure(seed):
        _, params = init_fn(random_key(seed), (-1, setting.dim))
        network = loss, apply_fn, params, batches
        guess = closed_forms(setting, rank.rank) if setting.activation == "linear" else None
        p = num_params(params)
        # For a linear network without biases, the formulas at the largest possible r are bounds for all weights.
        is_bound = setting.activation == "linear" and not setting.bias
        bound = closed_forms(setting, rank_bound) if is_bound else None
        found = dense_ranks(*network, bound=bound) if p <= _DENSE else sketched_ranks(*network, guess, bound=bound)
        ranks = {name: _line(each) for name, each in found._asdict().items()}
        return {"p": p, "r": _line(rank), **ranks}

    return measure


def _line(found):
    return {key: getattr(found, key) for key in ("rank", "gap", "threshold", "grade", "reason")}


def _point(setting, line):
    row = json.loads(line)
    measured = HessianTriple(*(NumericalRank(**row[name], spectrum=np.empty(0)) for name in HessianTriple._fields))
    r = row["r"]["rank"]
    return Point(row["value"], row["seed"], row["p"], r, measured, closed_forms(setting, r))


# --- what is asked for


def _listed(name, found, variable):
    """Return a list, tuple, range or array as a list."""
    listed = isinstance(found, Sequence) and not isinstance(found, (str, bytes, bytearray))
    if not listed and getattr(found, "ndim", 0) < 1:
        raise TypeError(
            f"{name} must be a list, a tuple, a range or an array, got {found!r} of type {type(found).__name__}: "
            "make a list of it, which has an order and can be read twice"
        )
    if len(found) == 0:
        raise ValueError(f"{name} is empty: a sweep over {variable!r} needs at least one")
    return list(found)


def _plain(name, value):
    """Return a number, a name or a list of widths as JSON has it, without NumPy's numbers and without tuples."""
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}: leave it out or put a number in its place")
        return value
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(f"{name}[{i}]", each) for i, each in enumerate(value)]
    if hasattr(value, "tolist"):
        return _plain(name, value.tolist())
    raise TypeError(
        f"{name} must be a number, a name, True, False or a list of widths, got {value!r} of type "
        f"{type(value).__name__}: a list(...) of it may be meant"
    )


def _size(setting):
    """Return p, and the largest rank that the data can have. What can be checked before any measuring is."""
    checks.integer("bs", setting.bs)
    return parameters(setting), min(checks.integer("n_train", setting.n_train), checks.integer("dim", setting.dim))


def _header(setting, variable):
    """Return the first line of a results file."""
    checks.choice("sweep variable", variable, setting._asdict())
    fixed = {name: _plain(name, value) for name, value in setting._asdict().items() if name != variable}
    # Points that were measured before there were grades are measured again.
    versions = {"jax": jax.__version__, "numpy": np.__version__, "grades": 1}
    return json.dumps({"variable": variable, **fixed, **versions})
