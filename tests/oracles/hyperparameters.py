"""The cells of notebooks/hessian_rank.ipynb at random hyperparameters, valid and invalid, where exact ranks judge.

`valid` and `invalid` draw a setting, `examine` runs the cells with it and lists what is wrong with the outcome.
"""

import contextlib
import dis
import functools
import io
import itertools
import os
import re
import time
import warnings
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import flint
import jax
import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np

from architectures import ACTIVATIONS, PIECEWISE_LINEAR
from closed_forms import biased_ranks, linear_ranks
from exact import UndecidedError, exact_ranks
from exact.finite_field import residues
from hessians import SYMBOLS, HessianTriple
from initializers import INITIALIZERS
from losses import LOSSES
from tests.conftest import ROOT
from tests.notebooks.headless import code_cells, path

PRIME = 2**31 - 1
OWN_ERRORS = TypeError, ValueError, MemoryError, RuntimeError  # the types that this project raises
SLOW, LARGE = 20.0, 2e9  # seconds and bytes that no setting here may take
BY_ROUNDING = "rank by rounding"
UNNAMED = "does not name it"  # kind of a lesser failure: the message leaves open what to change
FOLDER = Path(os.environ.get("HESSIAN_DATA") or "nowhere").expanduser()
DOWNLOADED = [name for name in ("MNIST", "FashionMNIST") if (FOLDER / name / "raw").is_dir()]
CELL = "<cell"
NAMES = "dataset", "activation", "init_name", "loss_name"  # the hyperparameters that are names


class Outcome(NamedTuple):
    """What the cells did with one setting."""

    namespace: dict  # the variables that they left
    text: str  # all that they printed
    table: str  # what the cell tagged `table` printed
    warnings: list  # their texts, and whatever went to stderr
    error: Exception | None  # in a Case, its type and message
    seconds: float
    growth: float  # of the peak memory over what the process held before, in bytes


class Verdict(NamedTuple):
    """One rank beside the true one."""

    matrix: str  # 'H_f', 'H_o' or 'H_L'
    measured: int
    marked: bool  # whether it is clear, or proved
    gap: float
    form: int | None  # the closed form of a linear network
    truth: int | None  # None where nothing judges it
    judge: str  # 'exact ranks', 'closed form', or why there is no truth

    @property
    def kind(self):
        """How the rank counts: right, wrong, or why it is not judged."""
        if self.truth is None:
            return self.judge
        return "right" if self.measured == self.truth else f"wrong with{'' if self.marked else 'out'} the mark"


class Case(NamedTuple):
    """A setting that was examined."""

    setting: dict
    replaced: tuple  # names of the hyperparameters with invalid values, empty for a valid setting
    outcome: Outcome  # without the variables
    verdicts: list  # empty unless a valid setting ran to its end
    failures: list  # pairs of a kind and a reason


def valid(rng, largest=400):
    """Return a random valid setting {name: value}, whose network has at most `largest` parameters."""
    pick = lambda *values: values[rng.integers(len(values))]
    narrow, p = pick(0, 0.3, 0.9), largest + 1  # how many layers have one unit
    while p > largest:
        dataset = pick("digits", "gaussian", *DOWNLOADED)
        squares = [side**2 for side in (*range(1, 9), 7, 7)]  # many 7 x 7 digits are independent by rounding alone
        dim = int(rng.integers(1, 41)) if dataset == "gaussian" else pick(*squares)
        widths = rng.integers(1, 21, size=rng.integers(1, 6))
        widths[rng.random(len(widths)) < narrow] = 1
        classes, bias = pick(1, 2, 10, int(rng.integers(1, 11))), pick(False, True)
        p = sum((m_in + bias) * m_out for m_in, m_out in itertools.pairwise([dim, *widths.tolist(), classes]))
    loss_name = pick(*[name for name in LOSSES if classes > 1 or name != "cross"])
    n = pick(1, 2, classes, int(rng.integers(1, 121)), int(rng.integers(20, 121)))
    number = lambda value: pick(int, int, int, np.int64, np.int32, np.uint8)(value)
    return {
        "dataset": dataset,
        "n_train": number(n),
        "dim": number(dim),
        "widths": pick(list, tuple, np.array, np.int32, list)(widths.tolist()),
        "classes": number(classes),
        "bs": pick(1, int(rng.integers(1, n + 1)), n, n + 1, np.int64(n), np.uint8(7), 10**9),
        "bias": pick(bool, bool, np.bool_)(bias),
        "activation": pick(*ACTIVATIONS, *PIECEWISE_LINEAR, "linear", "linear"),
        "init_name": pick(*INITIALIZERS),
        "loss_name": pick(loss_name, "mse"),
        "seed": pick(0, 1, int(rng.integers(2**31)), 2**32, 2**63 - 1, -1, -(2**63), np.int64(7), np.uint32(2**32 - 1)),
    }


