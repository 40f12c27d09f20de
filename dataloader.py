"""From arrays to batches: a dataset for `torch.utils.data.DataLoader`."""

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

import checks


class DatasetTorch(TensorDataset):
    """Inputs (n, d) and labels (n, K) as a dataset for `torch.utils.data.DataLoader`.

    It is a class because the loader wants a `torch.utils.data.Dataset`. Its name is the one that the paper's notebook
    calls. By default the loader keeps the last batch even if it is not full.

    Raises:
        ValueError: if the numbers of samples differ, or an entry is NaN or infinite.

    Example:
        >>> import numpy as np
        >>> from torch.utils.data import DataLoader
        >>> from dataloader import DatasetTorch
        >>> loader = DataLoader(DatasetTorch(np.zeros((50, 25)), np.zeros((50, 10))), batch_size=20)
        >>> [tuple(inputs.shape) for inputs, labels in loader]
        [(20, 25), (20, 25), (10, 25)]
    """

    def __init__(self, inputs, labels):
        """Copy the arrays into tensors of the same dtype."""
        if len(inputs) != len(labels):
            raise ValueError(f"one label per input is needed, got {len(inputs)} inputs and {len(labels)} labels")
        checks.finite(inputs=inputs, labels=labels)
        super().__init__(torch.tensor(np.asarray(inputs)), torch.tensor(np.asarray(labels)))


def get_loader(inputs, labels, bs):
    """Return a `torch.utils.data.DataLoader` of inputs (n, d) and labels (n, K), in their order, `bs` samples a batch.

    The last batch is kept even if it is not full. Batches larger than n are one batch.

    Raises:
        TypeError: if `bs` is not an integer.
        ValueError: if it is below one, and as in `DatasetTorch`.

    Example:
        >>> import numpy as np
        >>> from dataloader import get_loader
        >>> [tuple(inputs.shape) for inputs, labels in get_loader(np.zeros((50, 25)), np.zeros((50, 10)), bs=20)]
        [(20, 25), (20, 25), (10, 25)]
    """
    return DataLoader(DatasetTorch(inputs, labels), batch_size=checks.integer("bs", bs))
