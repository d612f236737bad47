"""Two numbers for reports about models: the parameter count, and a rounded error bound.

They are separate from the exporter, which imports the encoders and so transformers (7 CPU seconds),
because small models need neither.
"""

from __future__ import annotations

import numpy as np
from torch import nn


def parameter_count(module: nn.Module) -> int:
    """Return the number of parameters of a module; shared weights count once."""
    return sum(p.numel() for p in module.parameters())


def round_up_pow10(error: float) -> float:
    """Return the next power of ten, at least 1e-9: the last bits of an error vary by machine.

    >>> round_up_pow10(3e-7), round_up_pow10(0.0)
    (1e-06, 1e-09)
    """
    return float(10.0 ** np.ceil(np.log10(max(error, 1e-9))))
