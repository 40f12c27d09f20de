"""What stands in the README works: the example, and every command."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from numpy.testing import assert_allclose

from closed_forms import linear_ranks
from hessians import loss_hessian
from losses import get_loss, of_params
from tests.conftest import ROOT
from tests.notebooks.headless import README, line_and_environment, typed
from tests.test_data import write_mnist

# Commands that are not run here as they stand, each with the reason.
NOT_RUN = {
    "make benchmark": "an hour; the small one below stands for it",
    "python -m benchmarks.experiments.side_by_side": "`make benchmark SMALL=yes` runs it",
    "python -m benchmarks.closed_forms.certified": "`make benchmark SMALL=yes` runs it",
    "python -m benchmarks.closed_forms.on_images": "`make benchmark SMALL=yes` runs it",
    "python -m benchmarks.exact.exact_ranks": "`make benchmark SMALL=yes` runs it",
    "python -m benchmarks.exact.smooth_networks": "`make benchmark SMALL=yes` runs it",
    "python -m benchmarks.ranks.graded": "`make benchmark SMALL=yes` runs it",
    "python -m benchmarks.matrix_free.spectra_compared": "`make benchmark SMALL=yes` runs it",
    "python -m benchmarks.linear_networks.judged_signs": "`make benchmark SMALL=yes` runs it",
    "make explore": "serves until it is stopped; tests/notebooks/test_explorer.py moves its sliders",
    ".venv/bin/voila notebooks/explorer.ipynb": "the same",
    "make html": "tests/notebooks/test_overview.py makes the pages in a folder of its own",
    ".venv/bin/python notebooks/overview.py": "the same",
    "pip install .": "tests/test_packaging.py runs it, with the options that make it work without a connection",
    "pip install '.[flax,equinox]'": "requirements.txt installs the two libraries, in the versions that it pins",
    "wsl --install": "sets up Linux on Windows",
    "python -m venv .venv": "these tests run in the environment that it makes",
    ".venv/bin/pip install -r requirements.txt": "these tests need what it installs, several GB",
    '.venv/bin/pip install "jax[cuda13]==0.10.2"': "several GB more, for a GPU",
}


def examples():
    """Return the three Python examples of the README."""
    first, own, spectra = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    return first, own, spectra


def commands():
    """Return all commands: the lines after $ in blocks, and what begins like one in backticks."""
    blocks = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    shown = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    inline = re.findall(r"`((?:make |python3? |pip |wsl |\.venv/bin/[a-z])[^`]*)`", text)
    return {command for command in [*shown, *inline] if command != ".venv/bin/python"}


def test_every_command_is_run_by_a_test_or_has_a_reason_why_not():
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    written = {
        command: any(quote + command + quote in sources for quote in ("'", '"', '"""')) for command in commands()
    }
    assert len(written) > 15
    assert [command for command, found in written.items() if not found] == []
    assert set(NOT_RUN) <= set(written)


def test_the_example(capsys):
    exec(examples()[0], {})
    assert capsys.readouterr().out.split() == examples()[0].rsplit("#", 1)[1].split() == ["175", "175"]


def of_ones_own():
    """Return the names in the examples of a network of one's own: a linear network 4-2-3."""
    rng = np.random.default_rng(0)
    names = {"network": lambda w, x: x @ w["first"] @ w["last"], "inputs": rng.normal(size=(9, 4))}
    names |= {"params": {"first": rng.normal(size=(4, 2)), "last": rng.normal(size=(2, 3))}}
    return names | {"labels": rng.integers(0, 3, size=9)}


def test_the_example_of_a_network_of_ones_own(capsys):
    """Its layers have the ranks 4 * 2 and 2 * 2 under the softmax of three outputs."""
    exec(examples()[1], of_ones_own())
    *ranks, _, _, first, last = capsys.readouterr().out.splitlines()
    assert [int(line.split()[2]) for line in ranks] == list(linear_ranks(4, 3, [2], "nll"))
    assert [line.split()[:5] for line in (first, last)] == [
        ["first", "8", "0", "8", "8"],
        ["last", "6", "0", "4", "4"],
    ]


def test_the_example_of_a_spectrum(capsys):
    names = of_ones_own()
    exec(examples()[2], names)
    loss = of_params(get_loss("nll"), names["network"])
    exact = np.linalg.eigvalsh(loss_hessian(loss, names["params"], names["inputs"], names["labels"]))
    assert_allclose(names["found"].top.values, exact[:-3:-1], atol=1e-9)
    assert_allclose(names["found"].bottom.values, exact[:2], atol=1e-9)
    assert names["negative"].low <= (exact < -1e-3).sum() <= names["negative"].high
    assert_allclose(names["total"], 3 * [exact.sum()], atol=1e-9)  # exact, with so few parameters
    assert len(capsys.readouterr().out.splitlines()) == 3


def rows(text):
    """Return the rows of the table without the gaps, whose last digits differ from machine to machine."""
    return [line.split() for line in re.findall(r"^(.*) \d\.\de\+\d\d +(?:proved|clear|open)$", text, flags=re.M)]


