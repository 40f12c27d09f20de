"""The three ranks along a sweep over one hyperparameter, every finished point kept in a results file.

The file has one JSON object a line: the setting, then the points. It is replaced as a whole after each point, and so it
is complete at any time. An interrupted sweep resumes, and the file is the same in the end.

Points are read only at their own setting and with the same versions of JAX and NumPy. A file of another setting is
refused. The sweep cannot notice a change of these modules: move the files away then.
"""

import functools
import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

import checks
from data import get_dataset, home
from experiments.setting import Setting, closed_forms, network, parameters
from hessians import SYMBOLS, HessianTriple, num_params
from losses import get_loss
from matrix_free import sketched_ranks
from ranks import NumericalRank, dense_ranks, singular_rank

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
        seeds: seeds of the initial weights, each of them at every value.
        path: the results file, made if it does not exist. `results_file` names one for every setting.
        bar: a `tqdm.tqdm` to show the progress and the time left. Every point is weighted by the time it should take.

    Returns:
        For each value a list of Points, one for each seed.

    Raises:
        ValueError: for an unknown variable, no values or no seeds, or a value that makes no network. Also for a results
            file that is damaged or of another setting, which is left as it is.
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
    checks.choice("sweep variable", variable, setting._asdict())
    values, seeds = _plain(list(values)), _plain(list(seeds))
    for name, found in (("values", values), ("seeds", seeds)):
        if not found:
            raise ValueError(f"{name} is empty: a sweep over {variable!r} needs at least one")
    settings = [setting._replace(**{variable: value}) for value in values]
    sizes = [parameters(each) for each in settings]
    path, header = Path(path), _header(setting, variable)
    known = _read(path, header)
    keys = [[_key(value, seed) for seed in seeds] for value in values]
    wanted = {key for row in keys for key in row if key not in known}
    cost = {key: 1 + (p / 4000) ** 2 for row, p in zip(keys, sizes, strict=True) for key in row}
    if bar is not None:
        # The total is a little more than the sum: tqdm warns if rounding takes the count beyond it.
        bar.reset(total=sum(cost[key] for key in wanted) + 1e-6 if wanted else 1)
        bar.update(0 if wanted else 1)
    load = functools.lru_cache(maxsize=1)(get_dataset)  # a sweep over widths reads its images once
    for value, each, row in zip(values, settings, keys, strict=True):
        if not wanted.intersection(row):
            continue
        measure = _at(each, load)
        for seed, key in zip(seeds, row, strict=True):
            if key in wanted:
                known[key] = json.dumps({"value": value, "seed": seed, **measure(seed)})
                # The points stand in the order of the sweep, whatever came first. Those of other values stay behind.
                order = [k for keys_ in keys for k in keys_ if k in known]
                known = {k: known[k] for k in [*order, *known]}
                _write(path, [header, *known.values()])
                wanted.remove(key)
                if bar is not None:
                    bar.update(cost[key])
    return [[_point(each, known[key]) for key in row] for each, row in zip(settings, keys, strict=True)]


def results_file(setting, variable, folder=None):
    """Return the path of a results file, a different one for every setting and variable.

    It lies in `folder`, by default in results/sweeps (`data.home`).
    """
    digest = hashlib.sha256(_header(setting, variable).encode()).hexdigest()[:10]
    return (
        Path(folder or home() / "results" / "sweeps")
        / f"{variable}-{setting.dataset}-{setting.activation}-{setting.loss_name}-{digest}.jsonl"
    )


def contradictions(points):
    """Return a sentence for every well-determined rank that differs from the closed form: none for linear networks.

    Args:
        points: what `run_sweep` returns.
    """
    return [
        f"{symbol} at {point.value}, seed {point.seed}: rank {found.rank} with a gap of {found.gap:.0e}, not {bound}"
        for row in points
        for point in row
        for symbol, found, bound in zip(SYMBOLS, point.measured, point.predicted, strict=True)
        if found.well_determined and found.rank != bound
    ]


def _at(setting, load):
    """Return the function seed -> what a point's line says, for networks compiled once."""
    data = load(setting.dataset, setting.n_train, 0, setting.dim, setting.classes)
    inputs, loss = data.x_train, get_loss(setting.loss_name)
    bs = checks.integer("bs", setting.bs)
    batches = [(inputs[i : i + bs], data.y_train[i : i + bs]) for i in range(0, len(inputs), bs)]
    rank = singular_rank(inputs - inputs.mean(axis=0) if setting.bias else inputs)
    init_fn, apply_fn = network(setting)

    def measure(seed):
        _, params = init_fn(jax.random.PRNGKey(seed), (-1, setting.dim))
        network = loss, apply_fn, params, batches
        guess = closed_forms(setting, rank.rank) if setting.activation == "linear" else None
        p = num_params(params)
        found = dense_ranks(*network) if p <= _DENSE else sketched_ranks(*network, guess)
        ranks = {name: _line(each) for name, each in found._asdict().items()}
        return {"p": p, "r": _line(rank), **ranks}

    return measure


def _line(found):
    return {"rank": found.rank, "gap": found.gap, "threshold": found.threshold}


def _point(setting, line):
    row = json.loads(line)
    measured = HessianTriple(*(NumericalRank(**row[name], spectrum=np.empty(0)) for name in HessianTriple._fields))
    r = row["r"]["rank"]
    return Point(row["value"], row["seed"], row["p"], r, measured, closed_forms(setting, r))


# --- the results file


def _plain(values):
    """Return the same numbers, names and lists as JSON has them, without NumPy's numbers and without tuples."""
    return json.loads(json.dumps(values, default=lambda value: value.tolist()))


def _key(value, seed):
    return json.dumps([value, seed])


def _header(setting, variable):
    fixed = {name: value for name, value in setting._asdict().items() if name != variable}
    versions = {"jax": jax.__version__, "numpy": np.__version__}
    return json.dumps({"variable": variable, **_plain(fixed), **versions})


def _read(path, header):
    """Return {key: line} of the points in a results file, none if there is no file."""
    if not path.exists():
        return {}
    lines = path.read_text().split("\n")
    points = {}
    for number, line in enumerate(lines[:-1] if len(lines) > 1 and lines[-1] == "" else lines, start=1):
        try:
            if number == len(lines):
                raise ValueError("no end of line")
            row = json.loads(line)
            if number > 1:
                _point(Setting(), line)
                points[_key(row["value"], row["seed"])] = line
            else:
                there, here = dict(row), json.loads(header)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(_DAMAGED.format(path=path, line=number, complete=len(points))) from error
        if there != here:
            names = [name for name in {**here, **there} if there.get(name) != here.get(name)]
            differences = ", ".join(f"{name} is {there.get(name)!r} there, {here.get(name)!r} here" for name in names)
            raise ValueError(
                f"{path} holds the sweep of another setting: {differences}. Name another file (sweeps.results_file "
                "names one for every setting), or move that one away"
            )
    return points


_DAMAGED = (
    "{path} is damaged in line {line}; the {complete} points before it are complete. Delete that line and those that "
    "follow to go on after these points, or move the file away to begin anew. It was left as it is"
)


def _write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
