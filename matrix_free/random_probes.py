"""Random orthonormal probes: columns of the transform behind a fast Fourier transform, with random signs.

    Psi_{tj} = z_t cas(2 pi nu_j t / p) / sqrt(p),    cas(x) = cos(x) + sin(x),    t = 0 .. p - 1

Here the signs z_t are random and independent, and the frequencies nu_j stand in random order. (The literature calls
this a subsampled randomized Hartley transform.) All p columns are an orthonormal basis of R^p. The first N of them are
probes as good as Gaussian ones, or slightly better (`benchmarks/matrix_free/probes_compared.py`). They are cheaper,
too: each column is a formula, so that Psi is never stored. Psi^T y is a fast Fourier transform of p log p operations,
where Gaussian probes take p N.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


class Probes(NamedTuple):
    """What the columns of Psi are computed from."""

    signs: np.ndarray  # z, (p,), -1.0 or 1.0
    frequencies: np.ndarray  # nu, (p,), a permutation of 0 .. p - 1
    table: np.ndarray  # cas(2 pi k / p) / sqrt(p) for k = 0 .. p - 1


def probes(p, key):
    """Return the p probes that belong to a `jax.random` key."""
    # NumPy's generator, seeded by the key's bits: JAX's would take a second to compile. It leaves the probes on the
    # host, from where they can join vectors on any device.
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    # The table is made here: within `columns` XLA would compute a cosine and a sine for every entry of every column.
    angles = 2 * np.pi / p * np.arange(p)
    table = (np.cos(angles) + np.sin(angles)) / p**0.5
    return Probes(generator.choice([-1.0, 1.0], size=p), generator.permutation(p), table)


@jax.jit
def columns(psi, indices):
    """Return the columns of Psi with these indices (b,) as the rows of an array (b, p), sharded as they are."""
    p = psi.signs.size
    # The product nu t is reduced modulo p in integers: as a float the angle would lose the digits that nu t / p adds.
    return psi.signs * psi.table[psi.frequencies[indices][:, None] * jnp.arange(p) % p]


@functools.partial(jax.jit, static_argnums=(2, 3))
def project(psi, vectors, count, mesh=None):
    """Return Psi^T y for the first `count` columns and every row y of `vectors` (b, p), as an array (b, count).

    With a mesh over which the rows are sharded, every device transforms its own and receives the others' results.
    """
    p = psi.signs.size
    frequencies = psi.frequencies[:count]

    def transform(rows):
        transformed = jnp.fft.rfft(psi.signs * rows)
        # A real vector's transform at p - k is the complex conjugate of that at k.
        values = transformed[:, jnp.minimum(frequencies, p - frequencies)]
        return (values.real - jnp.where(2 * frequencies <= p, 1.0, -1.0) * values.imag) / p**0.5

    if mesh is None:
        return transform(vectors)
    by_rows = rows_over(mesh)
    rows = jax.shard_map(transform, mesh=by_rows.mesh, in_specs=by_rows.spec, out_specs=by_rows.spec)(vectors)
    return jax.lax.with_sharding_constraint(rows, NamedSharding(by_rows.mesh, PartitionSpec()))


def rows_over(mesh):
    """Return the sharding that shares out the rows of an array among all devices of a `jax.sharding.Mesh`."""
    # The axes are automatic, whatever those of the mesh: a user's product need not say how its arrays are sharded.
    return NamedSharding(Mesh(mesh.devices, mesh.axis_names), PartitionSpec(mesh.axis_names))
