"""Simulate active learning and write what each strategy saves.

    python -m fonoteka bench selection --fsdd ~/fsdd [--corpus embedded]

Reads   the Free Spoken Digit Dataset and an encoder, or data/splits and data/embeddings of a build
Writes  reports/bench/selection.json, reports/bench/selection.png; data/selection/fsdd, embeddings
        that the next run reads

Nothing is timed, so the load of the machine does not matter; the threads are one, so that equal
arguments give equal numbers on one kind of processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fonoteka.bench.selection.clips import Material, build, fsdd
from fonoteka.bench.selection.report import draw, page, summary
from fonoteka.bench.selection.simulate import SimulationParams, simulate
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.git import entered
from fonoteka.reporting.rounding import rounded

REPORT, FIGURE = Path("reports/bench/selection.json"), Path("reports/bench/selection.png")
STORE = Path("data/selection/fsdd")
SPLITS = Path("data/splits")
DIGITS = 4


@dataclass(frozen=True)
class SimulatedCorpora:
    """What is simulated.

    Attributes:
        fsdd: folder of the Free Spoken Digit Dataset, or None.
        corpora: names of corpora of the build.
        encoder: folder of the encoder for FSDD.
        embeddings: folder of the build's embeddings.
    """

    fsdd: Path | None
    corpora: Sequence[str]
    encoder: Path
    embeddings: Path


def bench_selection(corpora: SimulatedCorpora, params: SimulationParams) -> None:
    """Simulate each corpus, and write the report with those of earlier runs.

    Raises:
        UserError: neither a folder nor a corpus is given, or one cannot be used.
    """
    if corpora.fsdd is None and not corpora.corpora:
        raise UserError("bench selection: give --fsdd FOLDER, --corpus NAME of a build, or both")
    torch.set_num_threads(1)
    with entered():
        report = read_json(REPORT) if REPORT.is_file() else {"corpora": {}}
        for material in _materials(corpora):
            rows = simulate(material, params)
            name = f"{material.name}, by language" if params.by_language else material.name
            report["corpora"][name] = rounded(summary(rows, params), DIGITS)
            write_json(REPORT, report)
        draw(report, FIGURE)
        print(page(report))


def _materials(corpora: SimulatedCorpora) -> list[Material]:
    materials = [build(SPLITS, corpora.embeddings, name) for name in corpora.corpora]
    if corpora.fsdd is not None:
        materials.append(fsdd(corpora.fsdd, corpora.encoder, STORE))
    return materials
