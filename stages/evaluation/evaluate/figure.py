"""Draw the confusion matrix of phones."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from fonoteka.phones import INVENTORY, LETTERS
from fonoteka.reporting.figures import save
from stages.evaluation.evaluate.confusion import Counts, shares


def picture(counts: Counts, title: str, path: Path, dpi: int) -> None:
    """Draw one row per phone: the shares of its segments that were predicted as each phone.

    Phones are in the inventory's order, those of English alone after a line. Phones that are
    neither a label nor a prediction are left out. A cell is coloured by the root of its share, so
    that a confusion of 1 % can be seen beside the diagonal.

    Args:
        counts: rows are labels, columns predictions, in the inventory's order, `[P, P]`.
        title: the model and the kind of speech.
        path: of the PNG.
        dpi: of the picture.
    """
    occurring = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    cells = shares(counts, counts.sum(axis=1, keepdims=True))[np.ix_(occurring, occurring)]
    figure, axes = plt.subplots(figsize=(9, 8.2), layout="constrained")
    colours = mpl.colormaps["Blues"].with_extremes(bad="0.92")
    image = axes.imshow(cells, cmap=colours, norm=mpl.colors.PowerNorm(0.5, 0, 1))
    names = [INVENTORY[number] for number in occurring]
    axes.set_xticks(range(len(occurring)), names, fontsize=7)
    axes.set_yticks(range(len(occurring)), names, fontsize=8)
    axes.tick_params(length=0, top=True, labeltop=True)
    shared = int((occurring < len(LETTERS)).sum())
    if 0 < shared < len(occurring):
        axes.axhline(shared - 0.5, color="0.4", linewidth=0.6)
        axes.axvline(shared - 0.5, color="0.4", linewidth=0.6)
    axes.set_xlabel("Predicted phone")
    axes.set_ylabel("Reference phone")
    axes.set_title(f"Confusion of phones: {title}")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.set_label("Share of the reference phone's segments (grey: no segment)")
    save(figure, path, dpi)
