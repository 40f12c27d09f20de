"""notebooks/run.py and `make run`: settings arrive as typed, and what goes wrong takes one line."""

import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest

# `run` is the script, notebooks/run.py
from run import folder_name, main, table

from tests.conftest import ROOT
from tests.notebooks.headless import make_here

CELLS = {
    "parameters": "text = 'none'\nnumbers = [1]\nwait = 0.0\ndie = False",
    "work": "import os, time\ntime.sleep(wait)\nif die: os.kill(os.getpid(), 9)",
    "table": "print(ascii(text), numbers)",
}


def write_notebook(path, kernel="python3"):
    """Write a notebook of three cells that does nothing but say what its parameters are."""
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": [tag]}) for tag, source in CELLS.items()]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def start(*arguments, before=":"):
    """Start notebooks/run.py, after a command of the shell."""
    script = [sys.executable, str(ROOT / "notebooks" / "run.py"), *map(str, arguments)]
    command = ["bash", "-c", f'{before}; exec "$@"', "bash", *script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments, before=":"):
    """Return the exit status, what was printed, and the lines of the errors without the progress bar."""
    return ended(start(*arguments, before=before))


def ended(process):
    printed, errors = process.communicate(timeout=120)
    lines = [line for line in errors.splitlines() if line.strip() and "Executing:" not in line]
    return process.returncode, printed, lines


