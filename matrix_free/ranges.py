"""The directions that a Hessian sees. With few samples they are far fewer than there are parameters.

Let a layer have inputs X (n, a), weights W (a, b) and outputs X W, and let G (n, b) be the derivatives of the loss by
its outputs. A change D of W moves the outputs by X D, and what is passed back by G D^T. A product with the Hessian
depends on D by these two alone. So it is zero where both are zero, and by symmetry it has the form X^T B + A^T G.

Let Q (a, a) and P (b, b) be orthogonal. Let the first r columns of Q span the rows of X, and the first s of P those of
G, where r and s are at most n. Then the Hessian sees no more of D than

    C = (Q^T D)[:r]  (r, b)    and    E = (Q^T D)[r:] P[:, :s]  (a - r, s)

These are r b + (a - r) s coordinates instead of a b. In them the Hessian is a smaller symmetric matrix, with the same
eigenvalues but for zeros. Its products need two large products of matrices for a layer instead of six: those with W.

X and G are found in the program of a product, so that any network will do. Weights that a network uses in another way
keep their own coordinates. Q and P are those of `reflections`.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from matrix_free.factors import Piece, factor_of, joining_equation, outputs_of, parted, sides_of
from matrix_free.layouts import Gradient, as_array, evaluated, program, read, summed
from matrix_free.reflections import turn_of

_WORTHWHILE = 0.6  # share of the coordinates that may remain: beyond, turning them costs as much as it saves


class Reduction(NamedTuple):
    """A symmetric matrix H (p, p) in the coordinates that it sees. Its other p - size eigenvalues are zero."""

    product: Partial  # c (size,) -> its product with the smaller matrix
    seen: Partial  # v (p,) -> its coordinates c (size,)
    whole: Partial  # c (size,) -> the v (p,) that has these coordinates, and is zero in all directions not seen
    p: int
    size: int


class _Layer(NamedTuple):
    """A matrix of weights (a, b) among the parameters, and the ranks r and s."""

    begin: int  # place of its first entry in the vector of parameters
    a: int
    b: int
    r: int
    s: int

    @property
    def key(self):
        return self.begin, (self.a, self.b)

    @property
    def size(self):
        return self.r * self.b + (self.a - self.r) * self.s

    @property
    def worthwhile(self):
        return self.size <= _WORTHWHILE * self.a * self.b


def reduced(products, p, scale=1.0):
    """Return the Reduction of scale times the sum of some symmetric matrices, or None if it would save too little.

    Args:
        products: functions v (p,) -> H v that can be traced, such as those of `matvecs`, one for each batch.
        p: number of rows of H.
        scale: number.
    """
    programs = [program(product, p) for product in products]
    sides = [sides_of(closed.jaxpr, closed.consts, p) for closed in programs]
    common = sorted(set.intersection(*map(set, sides)))
    layers = tuple(layer for layer in (_layer(key, sides) for key in common) if layer.worthwhile)
    size = p - sum(layer.a * layer.b - layer.size for layer in layers)
    if size > _WORTHWHILE * p:
        return None
    turns = [_turns(layer, sides) for layer in layers]
    parts = [_part(closed, layers, turns, found) for closed, found in zip(programs, sides, strict=True)]
    turns = jax.tree.map(jnp.asarray, turns)  # NumPy until now, since that compiles nothing
    return Reduction(
        Partial(sum_of, [Partial(*part, turns) for part in parts], scale),
        Partial(functools.partial(_seen, layers), turns),
        Partial(functools.partial(_whole, layers, p), turns),
        p,
        size,
    )


@jax.jit
def of_rows(function, vectors):
    """Return what one of the functions of a Reduction makes of every row, one after the other."""
    return jax.lax.map(function, vectors)


def with_rest(reduction):
    """Return the product with the smaller matrix for vectors of one more entry, which are all of v (p,) that counts.

    The last entry is the length of what H does not see of v. Its product is zero.
    """
    return Partial(_with_rest, reduction.product)


def coordinates_with_rest(reduction, vectors):
    """Return the vectors (b, size + 1) that `with_rest` multiplies, of the same lengths as the rows v of `vectors`."""
    seen = np.asarray(of_rows(reduction.seen, vectors))
    rest = (vectors**2).sum(1) - (seen**2).sum(1)
    return np.column_stack([seen, np.sqrt(np.maximum(rest, 0.0))])


def _with_rest(product, c):
    return jnp.append(product(c[:-1]), 0.0)


def _layer(key, sides):
    """Return the _Layer of some weights, from the Sides of every batch."""
    begin, shape = key
    ranks = (min(sum(map(len, _matrices(key, sides, side))), shape[side]) for side in (0, 1))
    return _Layer(begin, *shape, *ranks)


def _matrices(key, sides, side):
    """Return the matrices of all batches, with which some weights are multiplied on one side."""
    return [matrix for found in sides for matrix in found[key][side].values()]


def _turns(layer, sides):
    """Return Q and P of a layer."""
    return tuple(turn_of(_matrices(layer.key, sides, side), layer.key[1][side]) for side in (0, 1))


# --- the same program in the coordinates that are seen


def _part(closed, layers, turns, found):
    """Return the function that makes a batch's product in the coordinates that are seen, and its first arguments."""
    names = [[list(side) for side in found[layer.key]] for layer in layers]
    known = [
        [
            [jnp.asarray(turn.times(matrix)[:, :rank]) for matrix in side.values()]
            for turn, side, rank in zip(pair, found[layer.key], (layer.r, layer.s), strict=True)
        ]
        for layer, pair in zip(layers, turns, strict=True)
    ]
    return functools.partial(_product, closed.jaxpr, layers, names), closed.consts, known


