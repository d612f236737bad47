"""Parts that all model cards have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.reporting.markdown import plain


def points(share: float) -> str:
    """Return a share in per cent with one decimal; a share that rounds to 0 has no sign.

    >>> points(0.0904), points(-0.0001)
    ('9.0', '0.0')
    """
    return f"{round(100 * share, 1) + 0.0:.1f}"


def weights_licence(licence: Mapping[str, Any]) -> str:
    """Return the sentence on the licence of weights, as `fonoteka.lineage.licence_of` found it."""
    if licence["weights"]:
        return f"Weights: {plain(licence['weights'])}."
    return (
        "No licence is stated for these weights. Before you distribute them, read the terms of "
        f"their sources: {'; '.join(map(plain, licence['to_be_read']))}."
    )
