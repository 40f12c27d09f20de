"""Arrays to batches, through `torch.utils.data.DataLoader`."""

import numpy as np
import torch
from torch.utils.data import TensorDataset

import checks


class DatasetTorch(TensorDataset):
    """Inputs (n, d) and labels (n, K) as a dataset for `torch.utils.data.DataLoader`.

    A class rather than a function because the loader wants a `torch.utils.data.Dataset`, and because of the name: the
    cells of the paper's notebook call it. The loader's default keeps a last batch that does not fill up.

    Raises:
        ValueError: if the numbers of samples differ, or an entry is NaN or infinite.
    """

    def __init__(self, inputs, labels):
        """Copy the arrays into tensors of the same dtype."""
        if len(inputs) != len(labels):
            raise ValueError(f"one label per input is needed, got {len(inputs)} inputs and {len(labels)} labels")
        checks.finite(inputs=inputs, labels=labels)
        super().__init__(torch.tensor(np.asarray(inputs)), torch.tensor(np.asarray(labels)))
