"""The closed forms of a choice, with its numbers substituted. They need no network, so they follow a slider at once.

The values of the formulas shown here and the ranks of `closed_forms` come from different code, and tests compare them.
"""

from typing import NamedTuple

import closed_forms
from closed_forms.convolutional import dominates, layer_terms, layers_of
from closed_forms.kernel_chains import chain, parameters, part
from closed_forms.known import as_known
from closed_forms.one_hidden_layer import CURVED, KINKED
from explorer.choices import input_shape, nearest, positions
from explorer.choices import parameters as count
from explorer.expressions import evaluate
from hessians import SYMBOLS, HessianTriple


class Forms(NamedTuple):
    """The closed forms of a choice."""

    known: closed_forms.KnownRanks
    ranks: HessianTriple  # of Formula, how each of them comes about
    definitions: list  # of Formula, of the symbols in them
    values: dict  # {symbol: int}, of all symbols
    of_network: bool  # whether they are for this network, and not for the linear one of the same shape
    remark: str  # one sentence about what they say of this network


def forms(choice):
    """Return the Forms of a choice.

    Args:
        choice: Choice. It is fitted into the limits first.

    Example:
        >>> from explorer import Choice, forms
        >>> found = forms(Choice())
        >>> [formula.value for formula in found.ranks], found.known.ranks.loss
        ([175, 150, 250], 250)
    """
    choice = nearest(choice)
    known, of_network = _known(choice)
    definitions, expressions, values = _MAKERS[choice.kind](choice)
    loses_one = [("K", f"{choice.outputs} - 1")] if choice.loss == "cross" else []
    values = {"r": choice.data_rank, "n": choice.samples, "K": choice.outputs, "p": count(choice)} | values
    definitions = evaluate([*loses_one, *definitions], values)
    ranks = HessianTriple(*evaluate(zip(SYMBOLS, expressions, strict=True), values))
    return Forms(known, ranks, definitions, values, of_network, _remark(choice, known, of_network))


def _known(choice):
    """Return the KnownRanks of a fitted choice, and whether they are for its network or for the linear one."""
    c = choice
    linear = c.activation == "linear"
    if c.kind == "attention":
        options = dict(classes=c.outputs, heads=c.heads, softmax=not linear, loss_name=c.loss)
        return closed_forms.attention_ranks(c.data_rank, *c.widths, c.tokens, c.samples, **options), True
    if c.kind == "residual":
        return closed_forms.residual_ranks(c.data_rank, c.outputs, c.widths, c.block_width, c.loss), linear
    if c.kind == "convolutional":
        kernels, options = [c.kernel] * len(c.widths), dict(r=c.data_rank, loss_name=c.loss)
        return closed_forms.convolutional_ranks(input_shape(c), c.widths, kernels, c.outputs, **options), linear
    if _one_curved_layer(c):
        # Which inputs a unit of relu is active on depends on the weights. All of them give a bound.
        active = [c.data_rank + c.bias] * c.widths[0] if c.activation == "relu" else None
        options = dict(active=active, bias=c.bias, loss_name=c.loss)
        sizes = c.data_rank, c.outputs, c.widths[0], c.activation, c.samples
        found = closed_forms.one_hidden_layer_ranks(*sizes, **options)
        return found._replace(equal=HessianTriple(False, False, False)) if active else found, True
    ranks = closed_forms.biased_ranks if c.bias else closed_forms.linear_ranks
    return as_known(ranks(c.data_rank, c.outputs, c.widths, c.loss)), linear


def _one_curved_layer(choice):
    return len(choice.widths) == 1 and choice.activation in (*CURVED, *KINKED)


def _remark(choice, known, of_network):
    if not of_network:
        return (
            f"No closed form is known for this network with {choice.activation}. These are the ranks of the linear "
            "network of the same shape, for comparison."
        )
    if all(known.equal):
        return "All three are equalities, for weights, data and targets in general position."
    if not any(known.equal):
        return "All three are upper bounds."
    equal = [name for name, is_equal in zip(SYMBOLS, known.equal, strict=True) if is_equal]
    bounds = [name for name in SYMBOLS if name not in equal]
    exact, above = " and ".join(equal), " and ".join(bounds)
    if len(equal) > 1:
        return f"In general position the formulas for {exact} are equalities, and that for {above} is an upper bound."
    return f"In general position the formula for {exact} is an equality. Those for {above} are upper bounds."


def _fully_connected(choice):
    """Return the definitions, the three expressions, and the values of the symbols that are known before."""
    widths = {f"m_{i}": width for i, width in enumerate(choice.widths, start=1)}
    if _one_curved_layer(choice):
        return _one_hidden_layer(choice)
    names, layers = ", ".join(widths), len(widths) + 1
    common = [("L", str(layers)), ("M", " + ".join(widths)), ("q", f"min(r, K, {names})")]
    outer = "q * (r + K - q)"
    if not choice.bias:
        expressions = ("2*q*M + 2*q*s - L * q**2", outer, f"2*q*M - L * q**2 + {outer.replace(' - q', '')}")
        return [*common, ("s", "min(r, K)")], expressions, widths
    K = closed_forms.effective_outputs(choice.outputs, choice.loss)
    h = min(min(choice.data_rank + 1, K) - 1, *choice.widths)
    last = max((j for j, width in enumerate(choice.widths) if width == h), default=0)
    before = " + ".join(f"(m_{i} - h)" for i in range(1, last + 1))
    lost = f"2 * ({before})" if before else "0"
    more = [("w", "min(r + 1, K)"), ("h", f"min(w - 1, {names})"), ("c", lost)]
    expressions = (
        "2 * (1 + h) * M + 2 * h * w - L * h * (h + 1) - c",
        f"K + {outer}",
        f"K + {outer} + 2 * (1 + h) * M - (L - 1) * h * (h + 1) - c",
    )
    return [*common, *more], expressions, widths