def invalid(rng):
    """Return a setting with one invalid hyperparameter, or two, and a tuple of their names."""
    setting = valid(rng)
    if rng.random() < 0.03:
        return setting | {"classes": 1, "loss_name": "cross"}, ("classes", "loss_name")
    names = rng.choice(list(setting), size=1 + (rng.random() < 0.15), replace=False).tolist()
    for name in names:
        values = _wrong(name, setting)
        setting[name] = values[rng.integers(len(values))]
    return setting, tuple(names)


def _wrong(name, setting):
    """Return values that are invalid for a hyperparameter, where all others are those of a valid setting."""
    wrong = [None, float("nan"), float("inf"), 0.5, 5j, b"5", {}, {5: 10}, {5}, (w for w in [5, 10]), len, object()]
    wrong += ["", "5", "no", "False", "[5, 10]", "ten"]
    if name == "bias":
        return [*wrong, 0, 1, -1, 1.0, [False], (True,), [], np.int64(1), np.array([True, False]), "True"]
    if name == "widths":
        wrong += [5, 0, -1, True, np.int64(5), np.array(5), [], (), range(0), np.array([])]
        wrong += [[[5, 10]], [[5], [10]], np.array([[5, 10]]), [[]], np.ones((2, 1), int), iter([5, 10])]
        wrong += [["5", 10], [5, None], [5, 10.0], [0.5], [float("nan")], [True, 5], [5, "x"], [5j], [b"5"]]
        wrong += [[0], [5, 0], [-1], (10, -5), range(3), np.array([5, 0]), np.array([5.0, 10.0]), np.array([True])]
        wrong += [[8000, 8000], [10**20], [5, 10**30], [10**9], np.array([2**62]), (2**63,), [2**31, 2**31]]
        return [*wrong, map(int, "55"), {5: 1}.keys(), frozenset([5]), bytearray(b"55"), np.array(["5"])]
    if name in NAMES:
        right = setting[name]
        wrong += [5, True, [right], (right,), {right}, {right: 1}, right.encode(), np.array([right]), jax.nn.relu]
        wrong += ["mnist", "Digits", "GAUSSIAN", "cifar10", "ReLU", "softmax", "lecun", "MSE", "crossentropy"]
        return [*wrong, f" {right}", f"{right}s", right.swapcase(), f"{right.title()}."]
    wrong += [5.0, np.float64(4), True, False, np.True_, [5], (5,), np.array([5]), range(5), [], -np.inf, "0x10"]
    wrong += [Fraction(5), np.array([0, 5], np.uint32), np.array(["5"]), np.array(5.0)]
    if name == "seed":
        return [*wrong, 2**63, 2**64, 10**20, 10**30, -(2**63) - 1, -(10**20), np.uint64(2**63), jax.random.key(0)]
    wrong += [0, -1, -50, -(10**20), np.int64(0), np.int64(-5)]
    if name == "bs":  # no number is too large: it makes one batch
        return wrong
    gaussian = setting["dataset"] == "gaussian"
    large, of_images = {
        "n_train": ([10**10, 10**11], [60_001, 10**6, 10**9]),
        "dim": ([10**9, 10**10], [2, 3, 50, 63, 1089, 10**8]),
        "classes": ([10**9, 10**10], [11, 12, 100]),
    }[name]
    return [*wrong, *large, 2**63 - 1, 2**63, 10**20, 10**30, *([] if gaussian else of_images)]


def run_cells(setting):
    """Run the notebook's code cells in a new namespace, with a setting in place of its own, and return the Outcome.

    Figures are drawn, as a notebook would, and closed.
    """
    matplotlib.use("Agg")
    namespace, printed, table, error = {"__name__": "__main__"}, io.StringIO(), "", None
    before, start = _memory(reset=True), time.perf_counter()
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(io.StringIO()) as complaints,
        jax.numpy_dtype_promotion("standard"),  # the tests' strictness is not the user's
    ):
        warnings.simplefilter("always")
        warnings.filterwarnings(
            "ignore", "Error (reading|writing) persistent compilation cache"
        )  # as in pyproject.toml
        try:
            for code, tags in _cells():
                already = len(printed.getvalue())
                exec(code, namespace)
                for number in plt.get_fignums():
                    plt.figure(number).savefig(io.BytesIO(), bbox_inches="tight")
                plt.close("all")
                if "table" in tags:
                    table = printed.getvalue()[already:]
                if "parameters" in tags:
                    namespace.update(setting)
        except Exception as raised:
            error = raised
    plt.close("all")
    seconds, growth = time.perf_counter() - start, _memory() - before
    said = [f"{each.category.__name__}: {each.message}" for each in caught]
    said += [line for line in complaints.getvalue().splitlines() if line.strip()]
    return Outcome(namespace, printed.getvalue(), table, said, error, seconds, growth)


@functools.cache
def _cells():
    """Return the code cells, compiled, as pairs with their tags."""
    cells = code_cells(nbformat.read(path("hessian_rank"), as_version=4))
    codes = [compile(cell.source, f"{CELL} {i}>", "exec", dont_inherit=True) for i, cell in enumerate(cells, start=1)]
    return [(code, cell.metadata.get("tags", [])) for code, cell in zip(codes, cells, strict=True)]