class _Stretch(NamedTuple):
    """A part of the vector of parameters v and of the coordinates c: a layer, or parameters that are their own."""

    layer: int | None
    begin: int  # in v
    size: int
    place: int  # in c


def _stretches(layers, p):
    """Return the _Stretches that make up all p parameters."""
    found, begin, place = [], 0, 0
    for i, layer in enumerate(layers):
        found += [_Stretch(None, begin, layer.begin - begin, place)]
        place += layer.begin - begin
        found += [_Stretch(i, layer.begin, layer.a * layer.b, place)]
        begin, place = layer.begin + layer.a * layer.b, place + layer.size
    return [stretch for stretch in [*found, _Stretch(None, begin, p - begin, place)] if stretch.size]


def _unpacked(layer, c, place):
    """Return C (r, b) and E (a - r, s) of a layer."""
    middle = place + layer.r * layer.b
    return (
        c[place:middle].reshape(layer.r, layer.b),
        c[middle : place + layer.size].reshape(layer.a - layer.r, layer.s),
    )


def _of_matrix(layer, turns, D):
    """Return C and E of a change D (a, b) of a layer's weights, flat."""
    turned = turns[0].times(D.T).T
    return jnp.concatenate([turned[: layer.r].ravel(), turns[1].times(turned[layer.r :])[:, : layer.s].ravel()])


def _seen(layers, turns, v):
    parts = []
    for stretch in _stretches(layers, len(v)):
        part, i = v[stretch.begin : stretch.begin + stretch.size], stretch.layer
        parts.append(part if i is None else _of_matrix(layers[i], turns[i], part.reshape(layers[i].a, layers[i].b)))
    return jnp.concatenate(parts)


def _whole(layers, p, turns, c):
    parts = []
    for i, _, size, place in _stretches(layers, p):
        if i is None:
            parts.append(c[place : place + size])
        else:
            C, E = _unpacked(layers[i], c, place)
            below = turns[i][1].back(jnp.pad(E, [(0, 0), (0, layers[i].b - layers[i].s)]))
            parts.append(turns[i][0].back(jnp.concatenate([C, below]).T).T.ravel())
    return jnp.concatenate(parts)


def sum_of(products, scale, v):
    """Return scale times the sum of the products of v, one for each batch."""
    return scale * functools.reduce(jnp.add, (product(v) for product in products))


def _product(jaxpr, layers, names, consts, known, turns, c):
    """Return the product of c with the smaller matrix, for one batch."""
    p, joining = jaxpr.invars[0].aval.shape[0], joining_equation(jaxpr)
    stretches = _stretches(layers, p)
    of_layer = {stretch.begin: stretch for stretch in stretches if stretch.layer is not None}
    known_names = [name for sides in names for side in sides for name in side]
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    values[jaxpr.invars[0]] = Piece(0, (p,))

    def array(value):
        return _own(stretches, c, value) if isinstance(value, Piece) else value

    for equation in jaxpr.eqns:
        if equation is joining:
            continue
        inputs = [read(values, atom) for atom in equation.invars]
        results, factor = parted(equation, inputs), factor_of(equation, inputs)
        if factor is not None and factor[0].begin in of_layer:
            piece, side, name, matrix = factor
            i, _, _, place = of_layer[piece.begin]
            C, E = _unpacked(layers[i], c, place)
            ours = known[i][side][_index(names[i][side], name)]
            image = ours @ C if side == 0 else turns[i][0].back(jnp.concatenate([matrix @ C.T, ours @ E.T], axis=1))
            image = image.T if isinstance(inputs[0], Piece) else image
            results = [image.reshape(equation.outvars[0].aval.shape)]
        elif results is None:
            of_known = any(_index(known_names, name) is not None for name in equation.invars)
            results = evaluated(equation, [array(value) for value in inputs], of_known)
        values.update(zip(equation.outvars, results, strict=True))
    parts = []
    for begin, _, name in outputs_of(jaxpr):
        value, i = read(values, name), of_layer[begin].layer if begin in of_layer else None
        if i is None:
            parts.append(as_array(array(value)))
        else:
            parts.append(_gradient(layers[i], names[i], known[i], turns[i], value))
    return jnp.concatenate(parts)


def _own(stretches, c, piece):
    """Return a Piece as an array, of parameters that are their own coordinates."""
    (stretch,) = (one for one in stretches if one.begin <= piece.begin < one.begin + one.size)
    place = stretch.place + piece.begin - stretch.begin
    entries = c[place : place + piece.end - piece.begin].reshape(piece.shape)
    return entries.T if piece.turned else entries


def _gradient(layer, names, known, turns, value):
    """Return C and E, flat, of a gradient to the weights of a layer."""
    if not isinstance(value, Gradient) or value.matrix_shape != (layer.a, layer.b):
        return _of_matrix(layer, turns, as_array(value).reshape(layer.a, layer.b))
    C, E = [], [(jnp.zeros((1, layer.a - layer.r)), jnp.zeros((1, layer.s)))]
    for (X, G), (x, g) in zip(value.pairs, value.names, strict=True):
        left, right = _index(names[0], x), _index(names[1], g)
        if left is not None:
            C.append((known[0][left], G))
        else:
            X = turns[0].times(X)
            C.append((X[:, : layer.r], G))
            E.append((X[:, layer.r :], turns[1].times(G)[:, : layer.s] if right is None else known[1][right]))
    return jnp.concatenate([summed(C).ravel(), summed(E).ravel()])


def _index(names, name):
    """Return where a name of a program stands in a list, or None."""
    return next((i for i, other in enumerate(names) if other is name), None)
