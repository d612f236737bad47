"""Figures as PNG files whose bytes depend on the figure only."""

from __future__ import annotations

from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from fonoteka.core.files import atomic_file


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a figure as PNG without matplotlib's name and version, and close it."""
    with atomic_file(path) as part:
        figure.savefig(part, dpi=dpi, format="png", metadata={"Software": None})
    plt.close(figure)
