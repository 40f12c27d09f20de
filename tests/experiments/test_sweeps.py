import errno
import itertools
import json
import multiprocessing
import os
import random
import resource
import signal
import threading
import time

import jax
import numpy as np
import pytest

from architectures import fully_connected
from closed_forms import biased_ranks, linear_ranks
from counting import NumericalRank
from data import get_dataset, home
from experiments import points_file, sweeps
from experiments.setting import Setting
from experiments.sweeps import contradictions, results_file, run_sweep
from figures import summary
from hessians import functional_hessian
from initializers import get_init
from losses import get_loss
from ranks import numerical_rank
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
    # All batches in one go, which the sweep makes of them too: a sum of three has other last digits.
    H_f = functional_hessian(get_loss("mse"), apply_fn, params, data.x_train, data.y_train)
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
    monkeypatch.setattr(sweeps.PointsFile, "_locked", None)  # which a folder for reading only would not allow
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


def test_values_and_seeds_that_come_twice_are_measured_once(finished, tmp_path):
    bar = Bar()
    points = run_sweep(SMALL, "widths", [[2], (2,), [2]], [1, np.int64(1)], tmp_path / "file", bar)
    assert [[(point.value, point.seed) for point in row] for row in points] == [[([2], 1)] * 2] * 3
    assert ranks(points) == [[ranks(finished[1])[0][0]] * 2] * 3
    assert len((tmp_path / "file").read_text().splitlines()) == 1 + 1
    assert bar.total == pytest.approx(1, rel=1e-3)


