"""Rules for ATen operations that move numbers: shapes, slices, indices. They are as in `aten_numbers`."""

import jax
import jax.numpy as jnp
import numpy as np

from adapters.aten_numbers import where


def _reshape(like, x, *_, **__):
    return jnp.reshape(jnp.asarray(x, like.dtype), like.shape)


def _same(like, x, *_, **__):
    return jnp.asarray(x, like.dtype)


def _full_like(like, x, value=None, **_):
    return jnp.full(like.shape, value, like.dtype)


def _expand(like, x, *_, **__):
    return jnp.broadcast_to(x, like.shape)


def _transpose(like, x, first=0, second=1):
    return jnp.swapaxes(x, first, second) if x.ndim > 1 else x


def _select(like, x, dim, index):
    return jax.lax.index_in_dim(x, index % x.shape[dim], dim % x.ndim, keepdims=False)


def _slice(like, x, dim=0, start=None, end=None, step=1):
    return x[_along(x, dim, slice(start, end, step))]


def _along(x, dim, index):
    """Return the index that takes `index` along one axis and all of the others."""
    return tuple(index if axis == dim % x.ndim else slice(None) for axis in range(x.ndim))


def _split(like, x, size, dim=0):
    length = x.shape[dim]
    sizes = size if isinstance(size, list) else [min(size, length - first) for first in range(0, length, size)]
    ends = np.cumsum(sizes)
    return [_slice(None, x, dim, int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]


def _unbind(like, x, dim=0):
    return [_select(None, x, dim, index) for index in range(x.shape[dim])]


def _cat(like, tensors, dim=0):
    filled = [jnp.asarray(x, like.dtype) for x in tensors if x.shape != (0,)]
    return jnp.concatenate(filled, axis=dim)


def _stack(like, tensors, dim=0):
    return jnp.stack([jnp.asarray(x, like.dtype) for x in tensors], axis=dim)


def _flip(like, x, dims):
    return jnp.flip(x, dims)


def _roll(like, x, shifts, dims=()):
    if not dims:
        return jnp.roll(x.ravel(), shifts[0]).reshape(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        x = jnp.roll(x, shift, dim)
    return x


def _pad(like, x, pad, value=0):
    low, high = pad[0::2][::-1], pad[1::2][::-1]  # PyTorch begins with the last axis
    skipped = x.ndim - len(low)
    config = [(0, 0, 0)] * skipped + [(a, b, 0) for a, b in zip(low, high, strict=True)]
    return jax.lax.pad(x, jnp.asarray(value, x.dtype), config)


def _triangle(function):
    def rule(like, x, diagonal=0):
        return where(function(np.ones(x.shape[-2:], bool), diagonal), x, jnp.zeros((), x.dtype))

    return rule


def _unfold(like, x, dim, size, step):
    starts = np.arange(0, x.shape[dim] - size + 1, step)
    windows = jnp.take(x, starts[:, None] + np.arange(size), axis=dim)
    return jnp.moveaxis(windows, dim % x.ndim + 1, -1)


def _indices(indices):
    """Return the index of an array. Masks are known by now: what is tracked has another rule."""
    found = []
    for index in indices:
        if index is None:
            found.append(slice(None))
        elif np.dtype(index.dtype) == bool:
            if isinstance(index, jax.Array):
                raise NotImplementedError(
                    "x[mask] has a length that depends on numbers, and no translation into JAX: use torch.where"
                )
            found += np.nonzero(index)
        else:
            found.append(index)
    return tuple(found)


def _index(like, x, indices):
    return jnp.asarray(x)[_indices(indices)]


def _index_put(like, x, indices, values, accumulate=False):
    x, values = jnp.asarray(x, like.dtype), jnp.asarray(values, like.dtype)
    if len(indices) == 1 and np.dtype(indices[0].dtype) == bool and values.size == 1:
        mask = indices[0].reshape(indices[0].shape + (1,) * (x.ndim - indices[0].ndim))
        return where(mask, (x if accumulate else 0) + values.reshape(()), x)
    place = x.at[_indices(indices)]
    return place.add(values) if accumulate else place.set(values)


def _index_select(like, x, dim, index):
    return jnp.take(x, index, axis=dim) if x.ndim else x


def _embedding(like, weight, indices, *_):
    return jnp.take(weight, indices, axis=0)


def _within(x, index, dim):
    """Return the index of what PyTorch's gather and scatter reach: along the other axes as far as `index` goes."""
    grid = list(np.indices(index.shape, sparse=True))
    grid[dim % x.ndim] = jnp.where(index < 0, index + x.shape[dim], index)
    return tuple(grid)


def _gather(like, x, dim, index, **_):
    return jnp.asarray(x)[_within(x, index, dim)] if x.ndim else x


def _scatter(add):
    def rule(like, x, dim, index, source, **_):
        x = jnp.asarray(x, like.dtype)
        source = jnp.broadcast_to(jnp.asarray(source, like.dtype), source.shape if np.ndim(source) else index.shape)
        source = source[tuple(slice(size) for size in index.shape)]
        place = x.at[_within(x, index, dim)]
        return place.add(source) if add else place.set(source)

    return rule


def _index_add(like, x, dim, index, source, alpha=1):
    return jnp.asarray(x).at[_along(x, dim, index)].add(source if alpha == 1 else alpha * source)


def _sort(like, x, dim=-1, descending=False, **options):
    if isinstance(dim, bool) or "stable" in options:
        dim, descending = options.get("dim", -1), options.get("descending", False)
    index = jnp.argsort(x, axis=dim, descending=descending)
    return [jnp.take_along_axis(x, index, axis=dim), index]


def _topk(like, x, k, dim=-1, largest=True, sorted=True):
    return [_slice(like, each, dim, 0, k) for each in _sort(like, x, dim, largest)]


def _slice_scatter(like, x, source, dim=0, start=None, end=None, step=1):
    x = jnp.asarray(x, like.dtype)
    return x.at[_along(x, dim, slice(start, end, step))].set(jnp.asarray(source, like.dtype))


def _select_scatter(like, x, source, dim, index):
    x = jnp.asarray(x, like.dtype)
    return x.at[_along(x, dim, index)].set(jnp.asarray(source, like.dtype))


def _copy(like, x, source, *_):
    return jnp.broadcast_to(jnp.asarray(source, like.dtype), like.shape)


_VIEWS = (
    "view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze", "unsqueeze", "flatten", "unflatten", "view_copy",
    "squeeze_copy", "unsqueeze_copy", "_reshape_copy",
)  # fmt: skip
_SAME = (
    "alias", "clone", "contiguous", "detach", "_to_copy", "lift_fresh", "lift_fresh_copy", "positive", "alias_copy",
    "convert_element_type", "prims::convert_element_type", "_conj", "resolve_conj", "detach_copy",
)  # fmt: skip
MOVES = {
    **dict.fromkeys(_VIEWS, _reshape), **dict.fromkeys(_SAME, _same), "expand": _expand, "expand_copy": _expand,
    "permute": lambda like, x, dims: jnp.transpose(x, dims), "t": _transpose, "transpose.int": _transpose,
    "select.int": _select, "slice.Tensor": _slice, "split.Tensor": _split, "split_with_sizes": _split,
    "unbind.int": _unbind, "cat": _cat, "stack": _stack, "flip": _flip, "roll": _roll, "constant_pad_nd": _pad,
    "repeat": lambda like, x, times: jnp.tile(x, times), "tril": _triangle(np.tril), "triu": _triangle(np.triu),
    "diagonal": lambda like, x, offset=0, dim1=0, dim2=1: jnp.diagonal(x, offset, dim1, dim2), "unfold": _unfold,
    "index.Tensor": _index, "_unsafe_index.Tensor": _index, "index_put": _index_put, "_unsafe_index_put": _index_put,
    "index_select": _index_select, "embedding": _embedding, "gather": _gather, "scatter.src": _scatter(False),
    "scatter.value": _scatter(False), "scatter_add": _scatter(True), "index_add": _index_add,
    "slice_scatter": _slice_scatter, "select_scatter": _select_scatter, "copy": _copy, "sort": _sort, "topk": _topk,
    "full_like": _full_like, "zeros_like": lambda like, x, **_: jnp.zeros(like.shape, like.dtype),
    "ones_like": lambda like, x, **_: jnp.ones(like.shape, like.dtype),
    "new_zeros": lambda like, x, *_, **__: jnp.zeros(like.shape, like.dtype),
    "new_ones": lambda like, x, *_, **__: jnp.ones(like.shape, like.dtype),
    "new_full": lambda like, x, size, value, **_: jnp.full(like.shape, value, like.dtype),
    "empty_like": lambda like, x, **_: jnp.zeros(like.shape, like.dtype),
    "new_empty": lambda like, x, *_, **__: jnp.zeros(like.shape, like.dtype),
}  # fmt: skip
