"""The project installed as a user would, not from its checkout; the README's example there."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_readme import examples

SHADOWS = "data", "figures", "exact", "networks"  # folders that a user may well have beside a script


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with subfolders of the names of our modules, and files of other kinds in them."""
    folder = tmp_path_factory.mktemp("user")
    for name in SHADOWS:
        (folder / name).mkdir()
        (folder / name / "notes.txt").write_text("the user's own")
    (folder / "example.py").write_text(examples()[0])
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return the interpreter of an empty environment into which a copy of the project was installed, without `-e`.

    The libraries are those of this environment: a path that lists them is all that is put in by hand. Whatever is
    declared but not there would be looked for, and found missing, since no index is asked.
    """
    place = tmp_path_factory.mktemp("install")
    copy = place / "hessian-rank"
    ignored = shutil.ignore_patterns(
        ".*", "build", "*.egg-info", "downloads", "results", "__pycache__", "notebooks", "docs"
    )
    shutil.copytree(ROOT, copy, ignore=ignored)
    venv.create(place / "env", with_pip=False)
    inside = Path(sysconfig.get_path("purelib", vars={"base": place / "env", "platbase": place / "env"}))
    (inside / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = place / "env" / "bin" / "python"
    options = ["--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *options, copy], check=True, timeout=300
    )
    shutil.rmtree(copy)  # what runs now is what was installed
    return python


def run(python, folder, *arguments):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HESSIAN_DATA", "XDG_DATA_HOME")
    }
    environment["HOME"] = str(folder)
    command = [python, *arguments]
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.split()


def test_the_readme_s_example_where_it_was_installed(python, folder):
    assert run(python, folder, "example.py") == ["175", "175"]


PLACES = """
import architectures, closed_forms, data, exact, experiments.sweeps, figures, linear_networks, matrix_free, networks
from experiments.setting import Setting

for module in (architectures, closed_forms, data, exact, figures, linear_networks, matrix_free, networks):
    print(module.__file__)
print(data.home() / "downloads")
print(experiments.sweeps.results_file(Setting(), "widths"))
"""


def test_modules_come_from_the_installation_and_files_go_to_the_user(python, folder):
    *modules, downloads, results = run(python, folder, "-c", PLACES)
    assert len(modules) == 8
    assert all(python.parent.parent in Path(module).parents for module in modules)
    for place in (downloads, results):
        assert folder in Path(place).parents
        assert "site-packages" not in place


def test_folders_of_the_same_names_do_not_hide_the_checkout(folder):
    """An editable install, which is what requirements.txt makes."""
    *modules, downloads, results = run(sys.executable, folder, "-c", PLACES)
    assert all(ROOT in Path(module).parents for module in modules)
    assert Path(downloads) == ROOT / "downloads"
    assert ROOT / "results" / "sweeps" in Path(results).parents
