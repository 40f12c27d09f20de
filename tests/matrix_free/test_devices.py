"""The work shared out among devices, and among processes: the same ranks as on one device.

JAX has as many devices as it is told before it starts, hence processes of their own.
"""

import ast
import os
import socket
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import jax

jax.config.update("jax_enable_x64", True)
process, port, processes = map(int, sys.argv[1:])
if processes > 1:
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=processes, process_id=process)

import numpy as np
from architectures import fully_connected
from closed_forms import linear_ranks
from initializers import get_init
from losses import get_loss
from matrix_free import sketched_rank, sketched_ranks

mesh = jax.make_mesh((jax.device_count(),), ("probes",))
init_fn, apply_fn = fully_connected([10, 12], 5, "linear", get_init("glorot"))
_, params = init_fn(jax.random.PRNGKey(0), (-1, 20))
rng = np.random.default_rng(0)
batches = [(rng.normal(size=(30, 20)), rng.normal(size=(30, 5)))]
shares = set()


def watched(V):  # a matrix with eigenvalues from 1 to 1e-11, so that the orthonormal basis is needed too
    rows = V.sharding.devices_indices_map(V.shape)
    shares.update((device.id, *index[0].indices(len(V))[:2]) for device, index in rows.items())
    return multiply(V)


multiply = jax.jit(lambda V: V * values)
values = np.concatenate([np.geomspace(1, 1e-11, 200), np.zeros(200)])
for shared in (mesh, None):
    found = sketched_ranks(get_loss("mse"), apply_fn, params, batches, linear_ranks(20, 5, [10, 12]), mesh=shared)
    print([rank.rank for rank in found], [len(rank.spectrum) for rank in found], flush=True)
print(sketched_rank(watched, 400, 185, jax.random.key(1), mesh).rank, sorted(shares))
"""


def run(processes, devices, tmp_path):
    """Return what each process printed, line by line."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(process), str(port), str(processes)],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]
    finished = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * processes, finished[0][1]
    return [out.splitlines()[-3:] for out, _ in finished]  # Gloo, which connects the processes, prints before


@pytest.mark.parametrize(("processes", "devices"), [(1, 4), (2, 1), (2, 2)])
def test_the_same_ranks_as_on_one_device(processes, devices, tmp_path):
    total = processes * devices
    for sharded, alone, watched in run(processes, devices, tmp_path):
        assert sharded == alone == "[195, 100, 270] [224, 120, 307]"
        rank, shares = watched.split(" ", 1)
        assert rank == "200"
        rows = 64 // total
        expected = [(i * rows, (i + 1) * rows) for i in range(total)]
        assert [share[1:] for share in ast.literal_eval(shares)] == expected  # every device its own rows