@pytest.fixture
def make(tmp_path):
    """Return a function that types a command of make, in the environment that runs these tests."""
    own, environment = make_here(tmp_path)
    options = dict(cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    return lambda *words: subprocess.run(["make", *own, *words], **options)


def test_settings_reach_python_as_they_were_typed(make, tmp_path):
    notebook = write_notebook(tmp_path / "my copy.ipynb")
    text = (
        f"""["a", 'b']; touch {tmp_path}/1 # $(shell touch {tmp_path}/2) `touch {tmp_path}/3` $HOME $$ \\ "é" (3, 4)"""
    )
    found = make("run", f"NOTEBOOK={notebook}", f"text={text}", "numbers=(3, 4)")
    assert found.returncode == 0, found.stderr
    assert f"{text!a} [3, 4]" in found.stdout
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert f"Executed notebook: {folder / 'my copy.ipynb'}" in found.stdout
    assert sorted(path.name for path in tmp_path.iterdir() if path != folder) == [
        "my copy.ipynb",
        "ready",
    ]  # no command ran


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["run", "MNIST"],
            "*** MNIST: neither one of 'run lab explore html test lint notebooks benchmark' nor name=value.",
        ),
        (["run", "widths=[3,", "20]"], '20]: neither one of .* widths="[3, 20]"'),
        (["lab", "bias=yes"], "*** make lab takes no hyperparameters: change bias in the notebook."),
        (["run", "foo=1; cmd"], "error: 'foo=1; cmd' sets no hyperparameter of the notebook"),
        (["run", "n_train=ten"], "error: n_train must be a whole number, got 'ten'; type n_train=50"),
        (["run", "seed=abc"], "error: seed must be a whole number, got 'abc'; type seed=1"),
        (["run", "widths=20,20"], "error: widths must be a list of whole numbers .* type widths='[20, 20]'"),
        (["run", "bias=maybe"], "error: bias must be True or False, got 'maybe'; type bias=False"),
        (["run", "NOTEBOOK=no such.ipynb"], "error: the notebook no such.ipynb cannot be read: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_make_refuses_before_anything_runs(make, words, message):
    found = make(*words)
    assert found.returncode == 2
    assert "Executing" not in found.stderr
    assert "Traceback" not in found.stderr
    rest = found.stderr
    for part in message.split(".*"):
        assert part in rest
        rest = rest.partition(part)[2]


def test_a_kernel_that_dies(tmp_path):
    status, _, errors = run(write_notebook(tmp_path / "a.ipynb"), "die=yes", "--results", tmp_path)
    assert status == 1
    assert errors[0].startswith("error: the notebook's kernel died, most likely because memory ran out; choose smaller")
    assert errors[1:] == [f"The notebook up to that cell: {tmp_path / 'a-die=True' / 'unfinished.ipynb'}"]


@pytest.mark.parametrize("after", [0.2, 0.8, None], ids=["importing", "starting the kernel", "in a cell"])
def test_an_interrupt_ends_quietly_with_what_was_kept(after, tmp_path):
    unfinished = tmp_path / "a-wait=60.0" / "unfinished.ipynb"
    process = start(write_notebook(tmp_path / "a.ipynb"), "wait=60", "--results", tmp_path)
    deadline = time.monotonic() + 60
    # In a cell: the first cell's execution count has been written.
    while after is None and not (unfinished.exists() and '"execution_count": 2' in unfinished.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(after or 0)
    process.send_signal(signal.SIGINT)
    status, printed, errors = ended(process)
    if status == -signal.SIGINT:  # Python itself was still starting
        assert after == 0.2
        return
    assert status == 130
    assert printed == ""
    assert errors[0] == "Interrupted"
    assert errors[1:] == [f"The notebook up to that cell: {unfinished}"] * unfinished.exists()
    assert after is not None or unfinished.exists()


def test_results_that_cannot_be_written(tmp_path):
    notebook, blocked = write_notebook(tmp_path / "a.ipynb"), tmp_path / "results"
    blocked.touch()
    expected = f"error: results cannot be written to {blocked / 'a'}: Not a directory. Make room or mend that folder"
    status, _, errors = run(notebook, "--results", blocked)
    assert (status, len(errors)) == (1, 1)
    assert errors[0].startswith(expected)
    # Files of at most one kilobyte are what a full disk looks like: a notebook takes more.
    status, _, errors = run(notebook, "--results", tmp_path / "full", before="ulimit -f 1")
    assert status == 1
    assert [line for line in errors if line.startswith("error: ")] == errors[:1]
    assert errors[0].startswith(f"error: results cannot be written to {tmp_path / 'full' / 'a'}: File too large. Make")


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"cells": 1, "nbformat": 4}', b"\xff\xfe"], ids=repr)
def test_a_notebook_that_cannot_be_read(content, tmp_path):
    notebook = tmp_path / "a.ipynb"
    if content is not None:
        notebook.write_bytes(content if isinstance(content, bytes) else content.encode())
    status, _, errors = run(notebook, "--results", tmp_path / "results")
    assert (status, len(errors)) == (1, 1)
    if content is None:
        assert (
            errors[0] == f"error: the notebook {notebook} cannot be read: No such file or directory; look at its name"
        )
    else:
        assert errors[0].startswith(f"error: {notebook} is no Jupyter notebook, or a damaged one: ")
    assert not (tmp_path / "results").exists()


def test_a_kernel_that_is_not_installed(tmp_path):
    status, _, errors = run(write_notebook(tmp_path / "a.ipynb", kernel="julia-1.9"), "--results", tmp_path)
    assert status == 1
    assert errors[0].startswith("error: the notebook's kernel 'julia-1.9' is not installed; open it with make lab")


@pytest.mark.parametrize(
    ("words", "notebook", "settings"),
    [
        ([], "hessian_rank.ipynb", []),
        (["n_train=8", "bias=yes"], "hessian_rank.ipynb", ["n_train=8", "bias=yes"]),
        (["a.ipynb"], "a.ipynb", []),
        (["a.ipynb", "n=1"], "a.ipynb", ["n=1"]),
        (["a=b.ipynb", "n=1"], "a=b.ipynb", ["n=1"]),
        (["my a", "n=1"], "my a", ["n=1"]),
        (["--make", "n=1"], "n=1", []),
    ],
)
def test_the_first_notebook_is_the_default(words, notebook, settings, monkeypatch):
    called = []
    monkeypatch.setattr("run.run", lambda path, words, *_: called.append((path.name, words)))
    monkeypatch.delenv("MAKEFLAGS", raising=False)
    assert main(words) == 0
    assert called == [(notebook, settings)]


def test_the_table_has_no_bars():
    text = "p = 3\n\rranks  0 %\rranks 50 %\rranks 100 %\nrank 2\r\nrank 3\n"
    cell = nbformat.v4.new_code_cell("", metadata={"tags": ["table"]})
    cell.outputs = [nbformat.v4.new_output("stream", text=text)]
    notebook = nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_code_cell("")])
    assert table(notebook) == "p = 3\nrank 2\nrank 3\n"