def _memory(reset=False):
    """Return the peak memory of this process in bytes. With reset, the peak starts anew from what is held now."""
    if not Path("/proc/self/clear_refs").exists():
        return 0.0  # only Linux can forget a peak
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return 1024.0 * int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])


def foreign(error):
    """Return why an exception is not one that this project raised on purpose, or '' if it is.

    It is on purpose if its type is one of OWN_ERRORS and a `raise` statement of a file of ours, or of a cell, made it.
    """
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    where = f"{code.co_filename}:{trace.tb_lineno}"
    if type(error) not in OWN_ERRORS:
        return f"{type(error).__module__}.{type(error).__name__} at {where}"
    file = Path(code.co_filename)
    ours = file.is_relative_to(ROOT) and "site-packages" not in file.parts
    if not ours and not file.name.startswith(CELL):
        return f"raised at {where}"
    # int("x") in a line of ours has no frame of its own, and JAX removes its own frames.
    if dis.opname[code.co_code[trace.tb_lasti]] != "RAISE_VARARGS":
        return f"no raise statement, but a call, failed at {where}"
    return ""


def judged(outcome):
    """Return the Verdicts on the three ranks of a run without an error, and the exact rank r of its data.

    Exact ranks judge linear, relu and leaky_relu networks under the squared loss. For the other losses the closed forms
    judge linear networks, at r. If the numerical rank of the data is not r, nothing is judged: the stored numbers are
    independent by rounding alone.
    """
    found = outcome.namespace
    data, bias, measured = found["data"], bool(found["bias"]), found["measured"]
    rows = np.column_stack([np.ones(len(data.x_train)), data.x_train]) if bias else data.x_train
    r = flint.nmod_mat(*rows.shape, residues(rows, PRIME).ravel().tolist(), PRIME).rank() - bias
    truth, forms, judge = [None] * 3, [None] * 3, "no exact form"
    if r != found["data_rank"].rank:
        judge = BY_ROUNDING
    elif found["activation"] == "linear":
        ranks = biased_ranks if bias else linear_ranks
        forms = ranks(r, int(found["classes"]), [int(width) for width in found["widths"]], found["loss_name"])
        truth, judge = forms, "closed form"
    if judge != BY_ROUNDING and found["loss_name"] == "mse" and found["activation"] in PIECEWISE_LINEAR:
        batches, guess = [(data.x_train, data.y_train)], HessianTriple(*(rank.rank for rank in measured))
        try:
            jax.config.update("jax_disable_most_optimizations", True)  # nearly all of the time is compilation
            exact = exact_ranks(found["loss"], found["apply_fn"], found["params"], batches, guess, primes=[PRIME])
            truth, judge = [rank.rank for rank in exact], "exact ranks"
        except UndecidedError:
            judge = "a unit on its kink"
        finally:
            jax.config.update("jax_disable_most_optimizations", False)
    rows = zip(SYMBOLS, measured, forms, truth, strict=True)
    return [Verdict(name, x.rank, bool(x.trusted), x.gap, form, true, judge) for name, x, form, true in rows], r


def examine(setting, replaced=()):
    """Run the cells with a setting and return the Case.

    Args:
        setting: {name: value} for all hyperparameters.
        replaced: names of those whose values are invalid.
    """
    outcome = run_cells(setting)
    error, verdicts, failures = outcome.error, [], [("warning", text) for text in outcome.warnings]
    said = f"{type(error).__name__}: {error}"
    if error and foreign(error):
        failures.append(("foreign traceback", f"{said} ({foreign(error)})"))
    elif error and not replaced:
        failures.append(("valid setting refused", said))
    elif replaced and not error:
        failures.append(("invalid setting accepted", ", ".join(f"{name}={setting[name]!r}" for name in replaced)))
    elif replaced and not any(re.search(rf"\b{name}\b", str(error)) for name in replaced):
        failures.append((UNNAMED, said))
    if outcome.seconds > SLOW or outcome.growth > LARGE:
        failures.append(("too much", f"{outcome.seconds:.0f} s, {1e-9 * outcome.growth:.1f} GB"))
    if not error and not replaced:
        verdicts, r = judged(outcome)
        failures += [(x.kind, str(x)) for x in verdicts if x.kind == "wrong with the mark"]
        failures += [
            ("closed form is not the exact rank", str(x)) for x in verdicts if x.form != x.truth and x.form is not None
        ]
        # The footnote on small gaps, which starts with a star, says nothing of the data.
        said = [line.lower() for line in outcome.table.splitlines() if not line.startswith("*")]
        if verdicts[0].judge == BY_ROUNDING and "rounding" not in "".join(said):
            failures.append(("rounding is not mentioned", f"the stored inputs have rank {r}:\n{outcome.text}"))
    return Case(setting, replaced, outcome._replace(namespace=None, error=said if error else ""), verdicts, failures)
