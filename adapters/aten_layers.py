"""Rules for ATen operations that are whole layers: convolution, pooling, normalization, attention.

The rules are as in `aten_numbers`. Samples come first, channels second, then the axes of an image or a signal.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from adapters.aten_numbers import where


def _convolution(like, x, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    count = weight.ndim - 2
    stride, padding, dilation, extra = (_each(v, count) for v in (stride, padding, dilation, output_padding))
    if transposed:
        # The transpose of a convolution is one with the strides as dilation of its input, of the kernel turned round.
        into, each, *size = weight.shape
        weight = weight.reshape(groups, into // groups, each, *size).swapaxes(1, 2)
        weight = jnp.flip(weight.reshape(groups * each, into // groups, *size), range(2, count + 2))
        low = [d * (k - 1) - p for d, k, p in zip(dilation, size, padding, strict=True)]
        pads = [(a, a + e) for a, e in zip(low, extra, strict=True)]
        options = dict(window_strides=[1] * count, padding=pads, lhs_dilation=stride)
    else:
        options = dict(window_strides=stride, padding=[(p, p) for p in padding])
    result = jax.lax.conv_general_dilated(
        jnp.asarray(x), jnp.asarray(weight), rhs_dilation=dilation, feature_group_count=groups, **options
    )
    return result if bias is None else result + bias.reshape(-1, *[1] * count)


def _each(value, count):
    """Return one number for each axis."""
    value = value if isinstance(value, list) else [value]
    return tuple(value * count if len(value) == 1 else value)


# --- pooling


def _windows(x, shape, size, stride, padding, dilation=1):
    """Return what `jax.lax.reduce_window` takes besides: windows over the last axes, as many as `shape` says."""
    count = len(size)
    stride, padding, dilation = _each(stride or list(size), count), _each(padding, count), _each(dilation, count)
    axes = zip(x.shape[-count:], shape[-count:], size, stride, padding, dilation, strict=True)
    # With ceil_mode the last window reaches beyond the padding.
    pads = [(p, max(p, (m - 1) * s + (k - 1) * d + 1 - n - p)) for n, m, k, s, p, d in axes]
    lead = (1,) * (x.ndim - count)
    none = [(0, 0)] * (x.ndim - count)
    cut = tuple(slice(None) for _ in lead) + tuple(slice(m) for m in shape[-count:])
    return cut, dict(
        window_dimensions=(*lead, *size),
        window_strides=(*lead, *stride),
        padding=[*none, *pads],
        window_dilation=(*lead, *dilation),
    )


def _max_pool(count):
    def rule(like, x, size, stride=None, padding=0, dilation=1, ceil_mode=False):
        cut, options = _windows(x, like.shape, _each(size, count), stride, padding, dilation)
        return [jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, **options)[cut], None]

    return rule


def _avg_pool(count):
    def rule(like, x, size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        size, stride = _each(size, count), stride or list(_each(size, count))
        cut, options = _windows(x, like.shape, size, stride, padding)
        total = jax.lax.reduce_window(x, 0.0, jax.lax.add, **options)[cut]
        if divisor_override:
            return total / divisor_override
        edges = _each(padding, count) if count_include_pad else (0,) * count
        steps, pads = _each(stride, count), _each(padding, count)
        axes = zip(x.shape[-count:], like.shape[-count:], size, steps, pads, edges, strict=True)
        entries = [_entries(*axis) for axis in axes]
        return total / functools.reduce(np.multiply.outer, entries)

    return rule


def _entries(n, m, size, stride, padding, edge):
    """Return how many entries of an axis, with an edge that counts, the windows meet."""
    start = np.arange(m) * stride - padding
    return (np.minimum(start + size, n + edge) - np.maximum(start, -edge)).astype(float)


def _adaptive_windows(n, m):
    """Return the first entries of m windows that cover n entries, and the first entries behind them."""
    windows = np.arange(m)
    return windows * n // m, -(-(windows + 1) * n // m)


def _adaptive_avg_pool(count):
    def rule(like, x, size):
        for axis in range(x.ndim - count, x.ndim):
            n, m = x.shape[axis], like.shape[axis]
            start, end = _adaptive_windows(n, m)
            inside = (np.arange(n)[:, None] >= start) & (np.arange(n)[:, None] < end)
            x = jnp.moveaxis(jnp.tensordot(x, inside / (end - start), (axis, 0)), -1, axis)
        return x

    return rule


def _adaptive_max_pool(count):
    def rule(like, x, size):
        for axis in range(x.ndim - count, x.ndim):
            ends = zip(*_adaptive_windows(x.shape[axis], like.shape[axis]), strict=True)
            parts = [jax.lax.slice_in_dim(x, int(start), int(end), axis=axis) for start, end in ends]
            x = jnp.concatenate([part.max(axis, keepdims=True) for part in parts], axis)
        return [x, None]

    return rule


# --- normalization


def _normalized(x, axes, eps):
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    scale = jax.lax.rsqrt(jnp.mean(centred**2, axes, keepdims=True) + eps)
    return centred * scale, mean, scale


def _scaled(x, weight, bias):
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _layer_norm(like, x, shape, weight, bias, eps):
    x, mean, scale = _normalized(x, tuple(range(x.ndim - len(shape), x.ndim)), eps)
    return [_scaled(x, weight, bias), mean, scale]


def _group_norm(like, x, weight, bias, samples, channels, size, groups, eps):
    normal, mean, scale = _normalized(x.reshape(samples, groups, -1), -1, eps)
    each = lambda v: None if v is None else v.reshape(-1, *[1] * (x.ndim - 2))
    return [_scaled(normal.reshape(x.shape), each(weight), each(bias)), mean[..., 0], scale[..., 0]]


def _rms_norm(like, x, shape, weight, eps):
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    scale = jax.lax.rsqrt(jnp.mean(x**2, axes, keepdims=True) + (np.finfo(float).eps if eps is None else eps))
    return [_scaled(x * scale, weight, None), scale]


def _batch_norm(like, x, weight, bias, mean, variance, training, momentum, eps):
    each = lambda v: None if v is None else v.reshape(-1, *[1] * (x.ndim - 2))
    if training:  # of one sample's channels side by side, as instance normalization has them
        normal, _, _ = _normalized(x, (0, *range(2, x.ndim)), eps)
    else:
        normal = (x - each(mean)) * jax.lax.rsqrt(each(variance) + eps)
    return [_scaled(normal, each(weight), each(bias)), None, None]


def _batch_norm_at_rest(like, x, weight, bias, mean, variance, momentum, eps):
    return _batch_norm(like, x, weight, bias, mean, variance, False, momentum, eps)


def _batch_norm_without_state(like, x, weight, bias, training, momentum, eps):
    return _batch_norm(like, x, weight, bias, None, None, training, momentum, eps)


# --- attention


def _attention(like, query, key, value, dropout_p=0.0, is_causal=False, attn_mask=None, scale=None):
    scores = jnp.matmul(query, jnp.swapaxes(key, -1, -2)) * (scale or 1 / math.sqrt(query.shape[-1]))
    if is_causal:
        scores = where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -jnp.inf)
    if attn_mask is not None:
        is_bool = np.dtype(attn_mask.dtype) == bool
        scores = where(attn_mask, scores, -jnp.inf) if is_bool else scores + attn_mask
    return [jnp.matmul(jax.nn.softmax(scores, axis=-1), value), None]


LAYERS = {
    "convolution": _convolution, "max_pool1d_with_indices": _max_pool(1), "max_pool2d_with_indices": _max_pool(2),
    "max_pool3d_with_indices": _max_pool(3), "avg_pool1d": _avg_pool(1), "avg_pool2d": _avg_pool(2),
    "avg_pool3d": _avg_pool(3), "_adaptive_avg_pool2d": _adaptive_avg_pool(2),
    "_adaptive_avg_pool3d": _adaptive_avg_pool(3), "adaptive_max_pool2d": _adaptive_max_pool(2),
    "adaptive_max_pool3d": _adaptive_max_pool(3), "native_layer_norm": _layer_norm, "native_group_norm": _group_norm,
    "_fused_rms_norm": _rms_norm, "native_batch_norm": _batch_norm, "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit.no_stats": _batch_norm_without_state,
    "_native_batch_norm_legit_no_training": _batch_norm_at_rest,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
}  # fmt: skip
