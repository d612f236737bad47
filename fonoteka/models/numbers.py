"""Two numbers that reports give of a model: its parameters, and a bound of its file's error.

They stand apart from the exporter and from the heads, because a small model has neither: the
exporter imports the encoders and so transformers, which takes 7 CPU seconds.
"""

from __future__ import annotations

import numpy as np
from torch import nn


def parameter_count(module: nn.Module) -> int:
    """Return how many numbers a module has learned: weights that layers share count once."""
    return sum(p.numel() for p in module.parameters())


def ceiling(error: float) -> float:
    """Return the next power of ten: the last bits of an error differ between machines.

    >>> ceiling(3e-7), ceiling(0.0)
    (1e-06, 1e-09)
    """
    return float(10.0 ** np.ceil(np.log10(max(error, 1e-9))))
