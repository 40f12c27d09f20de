"""The rule of the house: a file imports from above, never from below. The packaging lists what there is."""

import ast
import graphlib
import importlib
import importlib.metadata
import itertools
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDERS = "closed_forms", "matrix_free", "exact", "linear_networks", "adapters", "figures", "experiments", "explorer"
FACELESS = "adapters", "experiments"
# A folder that counts as the top level, the file there that is its face, and the other files there that it rests on.
# Of the files at the top level, the face alone imports it. Folders may, as they may import any file there.
BEHIND, FACE, RESTS_ON = "networks", "architectures", {"checks"}
PACKAGES = *FOLDERS, BEHIND
TOP = sorted(path.stem for path in ROOT.glob("*.py"))
FILES = sorted([*ROOT.glob("*.py"), *(path for folder in PACKAGES for path in (ROOT / folder).rglob("*.py"))])
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(source, at_once=False):
    """Return the names of the modules that a source imports: wherever in it, or only outside of functions."""
    names, tree = set(), ast.parse(source)
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they point"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def first_names(source):
    """Return the folders, top-level files and libraries that a source imports from."""
    return {module.split(".")[0] for module in imported(source)}


def violations(name, source):
    """Return the imports of a module of this name that point against the rule."""
    place = lambda module: FOLDERS.index(module) if module in FOLDERS else -1
    folder, first = name.split(".")[0], first_names(source)
    never = "tests", "benchmarks"
    found = {module for module in first if module in never or place(module) > place(folder)}
    if folder == BEHIND:
        return sorted(found | first & set(TOP) - RESTS_ON)
    return sorted(found if name == FACE or folder in FOLDERS else found | first & {BEHIND})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_import_points_against_the_rule(path):
    assert violations(name_of(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("ranks", "import numpy\nimport checks\nfrom hessians import num_params", []),
        ("ranks", "from matrix_free import sketched_rank", ["matrix_free"]),
        ("exact.network_ranks", "from exact.finite_field import matmul\nimport closed_forms.linear", []),
        ("exact.network_ranks", "def f():\n    import linear_networks.signs", ["linear_networks"]),
        ("figures.tables", "from experiments.cost import Cost\nfrom tests.oracles import P", ["experiments", "tests"]),
        ("closed_forms.linear", "import benchmarks.exact\nimport checks, architectures", ["benchmarks"]),
        ("architectures", "from networks.convolutions import convolutional", []),
        ("architectures", "from networks.convolutions import convolutional\nimport exact", ["exact"]),
        ("initializers", "from networks import drawn", ["networks"]),
        ("blocks", "from architectures import attention", []),
        ("closed_forms.residual", "from networks.residual_branches import branch_widths", []),
        ("networks.convolutions", "import jax\nimport checks\nfrom networks import drawn\nimport networks.drawn", []),
        ("networks.tied", "from architectures import Head\nimport losses", ["architectures", "losses"]),
        ("networks.convolutions", "import closed_forms.linear\nimport tests.problems", ["closed_forms", "tests"]),
    ],
)
def test_the_rule_itself(name, source, found):
    assert violations(name, source) == found


@pytest.mark.parametrize("folder", ["benchmarks", "notebooks"])
def test_readers_meet_the_networks_by_their_face(folder):
    paths = list((ROOT / folder).rglob("*.py"))
    assert len(paths) > 0
    assert [name_of(path) for path in paths if BEHIND in first_names(path.read_text())] == []


def test_nothing_imports_in_a_circle():
    names = {name_of(path): path for path in FILES}
    graph = {name: imported(path.read_text()) & set(names) - {name} for name, path in names.items()}
    for folder in set(FOLDERS) & set(names):  # a module of a folder is loaded with its face, which imports it
        graph[folder] = {name for name in graph[folder] if not name.startswith(f"{folder}.")}
    assert set(graphlib.TopologicalSorter(graph).static_order()) == set(names)
    assert f"{BEHIND}.drawn" in graph[f"{BEHIND}.convolutions"]
    assert f"{BEHIND}.convolutions" in graph[FACE]


def loaded(name):
    """Return all modules, ours and others', that importing a module of ours imports, as far as its source shows.

    Imports inside of functions are left out: `ranks` has PyTorch find the eigenvalues of large matrices only.
    """
    names, seen, found = {name_of(path): path for path in FILES}, set(), [name]
    while found:
        module = found.pop()
        for parent in (module, module.rpartition(".")[0]):
            if parent and parent not in seen:
                seen.add(parent)
                found += imported(names[parent].read_text(), at_once=True) if parent in names else []
    return seen


