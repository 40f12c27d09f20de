"""One strict environment for all tests: float64, no silent promotion of dtypes, figures without a screen."""

import http.server
import os
import shutil
import tempfile
import threading
from pathlib import Path

import jax
import matplotlib
import pytest
import torchvision

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
# Most programs run once here, and compiling them is what the tests cost. The results do not depend on it.
jax.config.update("jax_disable_most_optimizations", True)
# Of the two ways in which XLA writes code for a CPU, the older one compiles these small programs in half the time.
# XLA refuses flags that it does not know, and another version may not know these.
if jax.__version__ == "0.10.2":
    _QUICK = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{_QUICK} {os.environ.get('XLA_FLAGS', '')}"  # which other processes inherit
matplotlib.use("Agg")

ROOT = Path(__file__).resolve().parent.parent
IMAGE_SETS = ["MNIST", "FashionMNIST", "CIFAR10"]


def pytest_configure(config):
    """Let all processes of a run share what they compile: workers, notebooks, sweeps that are killed and resumed."""
    if not hasattr(config, "workerinput") and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        config.compiled = tempfile.mkdtemp(prefix="compiled-")
        os.environ["JAX_COMPILATION_CACHE_DIR"] = config.compiled  # which the workers inherit
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # for kernels and other processes of the tests
        # For the kernels of notebooks what pyproject.toml says for the tests.
        os.environ["PYTHONWARNINGS"] = ",".join(
            f"ignore:Error {verb} persistent compilation cache entry:UserWarning" for verb in ("reading", "writing")
        )


def pytest_collection_modifyitems(items):
    """Begin with the tests that start other processes: a minute of one of them at the end would find no company."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/test_readme", "tests/notebooks")))


def pytest_unconfigure(config):
    if hasattr(config, "compiled"):
        shutil.rmtree(config.compiled, ignore_errors=True)


@pytest.fixture
def image_sets(monkeypatch):
    """Let `get_dataset` read real images: downloaded ones, or the extract in ../shared; skip where neither is there."""
    candidates = [os.environ.get("HESSIAN_DATA"), ROOT / "downloads", ROOT.parent / "shared" / "data" / "torchvision"]
    folders = [Path(folder) for folder in candidates if folder]
    inside = "MNIST/raw", "FashionMNIST/raw", "cifar-10-batches-py"
    complete = [folder for folder in folders if all((folder / part).is_dir() for part in inside)]
    if not complete:
        pytest.skip(f"no MNIST, FashionMNIST and CIFAR10 in any of {[str(folder) for folder in folders]}")
    monkeypatch.setenv("HESSIAN_DATA", str(complete[0]))
    # The extract holds the first images of CIFAR-10's files, so that their MD5 sums are not those of the whole files.
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda *_: True)
    return complete[0]


@pytest.fixture
def server(monkeypatch):
    """Let torchvision download from a server on this machine that answers everything with the same wrong bytes."""

    class Wrong(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(b"not what was asked for")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Wrong) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        download_from(monkeypatch, f"http://127.0.0.1:{listening.server_port}/")
        yield
        listening.shutdown()


@pytest.fixture
def offline(monkeypatch):
    """Let every download of torchvision be refused, as without a network: nothing listens on that port."""
    download_from(monkeypatch, "http://127.0.0.1:1/")


def download_from(monkeypatch, url):
    for name in ("MNIST", "FashionMNIST"):
        monkeypatch.setattr(getattr(torchvision.datasets, name), "mirrors", [url])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", url + "cifar-10-python.tar.gz")
