import json
import multiprocessing
import random
import signal
import time

import jax
import numpy as np
import pytest

from architectures import fully_connected
from closed_forms import biased_ranks, linear_ranks
from data import get_dataset, home
from experiments import sweeps
from experiments.setting import Setting
from experiments.sweeps import contradictions, results_file, run_sweep
from figures import summary
from hessians import functional_hessian
from initializers import get_init
from losses import get_loss
from ranks import NumericalRank, numerical_rank
from tests.experiments import interrupted

SMALL = Setting(dataset="gaussian", n_train=12, dim=4, widths=(3, 5), classes=3, bs=5)
VALUES, SEEDS = [[2], [3], [2, 4]], [1, 2]


class Bar:
    """What `run_sweep` asks of a progress bar."""

    def __init__(self):
        self.total, self.done = None, 0.0

    def reset(self, total):
        self.total = total

    def update(self, step):
        self.done += step


def ranks(points):
    return [[tuple(found.rank for found in point.measured) for point in row] for row in points]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The results file of a whole sweep, and its points."""
    path = tmp_path_factory.mktemp("sweep") / "folder" / "widths.jsonl"
    return path, run_sweep(SMALL, "widths", VALUES, SEEDS, path)


def test_every_point_is_that_of_its_value_and_seed(finished):
    """Beside the calls that a reader would write for one of them."""
    points = finished[1]
    assert [[(point.value, point.seed) for point in row] for row in points] == [[(v, s) for s in SEEDS] for v in VALUES]
    data = get_dataset("gaussian", 12, 0, 4, 3)
    init_fn, apply_fn = fully_connected([2, 4], 3, "linear", get_init("glorot"))
    _, params = init_fn(jax.random.PRNGKey(2), (-1, 4))
    H_f = 0
    for rows in (slice(0, 5), slice(5, 10), slice(10, 12)):
        H_f += functional_hessian(get_loss("mse"), apply_fn, params, data.x_train[rows], data.y_train[rows])
    found = points[2][1]
    expected = numerical_rank(H_f)
    assert (found.parameters, found.r) == (4 * 2 + 2 * 4 + 4 * 3, 4)
    assert found.measured.functional[:3] == expected[:3]
    assert found.predicted == linear_ranks(4, 3, [2, 4])
    assert ranks(points) == [[tuple(point.predicted) for point in row] for row in points]


@pytest.mark.parametrize(
    ("variable", "values"),
    [
        ("n_train", np.arange(2, 12, 4)),
        ("dim", [2, 6]),
        ("classes", (2, 4)),
        ("loss_name", ["mse", "cross", "cosh"]),
        ("init_name", ["orthogonal", "uniform"]),
        ("dataset", ["digits", "gaussian"]),
        ("bias", [False, True]),
        ("bs", [1, 12]),
    ],
)
def test_any_hyperparameter(variable, values, tmp_path):
    points = run_sweep(SMALL, variable, values, [3], tmp_path / "file")
    assert [row[0].value for row in points] == list(values)
    for value, (point,) in zip(values, points, strict=True):
        setting = SMALL._replace(**{variable: value})
        r = min(setting.n_train - setting.bias, setting.dim)
        closed_forms = biased_ranks if setting.bias else linear_ranks
        assert point.predicted == closed_forms(r, setting.classes, setting.widths, setting.loss_name)
        assert tuple(found.rank for found in point.measured) == point.predicted


def test_large_networks_without_the_matrix(tmp_path, monkeypatch):
    dense = run_sweep(SMALL, "loss_name", ["mse", "cross"], [1], tmp_path / "dense")
    monkeypatch.setattr(sweeps, "_DENSE", 0)
    monkeypatch.setattr(sweeps, "dense_ranks", None)
    assert ranks(run_sweep(SMALL, "loss_name", ["mse", "cross"], [1], tmp_path / "free")) == ranks(dense)
    run_sweep(SMALL, "activation", ["tanh"], [1], tmp_path / "no guess")


def test_a_repeated_sweep_measures_nothing(finished, monkeypatch):
    path, points = finished
    before, bar = path.read_bytes(), Bar()
    monkeypatch.setattr(sweeps, "_at", None)
    again = run_sweep(SMALL, "widths", VALUES, SEEDS, path, bar)
    assert ranks(again) == ranks(points)
    assert (path.read_bytes(), bar.total, bar.done) == (before, 1, 1)


def test_more_values_keep_the_points_that_are_there(finished, tmp_path):
    """In the order of the sweep; points that it does not ask for stay, behind."""
    path = tmp_path / "file"
    run_sweep(SMALL, "widths", VALUES[2:], SEEDS[::-1], path)
    bar = Bar()
    run_sweep(SMALL, "widths", VALUES, SEEDS, path, bar)
    assert path.read_bytes() == finished[0].read_bytes()
    assert bar.total == pytest.approx(bar.done, rel=1e-6)
    assert bar.total == pytest.approx(4, rel=1e-3)  # points of almost no parameters weigh one each
    run_sweep(SMALL, "widths", [[7]], [1], path)
    values = [json.loads(line)["value"] for line in path.read_text().splitlines()[1:]]
    assert values == [[7], [2], [2], [3], [3], [2, 4], [2, 4]]


def test_killed_ten_times_it_ends_with_the_same_file(tmp_path):
    # A server that has imported everything and computed nothing, so that its forks start at once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.sweeps"])
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    def run(path, seconds=300.0):
        """Return the seconds taken, None where the process was killed after so many."""
        process = context.Process(target=interrupted.sweep, args=(path,))
        begun = time.perf_counter()
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        return time.perf_counter() - begun if process.exitcode == 0 else None

    run(tmp_path / "first")  # which starts the server
    seconds = run(whole)
    assert (tmp_path / "first").read_bytes() == whole.read_bytes()
    generator, kills, lengths = random.Random(0), 0, [0]
    for _ in range(50):
        if run(killed, generator.uniform(0.1, 0.6) * seconds) is None:
            kills += 1
            lengths.append(len(killed.read_text().splitlines()) if killed.exists() else 0)
            assert lengths[-1] >= lengths[-2]  # what is finished stays finished
        else:  # it came to its end before ten kills: once more from the beginning
            assert killed.read_bytes() == whole.read_bytes()
            killed.unlink()
            lengths.append(0)
        if kills == 10:
            break
    assert kills == 10
    run(killed)
    assert killed.read_bytes() == whole.read_bytes()
    assert any(1 < length < 13 for length in lengths), f"no kill fell between two points: {lengths}"


def test_an_error_at_one_point_keeps_those_before_it(tmp_path, monkeypatch):
    measure, path = sweeps.dense_ranks, tmp_path / "file"

    def fail(loss, apply_fn, params, batches):
        if len(params) == 3:
            raise MemoryError("full")
        return measure(loss, apply_fn, params, batches)

    monkeypatch.setattr(sweeps, "dense_ranks", fail)
    with pytest.raises(MemoryError, match="full"):
        run_sweep(SMALL, "widths", VALUES, SEEDS, path)
    assert len(path.read_text().splitlines()) == 1 + 4


@pytest.mark.parametrize(
    ("variable", "values", "seeds", "message"),
    [
        ("width", [[3]], [1], "unknown sweep variable 'width'; choose one of 'dataset', 'n_train', .* 'widths'"),
        ("widths", [], [1], "values is empty: a sweep over 'widths' needs at least one"),
        ("n_train", range(10, 10), [1], "values is empty"),
        ("widths", [[3]], [], "seeds is empty"),
        ("widths", [[3], [0]], [1], r"widths\[0\] must be at least 1, got 0"),
        ("activation", ["relu", "selu"], [1], "unknown activation 'selu'"),
        ("loss_name", ["hinge"], [1], "unknown loss 'hinge'"),
        ("n_train", [5, 0], [1], "n_train must be at least 1, got 0"),
        ("bs", [0], [1], "bs must be at least 1, got 0"),
        ("dataset", ["digit"], [1], "unknown dataset 'digit'"),
    ],
)
def test_bad_sweeps(variable, values, seeds, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run_sweep(SMALL, variable, values, seeds, tmp_path / "file")


def refused(path, setting=SMALL, variable="widths", values=VALUES):
    """Return the error about a results file, which must stay as it is."""
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"results_file|damaged") as caught:
        run_sweep(setting, variable, values, SEEDS, path)
    assert path.read_bytes() == before
    return str(caught.value)


def test_a_truncated_file(finished, tmp_path):
    """Cut anywhere, it is either refused or a whole number of points; what is said about it is true."""
    whole, path = finished[0].read_bytes(), tmp_path / "file"
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in [0, 1, ends[0] - 1, ends[0] + 1, ends[3] - 1, ends[3] + 20, len(whole) - 1]:
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)  # lines, the first of which is the setting
        message = refused(path)
        assert f"damaged in line {complete + 1}; the {max(complete - 1, 0)} points before it are complete" in message
        # What the message says to do:
        path.write_bytes(whole[: ends[complete - 1]]) if complete else path.unlink()
        run_sweep(SMALL, "widths", VALUES, SEEDS, path)
        assert path.read_bytes() == whole
    path.write_bytes(whole.replace(b'"gap": ', b'"gap": "', 1))
    assert "damaged in line 2; the 0 points" in refused(path)
    path.write_bytes(whole.replace(b'"seed": 2, ', b"", 1))
    assert "damaged in line 3; the 1 points" in refused(path)


def test_a_file_of_another_setting(finished):
    path = finished[0]
    assert "n_train is 12 there, 13 here" in refused(path, SMALL._replace(n_train=13))
    assert "variable is 'widths' there, 'n_train' here" in refused(path, variable="n_train", values=[3, 4])
    message = refused(path, SMALL._replace(bias=True, loss_name="cosh"))
    assert "bias is False there, True here" in message
    assert "loss_name is 'mse' there, 'cosh' here" in message


def test_one_results_file_for_every_setting():
    """The value of the variable itself aside."""
    others = SMALL._replace(bs=7), SMALL._replace(classes=2), SMALL._replace(bias=True)
    paths = [results_file(setting, variable) for setting in (SMALL, *others) for variable in ("widths", "n_train")]
    assert len(set(paths)) == 8
    assert results_file(SMALL, "widths") == results_file(SMALL._replace(widths=[9]), "widths")
    assert {path.parent for path in paths} == {home() / "results" / "sweeps"}
    assert results_file(SMALL, "widths", "folder").parent.name == "folder"
    assert paths[0].name.startswith("widths-gaussian-linear-mse-")


def test_summary_and_contradictions(finished):
    points = finished[1]
    gap = min(found.gap for row in points for point in row for found in point.measured)
    expected = f"18 of 18 ranks are the closed forms, smallest gap {gap:.0e}, spread over 2 seeds at most 0"
    assert summary(points) == expected
    assert contradictions(points) == []
    point = points[0][1]
    for gap, said in ((1e12, ["H_o at [2], seed 2: rank 5 with a gap of 1e+12, not 10"]), (1e3, [])):
        lower = point.measured._replace(outer=NumericalRank(5, gap, 0.0, np.empty(0)))
        altered = [[points[0][0], point._replace(measured=lower)], *points[1:]]
        assert summary(altered).startswith("17 of 18 ranks")
        assert summary(altered).endswith("at most 5")
        assert contradictions(altered) == said
    lower = point.measured._replace(loss=NumericalRank(5, 1e12, 0.0, np.empty(0)))
    (said,) = contradictions([[points[0][0], point._replace(measured=lower)], *points[1:]])
    assert said.startswith("H_L at [2], seed 2: rank 5 with a gap of 1e+12")
