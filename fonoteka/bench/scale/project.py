"""A project of synthetic clips in a folder of its own, in which the stages run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fonoteka.audio.recipe import RECIPES
from fonoteka.bench.scale.run_cost import RunCost, run_costed
from fonoteka.bench.scale.stage_commands import SEGMENTS, StageCommand
from fonoteka.bench.synthetic_clips import NAME, clip_path, write_card, write_clips
from fonoteka.compute.cache_folder import CACHE_VARIABLE, FOLDER, OFF
from fonoteka.compute.execution import VARIABLE
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.files import sha256_file, write_text

PER_VOICE = 20
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
WORDS = 4, 3  # words, syllables of each
STAND_INS = "fonoteka.bench.scale.stand_ins"
CACHE_OFF = {CACHE_VARIABLE: OFF}
OWN = {CACHE_VARIABLE: str(FOLDER), VARIABLE: "processes"}
"""Whatever the caller's environment says: another cache could know the clips already."""


def sentence(number: int) -> str:
    """Return words that can be spelled; two clips hardly ever have the same.

    >>> sentence(1) == sentence(1) != sentence(2)
    True
    """
    drawn = np.random.default_rng(number).integers(len(SYLLABLES), size=WORDS)
    return " ".join("".join(SYLLABLES[n] for n in word) for word in drawn.tolist())


class ScaleProject:
    """The folder with data, parameters and results.

    Attributes:
        folder: an empty folder at first.
        clips: number of clips in it.
    """

    def __init__(self, folder: Path, params: Path, seconds: float, rate_hz: int) -> None:
        """Write parameters; the corpus is empty.

        Args:
            folder: an empty folder.
            params: params.yaml of the repository; `configs` is beside it.
            seconds: length of a clip.
            rate_hz: its sample rate.
        """
        self.folder, self.clips = folder, 0
        self._seconds, self._rate_hz = seconds, rate_hz
        self._params: Any = yaml.safe_load(params.read_text(encoding="utf-8"))
        self._params["inventory"]["corpora"] = [NAME]
        self.set_workers(0)
        # `embed` reads the recipe of augmentation that params.yaml names, at 0 copies too.
        shutil.copytree(params.parent / RECIPES.parent, folder / RECIPES.parent)
        (folder / "data").mkdir()
        write_text(folder / "data/speakers.csv", "speaker,part\n")

    def set_workers(self, workers: int) -> None:
        """Set the number of worker processes; 0 for one per core."""
        self._params["execution"] |= {"executor": "processes", "workers": workers}
        self._write_params()

    def set_epochs(self, epochs: int) -> None:
        """Set the epochs of all trainings that the benchmark runs."""
        for section in ("ctc", "mlp", "train_realtime"):
            self._params[section]["epochs"] = epochs
        self._write_params()

    def _write_params(self) -> None:
        write_text(self.folder / "params.yaml", yaml.safe_dump(self._params))

    def make_models(self, size: str) -> None:
        """Write an encoder, `tiny` or `full`, and a head."""
        run_costed((STAND_INS, "models", ".", "--size", size), self.folder)

    def grow(self, clips: int) -> None:
        """Add clips until there are so many; a clip depends on its number alone."""
        corpus = self.folder / "data/raw" / NAME
        paths = [clip_path(n) for n in range(clips)]
        new = paths[self.clips :]
        write_clips(corpus, new, self._seconds, self._rate_hz, worker_count())
        # Half a voice's clips are before a multiple of 20: one clip more is of a known voice.
        rows = (
            f"{path},{sentence(n)},voice{(n + PER_VOICE // 2) // PER_VOICE},hr"
            for n, path in enumerate(paths)
        )
        write_text(corpus / "metadata.csv", "\n".join(["path,text,speaker,language", *rows]) + "\n")
        write_card(corpus)
        self.clips = clips

    def run(
        self, stages: Mapping[str, StageCommand], environment: Mapping[str, str] | None = None
    ) -> dict[str, RunCost]:
        """Run stages one after another and return what each cost.

        Args:
            stages: by name, in their order.
            environment: variables instead of `OWN`.
        """
        costs = {}
        written = {path for stage in stages.values() for path in stage.writes}
        for name, stage in stages.items():
            if SEGMENTS in stage.reads and SEGMENTS not in written:
                run_costed((STAND_INS, "segments", "."), self.folder)
            for path in stage.writes:
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            costs[name] = run_costed(stage.command, self.folder, OWN | {**(environment or {})})
        return costs

    def clear(self, stages: Mapping[str, StageCommand]) -> None:
        """Remove the results of stages, the cache of clips and what dvc has stored."""
        for name in (".fonoteka", ".dvc", *(p for s in stages.values() for p in s.writes)):
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def digests(self, stages: Mapping[str, StageCommand]) -> dict[str, str]:
        """Return a hash of what each stage wrote."""
        return {name: _digest(self.folder, stage.writes) for name, stage in stages.items()}

    def file_counts(self) -> dict[str, int]:
        """Return the number of files: recordings, results, and entries of the cache."""
        top = self.folder
        raw = _files(top / "data/raw")
        return {
            "recordings": raw,
            "results": _files(top / "data") + _files(top / "reports") - raw,
            "cache": _files(top / ".fonoteka"),
        }


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def _digest(top: Path, names: tuple[str, ...]) -> str:
    digest = sha256()
    for name in names:
        path = top / name
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(f"{file.relative_to(top)} {sha256_file(file)}\n".encode())
    return digest.hexdigest()