def _one_hidden_layer(choice):
    rows, more = ("R", " + K") if choice.bias else ("r", "")
    definitions = [("R", "r + 1")] if choice.bias else []
    if choice.activation in CURVED:
        functional, size = f"m * ({rows} + min({rows}, K))", f"m * ({rows} + K)"
        expressions = functional, f"min({size}{more}, n * K)", f"{size}{more}"
    else:
        expressions = (
            f"2 * m * min({rows}, K)",
            f"min(m * ({rows} + K - 1){more}, n * K)",
            f"m * ({rows} + K){more}",
        )
    return definitions, expressions, {"m": choice.widths[0]}


def _residual(choice):
    branches = {f"h_{i}": width for i, width in enumerate(choice.widths, start=1)}
    least = " + ".join(f"min({name}, q)" for name in branches)
    total = f"2 * (q * ({' + '.join(branches)}) + (m - q) * ({least}))"
    definitions = [("q", "min(r, K, m)"), ("s", "min(r, K)"), ("S", total)]
    expressions = ("2*q*m + 2*q*s - 2 * q**2 + S", "q * (r + K - q)", "2*q*m - 2 * q**2 + q * (r + K) + S")
    return definitions, expressions, {"m": choice.block_width, **branches}


def _attention(choice):
    k, v = choice.widths
    many, linear = choice.heads > 1, choice.activation == "linear"
    definitions = [("kappa", "min(d_k, r)"), ("q", "min(d_v, r, K)"), ("s", "min(r, K)")]
    definitions += [("dim_QK", "kappa * (2*r - kappa)"), ("dim_VO", "q * (r + K - q)")]
    seen = "2 * d_k * r + 2 * d_v * s"
    functional = f"{seen} + min(q * abs(r - K), dim_QK{' - 1' if linear else ''})"
    loss = f"{seen} + q * abs(r - K)"
    if many:
        functional, loss = f"h * ({functional})", f"h * ({loss})"
    K = closed_forms.effective_outputs(choice.outputs, choice.loss)
    if not linear:
        outer = "h * (dim_QK + dim_VO)" if many else "dim_QK + dim_VO"
    elif not many:
        outer = "dim_QK + dim_VO - 1"
    elif k >= choice.data_rank and v >= min(choice.data_rank, K):
        definitions.append(("g", "min(h, dim_QK, dim_VO)"))
        outer = "g * (dim_QK + dim_VO - g)"
    else:
        outer = "h * (dim_QK + dim_VO - 1)"
    outer = [outer, "n * t * K", *(["K * r**2 * (r + 1) // 2"] if linear else [])]
    values = {"d_k": k, "d_v": v, "h": choice.heads, "t": choice.tokens}
    return definitions, (functional, outer, loss), values


def _convolutional(choice):
    """Return the smallest of the bounds of each rank. Where they are equalities, it is the formula that says so."""
    depth = len(choice.widths)
    kernels = [choice.kernel] * depth
    layers, units = layers_of(input_shape(choice), choice.widths, kernels, choice.outputs, "VALID", choice.loss)
    sizes, r, full = parameters(layers), choice.data_rank, units[0]
    seen = min(sum(sizes[:-1]), chain(part(layers, 0, depth)))
    values = {"k": choice.kernel, "C": chain(layers, r), "t_L": seen, "d_L": positions(choice)}
    values |= {f"c_{i}": width for i, width in enumerate([choice.inputs, *choice.widths])}
    values |= {f"u_{i}": units[i] for i in range(1, depth + 1)}
    values |= {"p_L": sizes[-1], "p_conv": sum(sizes[:-1]), "p_max": max(sizes), "P": sum(sizes)}
    inside = ", ".join(f"u_{i}" for i in range(1, depth + 1))
    definitions = [("q", f"min(r, K, {inside})"), ("s", "min(r, K)")]
    outer = ["C", "q * (r + K - q)", "P"]
    functional = ["p_conv + min(t_L, p_L)", "2 * (P - p_max)", "P"]
    loss = [f"p_conv + min(p_L, t_L + K * min(r, {inside}))", "P"]
    if depth == 1:
        functional = ["2 * c_1 * min(c_0 * k, s * d_L)"]
    if dominates(layers, min(r, units[-1])):
        _, rho = layer_terms(layers, r, full)
        values |= {f"rho_{i}": rank for i, rank in enumerate(rho, start=1)}
        names = [f"rho_{i}" for i in range(1, len(rho) + 1)]
        functional = [" + ".join(["t_L", *names[:-1]]), *functional]
        loss = [" + ".join(names), *loss]
    return definitions, (functional, outer, [*loss, "H_f + H_o"]), values


_MAKERS = {
    "fully connected": _fully_connected,
    "residual": _residual,
    "attention": _attention,
    "convolutional": _convolutional,
}