def test_what_is_not_needed_is_not_loaded():
    """A closed form needs no eigenvalues, a sweep no optimizer, a rank no pictures."""
    assert "checks" in loaded("closed_forms")
    assert {"ranks", "matrix_free", "matplotlib"}.isdisjoint(loaded("closed_forms"))
    assert "optax" in loaded("experiments.training")
    assert "optax" not in loaded("experiments.sweeps")
    assert {"matplotlib", "torch"}.isdisjoint(loaded("linear_networks") | loaded("exact") | loaded("ranks"))


def test_the_top_level_is_what_a_reader_calls_what_that_rests_on_and_the_folders():
    called = ["architectures", "blocks", "data", "dataloader", "hessians", "initializers", "losses", "ranks"]
    rests_on = ["bars", "batching", "checks", "counting", "derivatives", "frozen", "grades", "matvecs", "parts"]
    rests_on += ["premises", "problem", "sums", "twins"]
    assert sorted(called + rests_on) == TOP
    here = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.*"))}
    here = {name for name in here if not name.startswith((".", "_")) and not name.endswith(".egg-info")}
    assert here - {"downloads", "results", "build", "site"} == {"benchmarks", "docs", "notebooks", "tests"} | (
        here & set(PACKAGES)
    )
    assert here >= set(PACKAGES) - {"adapters"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", [path for path in FILES if path.stem not in ("data", "points_file")], ids=name_of)
def test_no_module_prints_or_opens_files_or_configures_jax(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert {"print", "open"}.isdisjoint(call.id for call in calls if isinstance(call, ast.Name))
    attributes = [ast.unparse(call) for call in calls if isinstance(call, ast.Attribute)]
    allowed = {"jax.config.update"} if path.stem in ("cost", "worker") else set()  # in a process of its own
    assert {"jax.config.update", "matplotlib.use", "plt.switch_backend"} & set(attributes) <= allowed


@pytest.mark.parametrize("folder", [f for f in PACKAGES if f not in FACELESS])
def test_a_face_re_exports_and_no_file_has_the_name_of_what_it_exports(folder):
    module = importlib.import_module(FACE if folder == BEHIND else folder)
    nodes = [node for node in ast.parse(Path(module.__file__).read_text()).body if isinstance(node, ast.ImportFrom)]
    assert all(node.module.startswith(f"{folder}.") for node in nodes)
    assert sorted(alias.name for node in nodes for alias in node.names) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
    assert set(module.__all__).isdisjoint(path.stem for path in (ROOT / folder).glob("*.py"))


def test_a_folder_without_a_face_of_its_own_imports_nothing():
    for folder in (*FACELESS, BEHIND):
        if (ROOT / folder).is_dir():
            assert imported((ROOT / folder / "__init__.py").read_text()) == set()


def test_the_packaging_lists_what_there_is():
    tool = PYPROJECT["tool"]["setuptools"]
    assert tool["py-modules"] == TOP
    assert tool["packages"] == sorted(folder for folder in PACKAGES if (ROOT / folder).is_dir())
    assert tool["package-dir"] == {"": "."}


def declared(lines):
    return {re.match(r"[\w-]+", line)[0].lower() for line in lines}


DECLARED = declared(PYPROJECT["project"]["dependencies"])
OPTIONAL = declared(itertools.chain(*PYPROJECT["project"]["optional-dependencies"].values()))


def libraries(paths):
    """Return the distributions of other people's modules that these files import."""
    first = set().union(*(first_names(path.read_text()) for path in paths))
    distributions = importlib.metadata.packages_distributions()
    others = first - set(sys.stdlib_module_names) - set(TOP) - set(PACKAGES)
    return {distributions[library][0].lower() for library in others}


def test_every_library_that_a_module_imports_is_a_dependency():
    assert libraries(FILES) <= DECLARED | OPTIONAL
    # jaxlib is jax's other half, always of the same version
    assert (DECLARED | OPTIONAL) - libraries(FILES) <= {"jaxlib"}


def test_only_adapters_and_the_explorer_import_what_is_optional():
    assert DECLARED.isdisjoint(OPTIONAL)
    may = {ROOT / "adapters", ROOT / "explorer"}
    assert OPTIONAL.isdisjoint(libraries(path for path in FILES if may.isdisjoint(path.parents)))


def test_requirements_pin_every_dependency_with_a_reason():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    pinned = dict(re.match(r"([\w-]+)==([\w.]+) +# \S", line).groups() for line in lines if not line.startswith("-e"))
    project = PYPROJECT["project"]
    for line in itertools.chain(project["dependencies"], *project["optional-dependencies"].values()):
        name, bound = re.fullmatch(r"([\w-]+)(?:>=([\d.]+))?", line).groups()
        assert name in pinned
        if bound:
            assert [*map(int, pinned[name].split("."))] >= [*map(int, bound.split("."))]