@pytest.fixture(scope="module")
def context():
    """A server that has imported everything and computed nothing, so that its forks start at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.sweeps"])
    return context


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.mark.parametrize("backwards", [(False, False), (False, True, False)], ids=str)
def test_processes_that_share_a_file_all_end_with_all_points(backwards, tmp_path, context, compiled):
    """What one has finished the others do not measure again."""
    path, answers, barrier = tmp_path / "file", context.Queue(), context.Barrier(len(backwards))
    processes = [
        context.Process(target=interrupted.counted, args=(path, compiled, answers, each, barrier)) for each in backwards
    ]
    for process in processes:
        process.start()
    found, measured = zip(*[answers.get(timeout=300) for _ in processes], strict=True)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(processes)
    asked = list(itertools.product(interrupted.VALUES, interrupted.SEEDS))
    assert [(value, seed) for row in found[0] for value, seed, *_ in row] == asked
    assert all(each == found[0] for each in found)
    rows = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert sorted((row["value"], row["seed"]) for row in rows) == sorted(asked)
    assert os.listdir(tmp_path) == ["file"]
    # Those that run the same way may keep in step. Of two that meet in the middle, each measures about half.
    assert 12 <= sum(measured) <= 12 * len(backwards) - 4 * any(backwards)


def test_threads_that_share_a_file_both_end_with_all_points(finished, tmp_path):
    found = {}

    def run(name):
        found[name] = run_sweep(SMALL, "widths", VALUES, SEEDS, tmp_path / "file")

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ranks(found["a"]) == ranks(found["b"]) == ranks(finished[1])
    assert (tmp_path / "file").read_bytes() == finished[0].read_bytes()


def test_without_room_it_stops_before_a_point_is_measured(tmp_path, monkeypatch):
    """Here the limit on the size of a file takes the part of a full disk. With room, the rest is measured."""
    path, measured, overwrite = tmp_path / "file", [], points_file._overwrite
    limits, measure = resource.getrlimit(resource.RLIMIT_FSIZE), sweeps.dense_ranks

    def limited(*arguments):
        resource.setrlimit(resource.RLIMIT_FSIZE, (7200, limits[1]))
        try:
            overwrite(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(
        sweeps, "dense_ranks", lambda *network, **bound: measured.append(1) or measure(*network, **bound)
    )
    monkeypatch.setattr(points_file, "_overwrite", limited)
    for _ in range(2):
        with pytest.raises(OSError, match="no room") as caught:
            run_sweep(SMALL, "widths", VALUES, SEEDS, path)
        assert caught.value.errno == errno.EFBIG
        assert caught.value.strerror == (
            f"{path} keeps its 5 finished points, but there is no room for another (File too large): "
            "free space and run again"
        )
        assert len(measured) == len(path.read_text().splitlines()) - 1 == 5
        assert os.listdir(tmp_path) == ["file"]
    monkeypatch.setattr(points_file, "_overwrite", overwrite)
    assert [len(row) for row in run_sweep(SMALL, "widths", VALUES, SEEDS, path)] == [2, 2, 2]
    assert len(measured) == 6


def test_killed_five_times_it_ends_with_the_same_file(tmp_path, context, compiled):
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    def run(path, seconds=300.0):
        """Return the seconds taken, None where the process was killed after so many."""
        process = context.Process(target=interrupted.sweep, args=(path, compiled))
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
        else:  # it came to its end before five kills: once more from the beginning
            assert killed.read_bytes() == whole.read_bytes()
            killed.unlink()
            lengths.append(0)
        if kills == 5:
            break
    assert kills == 5
    run(killed)
    assert killed.read_bytes() == whole.read_bytes()
    # Nothing is left beside it, but for the lock file if the last kill fell between the last point and the end.
    assert {"first", "killed", "whole"} == {found.name for found in tmp_path.iterdir()} - {"killed.lock"}
    assert any(1 < length < 13 for length in lengths), f"no kill fell between two points: {lengths}"


def test_an_error_at_one_point_keeps_those_before_it(tmp_path, monkeypatch):
    measure, path = sweeps.dense_ranks, tmp_path / "file"

    def fail(loss, apply_fn, params, batches, bound):
        if len(params) == 3:
            raise MemoryError("full")
        return measure(loss, apply_fn, params, batches)

    monkeypatch.setattr(sweeps, "dense_ranks", fail)
    with pytest.raises(MemoryError, match="full"):
        run_sweep(SMALL, "widths", VALUES, SEEDS, path)
    assert len(path.read_text().splitlines()) == 1 + 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_whatever_ends_a_sweep_leaves_the_points_and_nothing_else(error, tmp_path, monkeypatch):
    measure, path, seen = sweeps.dense_ranks, tmp_path / "file", []

    def fail(*network, bound):
        seen.append(sorted(os.listdir(tmp_path)))
        if len(seen) == 3:
            raise error
        return measure(*network)

    monkeypatch.setattr(sweeps, "dense_ranks", fail)
    with pytest.raises(error):
        run_sweep(SMALL, "widths", VALUES, SEEDS, path)
    assert seen[2] == ["file", "file.lock", "file.part"]
    assert os.listdir(tmp_path) == ["file"]
    assert len(path.read_text().splitlines()) == 1 + 2


LISTED = "must be a list, a tuple, a range or an array, got "
PLAIN = "must be a number, a name, True, False or a list of widths, got "


@pytest.mark.parametrize(
    ("variable", "values", "seeds", "message"),
    [
        ("widths", {(3,), (4,)}, [1], rf"values {LISTED}\{{.*\}} of type set: make a list of it"),
        ("widths", ([m] for m in (3, 4)), [1], f"values {LISTED}<generator .* of type generator: make a list of it"),
        ("activation", "relu", [1], f"values {LISTED}'relu' of type str"),
        ("n_train", 5, [1], f"values {LISTED}5 of type int"),
        ("n_train", {5: 6}, [1], rf"values {LISTED}\{{5: 6\}} of type dict"),
        ("n_train", np.array(5), [1], rf"values {LISTED}array\(5\) of type ndarray"),
        ("n_train", [5], 1, f"seeds {LISTED}1 of type int"),
        ("n_train", [5], range(3).__iter__(), f"seeds {LISTED}<range_iterator"),
        ("widths", [[3], {3, 4}], [1], rf"values\[1\] {PLAIN}\{{3, 4\}} of type set: a list\(...\) of it may be meant"),
        ("widths", [(m for m in (3, 4))], [1], rf"values\[0\] {PLAIN}<generator .* of type generator: a list"),
        ("widths", [[3, None]], [1], rf"values\[0\]\[1\] {PLAIN}None of type NoneType"),
        ("widths", [3], [1], "widths must be a list of hidden widths such as .*, got 3 of type int"),
        ("widths", [[3.0]], [1], r"widths\[0\] must be an integer, got 3.0"),
        ("n_train", [5, "6"], [1], "n_train must be an integer, got '6' of type str"),
        ("bs", [5, 6.0], [1], "bs must be an integer, got 6.0 of type float"),
        ("n_train", [5], [1, "2"], r"seeds\[1\] must be an integer, got '2' of type str"),
        ("n_train", [5], [True], r"seeds\[0\] must be an integer, got True of type bool"),
        ("n_train", [5], [1.0], r"seeds\[0\] must be an integer, got 1.0 of type float"),
        ("n_train", [5], "12", f"seeds {LISTED}'12' of type str"),
        ("n_train", [5], [[1, 2]], r"seeds\[0\] must be an integer, got \[1, 2\] of type list"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_of_the_wrong_type(variable, values, seeds, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        run_sweep(SMALL, variable, values, seeds, tmp_path / "file")
    assert os.listdir(tmp_path) == []


def test_seeds_of_64_bits(tmp_path):
    extremes = [-(2**63), -1, 2**63 - 1]
    points = run_sweep(SMALL, "n_train", [5], np.array(extremes), tmp_path / "file")
    assert [point.seed for point in points[0]] == extremes
    assert len({point.measured.loss.threshold for point in points[0]}) == 3


def test_a_setting_that_makes_no_line(tmp_path):
    generator = SMALL._replace(widths=(m for m in (3, 4)))
    with pytest.raises(TypeError, match=f"^widths {PLAIN}<generator"):
        run_sweep(generator, "n_train", [5], [1], tmp_path / "file")
    with pytest.raises(TypeError, match=f"^widths {PLAIN}<generator"):
        results_file(generator, "n_train")
    with pytest.raises(ValueError, match=r"^dim must be finite, got nan: leave it out or put a number in its place$"):
        results_file(SMALL._replace(dim=float("nan")), "widths")
    with pytest.raises(ValueError, match="unknown sweep variable 'a/b'; choose one of 'dataset'"):
        results_file(SMALL, "a/b")


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
        ("n_train", [5, float("nan")], [1], r"values\[1\] must be finite, got nan: leave it out or put a number"),
        ("widths", [[3, np.inf]], [1], r"values\[0\]\[1\] must be finite, got inf"),
        ("n_train", [5], [1, 2**63], r"seeds\[1\] must be below 2\^63 = 9223372036854775808, got 9223372036854775808"),
        ("n_train", [5], [-(2**63) - 1], r"seeds\[0\] must be at least -9223372036854775808, got"),
        ("bs", [0], [1], "bs must be at least 1, got 0"),
        ("dataset", ["digit"], [1], "unknown dataset 'digit'"),
    ],
)
def test_bad_sweeps(variable, values, seeds, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run_sweep(SMALL, variable, values, seeds, tmp_path / "file")
    assert os.listdir(tmp_path) == [] or variable == "dataset"  # nothing is measured before the last value is checked


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
    for cut in [0, 1, ends[0] - 1, ends[0], ends[0] + 1, ends[3] - 1, ends[3] + 20, len(whole) - 1]:
        path.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)  # lines, the first of which is the setting
        if cut not in (0, *ends):
            message = refused(path)
            assert f"damaged in line {complete + 1}: it has no end of line" in message
            # What the message says to do:
            if complete:
                assert f"{complete - 1} finished point{'' if complete == 2 else 's'} before it can be kept" in message
                assert "delete that line and those that follow" in message
                path.write_bytes(whole[: ends[complete - 1]])
            else:
                assert "move the file away to begin anew" in message
                path.rename(tmp_path / "away")
        run_sweep(SMALL, "widths", VALUES, SEEDS, path)
        assert path.read_bytes() == whole


def test_a_damaged_file(finished, tmp_path):
    """Refused by its line, before anything is measured (test_points_lines)."""
    whole, path = finished[0].read_bytes(), tmp_path / "file"
    for part, other, damage in [
        (b'"gap": ', b'"gap": "', "line 2: it is not JSON"),
        (b'"seed": 2, ', b"", "line 3: the point must have the fields value, seed, p, r, functional, outer, loss, got"),
        (b'"rank": 4', b'"rank": null', "line 2: the rank of its r must be an integer from 0 to 4, got null"),
        (b'"p": 14', b'"p": 15', r"line 2: its p must be 14, the parameters of the network at [2], got 15"),
        (b'"rank": 4', b'"rank": 5', "line 2: the rank of its r must be an integer from 0 to 4, got 5"),
        (b'"value": [3], "seed": 1', b'"value": [2], "seed": 1', "line 4: its p must be 14"),
        (b'"seed": 2', b'"seed": 1', "line 3: the point of value [2] and seed 1 is there already"),
        (b"seed", b"s\xff", "line 2: its byte 18, 0xff, is not UTF-8"),
    ]:
        path.write_bytes(whole.replace(part, other, 1))
        assert f"damaged in {damage}" in refused(path)
    path.write_bytes(whole.replace(b"\n", b"\r\n"))
    assert ranks(run_sweep(SMALL, "widths", VALUES, SEEDS, path)) == ranks(finished[1])


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


def test_a_results_file_has_a_name_that_a_file_can_have(monkeypatch, tmp_path):
    """Also with names that somebody gave to a data set or an activation of his own."""
    today = "widths-digits-leaky_relu-mse-"
    assert results_file(Setting(activation="leaky_relu"), "widths").name.startswith(today)
    made_up = ["a/b", "a\\b", "..", "a\0b", "a b", "é" * 300, "x" * 300, "x" * 299]
    paths = [results_file(SMALL._replace(**{kind: name}), "n_train", tmp_path) for name in made_up for kind in
             ("dataset", "activation", "loss_name")]  # fmt: skip
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert path.parent == tmp_path
        assert len(os.fsencode(path.name + ".10.part")) <= 255
        path.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert results_file(SMALL, "widths", "~/points").parent == tmp_path / "points"
    assert run_sweep(SMALL, "n_train", [5], [1], "~/points/file")[0][0].value == 5
    assert os.listdir(tmp_path / "points") == ["file"]


def test_summary_and_contradictions(finished):
    points = finished[1]
    gap = min(found.gap for row in points for point in row for found in point.measured)
    expected = f"18 of 18 ranks are the closed forms, smallest gap {gap:.0e}, spread over 2 seeds at most 0"
    assert summary(points) == expected
    assert contradictions(points) == []
    point = points[0][1]
    for grade, said in (("clear", ["H_o at [2], seed 2: rank 5 with a gap of 1e+12, not 10"]), ("open", [])):
        lower = point.measured._replace(outer=NumericalRank(5, 1e12, 0.0, np.empty(0), grade))
        altered = [[points[0][0], point._replace(measured=lower)], *points[1:]]
        assert summary(altered).startswith("17 of 18 ranks")
        assert summary(altered).endswith("at most 5")
        assert contradictions(altered) == said
    lower = point.measured._replace(loss=NumericalRank(5, 1e12, 0.0, np.empty(0), "clear"))
    (said,) = contradictions([[points[0][0], point._replace(measured=lower)], *points[1:]])
    assert said.startswith("H_L at [2], seed 2: rank 5 with a gap of 1e+12")
