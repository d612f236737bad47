"""Draw which phones are taken for which."""

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
    """Draw a row for each phone said: the share of its segments that were named as each phone.

    Phones stand in the inventory's order, those that only English has after a line; phones neither
    said nor heard are left out. A cell is coloured by the root of its share, so that a confusion of
    one in a hundred can be seen beside the diagonal.

    Args:
        counts: a row a phone said, a column a phone heard, in the inventory's order, `[P, P]`.
        title: what model and what speech.
        path: of the PNG.
        dpi: of the picture.
    """
    kept = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    part = shares(counts, counts.sum(axis=1, keepdims=True))[np.ix_(kept, kept)]
    figure, axes = plt.subplots(figsize=(9, 8.2), layout="constrained")
    colours = mpl.colormaps["Blues"].with_extremes(bad="0.92")
    image = axes.imshow(part, cmap=colours, norm=mpl.colors.PowerNorm(0.5, 0, 1))
    names = [INVENTORY[number] for number in kept]
    axes.set_xticks(range(len(kept)), names, fontsize=7)
    axes.set_yticks(range(len(kept)), names, fontsize=8)
    axes.tick_params(length=0, top=True, labeltop=True)
    shared = int((kept < len(LETTERS)).sum())
    if 0 < shared < len(kept):
        axes.axhline(shared - 0.5, color="0.4", linewidth=0.6)
        axes.axvline(shared - 0.5, color="0.4", linewidth=0.6)
    axes.set_xlabel("heard")
    axes.set_ylabel("said")
    axes.set_title(f"What is taken for what: {title}")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, ticks=[0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.set_label("share of the segments of the phone said (grey: never said)")
    save(figure, path, dpi)