def test_a_notebook_without_a_table_prints_no_empty_line(tmp_path):
    notebook = write_notebook(tmp_path / "a.ipynb")
    found = nbformat.read(notebook, as_version=4)
    found.cells = found.cells[:2]
    nbformat.write(found, notebook)
    status, printed, _ = run(notebook, "--results", tmp_path)
    assert (status, printed) == (0, f"Executed notebook: {tmp_path / 'a' / 'a.ipynb'}\n")


ODD = "my nötebooks ✓ 1 {x}"


@pytest.mark.parametrize("name", [ODD, "ノート", "Тетрадь 2", "a%20b #1 & 'c'"])
def test_names_with_spaces_and_letters_of_any_alphabet(make, name, tmp_path):
    folder, results = tmp_path / name, tmp_path / name / "rësults ✓"
    folder.mkdir()
    notebook = write_notebook(folder / f"{name}.ipynb")
    status, printed, errors = run(notebook, f"text={name}", "--results", results)
    assert (status, errors) == (0, [])
    assert f"{name!a} [1]" in printed
    assert f"Executed notebook: {results}" in printed
    found = make("run", f"NOTEBOOK={notebook}", f"RESULTS={results}", "numbers=[2]")
    assert found.returncode == 0, found.stderr
    assert "'none' [2]" in found.stdout
    assert len(list(results.glob("*/*.ipynb"))) == 2


def test_a_terminal_that_cannot_show_a_name(tmp_path):
    notebook = write_notebook(tmp_path / "ノート.ipynb")
    status, printed, errors = run(notebook, "--results", tmp_path, before="export PYTHONIOENCODING=ascii")
    assert (status, errors) == (0, [])
    assert "???.ipynb" in printed


def test_a_checkout_in_a_folder_with_such_a_name(tmp_path):
    """The script finds its first notebook and its results from any folder, and so does make from its own."""
    copy = tmp_path / ODD / "hessian-rank"
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a checkout")
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    words, environment = make_here(tmp_path)
    environment |= {"PYTHONPATH": str(copy)}  # its own modules, not those of the environment
    options = dict(env=environment, capture_output=True, text=True, timeout=300)
    script = [sys.executable, str(copy / "notebooks" / "run.py"), "n_train=8", "dim=4", "classes=3"]
    elsewhere = subprocess.run(script, cwd=tmp_path, **options)
    assert elsewhere.returncode == 0, elsewhere.stderr
    expected = copy / "results" / "hessian_rank-n_train=8-dim=4-classes=3" / "hessian_rank.ipynb"
    assert f"Executed notebook: {expected}" in elsewhere.stdout
    own = [word for word in words if not word.startswith("RESULTS=")]
    typed = subprocess.run(["make", *own, "run", "n_train=9", "dim=4", "classes=3"], cwd=copy, **options)
    assert typed.returncode == 0, typed.stderr
    assert "Executed notebook: results/hessian_rank-n_train=9" in typed.stdout
    assert len(list(copy.glob("results/*/hessian_rank.ipynb"))) == 2


def test_every_setting_has_a_folder_of_its_own():
    assert folder_name("a", {}) == "a"
    assert folder_name("a", {"widths": [3, 20], "loss_name": "cross"}) == "a-widths=[3,20]-loss_name=cross"
    names = [
        folder_name("a", {"text": text})
        for text in ("x" * 300, "x" * 301, "x/y", "x_y", "x y", "x\ny", "..", "é" * 200, "x\0y")
    ]
    names += [folder_name("a" * 240, {"n": n}) for n in (1, 2)]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name.encode()) < 200
        assert not set("/\n\0") & set(name)
