"""The spectra of the layers' blocks on the diagonal of a Hessian, and how much they differ."""

import itertools

import numpy as np

import checks
from hessians import num_params
from matrix_free import distance, restricted, spectral_density
from parts import layers


def layer_densities(operator, params, layer=None, smallest=1, probes=4, steps=20, bar=None):
    """Return the Density of H_ll for every layer l, from products with the whole H.

    Args:
        operator: V (b, p) -> V H (b, p), such as `matrix_free.loss_operator` returns.
        params: pytree of arrays, p numbers in all.
        layer: path -> name of the layer, as in `parts.layers`. With `str` every array is a layer by itself.
        smallest: layers of fewer parameters are left out.
        probes, steps: as in `matrix_free.spectral_density`, for every layer.
        bar: a `tqdm.tqdm`, which is told the number of products.

    Returns:
        {name: Density}, in the order of the flattened vector.

    Raises:
        TypeError, ValueError: as in `matrix_free.spectral_density`, and if all layers are smaller.

    Example:
        >>> import numpy as np
        >>> from experiments.layer_spectra import layer_densities
        >>> H = np.diag([3.0, 3.0, 5.0])
        >>> found = layer_densities(lambda V: V @ H, {"first": np.ones(2), "last": np.ones(1)}, steps=1)
        >>> {name: float(density.nodes[0, 0].round(9)) for name, density in found.items()}
        {'first': 3.0, 'last': 5.0}
    """
    p, smallest = num_params(params), checks.integer("smallest", smallest)
    places = {name: where for name, where in layers(params, layer).items() if len(where) >= smallest}
    if not places:
        raise ValueError(f"no layer has {smallest} parameters; choose a number for smallest that some layer has")
    return {
        name: spectral_density(restricted(operator, where, p), len(where), probes, steps, bar=bar)
        for name, where in places.items()
    }


def decades(density, least=1e-2):
    """Return a Density whose nodes are on a scale of factors of ten, so that its size is lost and its shape is left.

        x  ->  sign(x) log10(1 + |x| / (least max |x|))

    An eigenvalue that is a tenth of another is one unit nearer to zero, until both are below `least` of the largest.

    Args:
        density: Density. The nodes of a zero matrix stay zero.
        least: number above 0 and below 1.
    """
    least = checks.number("least", least, np.finfo(float).tiny, 1.0)
    nodes = density.nodes / (abs(density.nodes).max() or 1.0)
    return density._replace(nodes=np.sign(nodes) * np.log10(1 + abs(nodes) / least))


def shape_distances(densities, least=1e-2):
    """Return how many factors of ten the eigenvalues have to move on average for one shape to become the other.

    That is the Wasserstein distance of every two densities on the scale of `decades`.

    Args:
        densities: {name: Density}.
        least: as in `decades`.

    Returns:
        (m, m) array, symmetric, with zeros on its diagonal.

    Example:
        >>> from experiments.layer_spectra import shape_distances
        >>> from matrix_free import spectral_density
        >>> densities = {s: spectral_density(lambda V, s=s: s * V, p=3, steps=1) for s in (1.0, 1e3, -1.0)}
        >>> shape_distances(densities)[0].round(1).tolist()
        [0.0, 0.0, 4.0]
    """
    shapes = [decades(each, least) for each in densities.values()]
    found = np.zeros((len(shapes), len(shapes)))
    for (i, one), (j, other) in itertools.combinations(enumerate(shapes), 2):
        size = abs(other.nodes).max() or 1.0  # which `distance` divides by
        found[i, j] = found[j, i] = size * distance(one, other.nodes.ravel(), other.weights.ravel())
    return found