def found(text):
    """Return the sentence below the table: what stands before the line that says where the notebook is."""
    return text.partition("\n\nExecuted notebook: ")[0].rpartition("\n\n")[2]


@pytest.mark.parametrize("command", ["make run", ".venv/bin/python notebooks/run.py"], ids=["make", "without"])
def test_the_first_notebook_prints_the_table_shown(command, tmp_path):
    more = [] if command == "make run" else ["--results", tmp_path]
    finished = typed(command, tmp_path, *map(str, more))
    assert finished.returncode == 0, finished.stderr
    assert len(rows(README)) == 4
    assert rows(finished.stdout) == rows(README)
    assert found(README) == found(finished.stdout) != ""
    assert f"Executed notebook: {tmp_path / 'hessian_rank' / 'hessian_rank.ipynb'}" in finished.stdout


def test_another_notebook_without_make(tmp_path):
    command = ".venv/bin/python notebooks/run.py notebooks/attention.ipynb keys=3"
    small = ["n_train=8", "dim=3", "classes=3", "values=1", "more_keys=[1]", "more_heads=[2]", "more_heads_dim=2"]
    finished = typed(command, tmp_path, *small, "fewer_samples=[1]", "dataset=gaussian", "--results", str(tmp_path))
    assert finished.returncode == 0, finished.stderr
    assert "keys=3" in finished.stdout


def test_other_hyperparameters(tmp_path, monkeypatch):
    """On random images in MNIST's format, whose rank is full."""
    write_mnist(tmp_path, "MNIST", train=60)
    monkeypatch.setenv("HESSIAN_DATA", str(tmp_path))
    finished = typed('make run dataset=MNIST loss_name=cross widths="[20, 20]"', tmp_path)
    assert finished.returncode == 0, finished.stderr
    q, r, M = 9, 25, 40
    ranks = 2 * q * M + 2 * q * q - 3 * q * q, q * r, 2 * q * M - 3 * q * q + q * (r + 9)
    assert [row[-3:] for row in rows(finished.stdout)][1:] == [[str(rank), str(rank), "yes"] for rank in ranks]


@pytest.mark.parametrize("command", ["make test", ".venv/bin/python -m pytest -n auto"])
def test_the_tests_start(command, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "1")
    # Of all tests, which are running already, those that need nothing of conftest.py.
    monkeypatch.setenv("PYTEST_ADDOPTS", "--noconftest tests/linear_networks/test_powers_of_two.py")
    finished = typed(command, tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(r"\d+ passed", finished.stdout)


def test_the_linter_has_nothing_to_say(tmp_path):
    finished = typed("make lint", tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def fetched(address):
    """Return the JSON at an address, of a server that may need a moment after it has said so."""
    for _ in range(50):
        try:
            with urllib.request.urlopen(address, timeout=30) as page:
                return json.load(page)
        except urllib.error.URLError:
            time.sleep(0.2)
    return {"type": f"nothing at {address}"}


def page_to_open(folder):
    """Return the page that a server writes into its folder, moments after its address, to send a browser to a file."""
    for _ in range(50):
        if pages := list(folder.glob("jpserver-file-to-run-*-open.html")):
            return pages[0].read_text()
        time.sleep(0.2)
    return f"no page in {folder}"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("make lab", "index.ipynb"),
        ("make lab NOTEBOOK=notebooks/spectra.ipynb", "spectra.ipynb"),
        (".venv/bin/jupyter lab notebooks/index.ipynb", "index.ipynb"),
    ],
)
def test_jupyterlab_opens_the_notebook(command, name, tmp_path, monkeypatch):
    settings = {"ServerApp": {"open_browser": False, "allow_root": True, "ip": "127.0.0.1", "port": 0}}
    (tmp_path / "jupyter_server_config.json").write_text(json.dumps(settings))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    line, environment = line_and_environment(command, tmp_path)
    options = dict(cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(["bash", "-c", line], start_new_session=True, **options) as server:
        stop = threading.Timer(60, os.killpg, [server.pid, signal.SIGKILL])  # a server that says nothing
        stop.start()
        said = []
        for text in server.stderr:  # which ends with the server
            said.append(text)
            if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab(\?token=\w+)", text):
                served = fetched(f"{found[1]}/api/contents/{name}{found[2]}")
                opened = page_to_open(tmp_path)
                os.killpg(server.pid, signal.SIGKILL)
                break
        stop.cancel()
    assert found, "".join(said)
    assert served["type"] == "notebook"
    assert f"/lab/tree/{name}" in opened
    assert "Serving notebooks from local directory: " + str(ROOT / "notebooks") in "".join(said)


def test_the_benchmarks_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # curvlinops is not fetched; without it, its way is left out
    finished = typed("make benchmark SMALL=yes", tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    judged = re.findall(r"^ +\d+ (\S+) .*\[(\d+, \d+, \d+)\]", finished.stdout, flags=re.M)
    ranks = {ranks for way, ranks in judged if way in ("original", "dense", "matrix-free", "structure", "signs")}
    assert len(ranks) == 1
