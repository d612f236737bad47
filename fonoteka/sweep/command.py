"""Search values of params.yaml that lower the error of a trained head.

    python -m fonoteka sweep configs/sweep.yaml [--trials N] [--workers N] [--resume]

Reads   a space, params.yaml, the inputs that the space names
Writes  checkpoints/sweep/NAME: journal, trainings; reports/bench/sweep/NAME: see `outcome`

Today's values are trained first, then a random list, then as many trials of Optuna's TPE. The test
part is read once, at the end, and only if a trial was better on validation.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, write_json
from fonoteka.reporting.rounding import rounded
from fonoteka.sweep.batch import run_batch
from fonoteka.sweep.journal import Journal, sweep_lock
from fonoteka.sweep.mark import FILE as MARK
from fonoteka.sweep.mark import Mark, check_mark, differences, mark_of, params_of
from fonoteka.sweep.outcome import (
    ERROR_DIGITS,
    PATCH,
    TABLE,
    best_trial,
    write_results,
    write_trials,
)
from fonoteka.sweep.space import HeldOut, Space, read_space, trial_params
from fonoteka.sweep.suggest import RANDOM, SEARCHES, suggestions
from fonoteka.sweep.training import RESULT, Training

WORK, OUT = Path("checkpoints/sweep"), Path("reports/bench/sweep")


@dataclass(frozen=True)
class SweepOptions:
    """Options of the command.

    Attributes:
        trials: of each search, instead of the number in the space.
        workers: trainings side by side; 0: one per core.
        resume: continue a sweep that was interrupted, or that is to have more trials.
        restart: remove the recorded trials if they are not comparable with new ones.
        work: folder of the trainings; None: named after the space.
        out: folder of the results; None: named after the space.
    """

    trials: int | None = None
    workers: int = 0
    resume: bool = False
    restart: bool = False
    work: Path | None = None
    out: Path | None = None


class Sweep:
    """A sweep whose folder this process holds."""

    def __init__(self, space: Space, mark: Mark, work: Path, workers: int) -> None:
        self.space, self.mark, self.work, self.workers = space, mark, work, workers
        self.journal = Journal(work)

    def training(self, group: str, number: str, values: dict[str, Any]) -> Training:
        """Return the training of some values, in a folder of its own."""
        sections = trial_params(self.space, self.mark.sections, values)
        return Training(f"{group} {number}", self.work / group / number, sections)

    def today(self) -> float:
        """Return the error of today's values.

        Raises:
            UserError: their training failed, so that the command or an input is wrong.
        """
        training = self.training("today", "0000", self.space.fixed | self.mark.today)
        (outcome,) = run_batch([training], self.space, 1)
        if outcome.error is None:
            (training.folder / RESULT).unlink()
            raise UserError(
                f"the training with today's values failed, {outcome.reason}; correct the space or "
                f"what it names, see {training.folder / 'log.txt'}"
            )
        return outcome.error

    def search(self, name: str, total: int) -> list[FrozenTrial]:
        """Run the trials that a search lacks, round by round, and return all."""
        space = self.space
        size = total if name == RANDOM else space.round  # a list needs no outcome
        while len(done := self.journal.trials(name)) < total:
            first = len(done) // size * size
            count = min(size, total - first)
            # Those before `done` were recorded by an earlier run, in the middle of a round.
            values = suggestions(space, name, done[:first], count)[len(done) - first :]
            trainings = [
                self.training(name, f"{number:04d}", space.fixed | each)
                for number, each in enumerate(values, len(done))
            ]
            self.journal.add(name, space, values, run_batch(trainings, space, self.workers))
        return self.journal.trials(name)

    def test(self, best: Training, today: Training) -> dict[str, Any] | None:
        """Return the comparison on the test part, which is read once per pair of models.

        Raises:
            UserError: a training failed.
        """
        part, space = self.space.test, self.space
        if part is None:
            return None
        for training, outcome in zip(
            (today, best), run_batch([today, best], space, self.workers), strict=True
        ):
            if outcome.error is None:
                raise UserError(
                    f"{training.name}: the training with all epochs failed, {outcome.reason}; see "
                    f"{training.folder / 'log.txt'}"
                )
        folders = today.folder / "out", best.folder / "out"
        report = self._looked(part, *folders)
        valid = [
            read_json(folder / space.objective.file)[space.objective.key] for folder in folders
        ]
        return report | {"validation": dict(zip(("today", "found"), valid, strict=True))}

    def _looked(self, part: HeldOut, today: Path, best: Path) -> dict[str, Any]:
        """Return the comparison of two models, and how often the test part was read for one."""
        file = self.space.objective.file
        models = [sha256_file(folder / file) for folder in (today, best)]
        path = self.work / "test.json"
        last: dict[str, Any] = read_json(path) if path.is_file() else {"looks": 0}
        if last.get("models") != models:
            from fonoteka.sweep.held_out import compared  # here: torch takes 3.6 CPU seconds

            threads = self.mark.sections.get("compute", {}).get("threads", 1)
            result = rounded(compared(today, best, part, threads), ERROR_DIGITS)
            last = {"looks": last["looks"] + 1, "models": models, "result": result}
            write_json(path, last)
        report: dict[str, Any] = last["result"] | {"looks": last["looks"]}
        return report


def run(path: Path, options: SweepOptions) -> None:
    """Run a sweep, or what is missing of it, and write its results.

    Raises:
        UserError: the space is wrong, another sweep runs in the folder, an earlier one has not
            ended and `resume` is not set, something changed since then, or every trial failed.
    """
    space = read_space(path)
    total = options.trials or space.trials
    work, out = options.work or WORK / path.stem, options.out or OUT / path.stem
    with sweep_lock(work):
        new = mark_of(space, str(path), params_of())
        recorded = any(work.glob(f"*/*/{RESULT}"))
        if not recorded or (options.restart and _other(new, work)):
            _clear(work)
        mark = check_mark(new, work, str(path))
        sweep = Sweep(space, mark, work, options.workers or worker_count())
        counts = [len(sweep.journal.trials(name)) for name in SEARCHES]
        if recorded and min(counts) < total and not options.resume and (work / "today").exists():
            raise UserError(
                f"{work}: {sum(counts)} of {total * len(SEARCHES)} trials are recorded; continue "
                "with --resume, or remove the folder"
            )
        today = sweep.today()
        searches = {name: sweep.search(name, total)[:total] for name in SEARCHES}
        _finish(sweep, searches, today, out)


def _other(new: Mark, work: Path) -> bool:
    return bool(differences(Mark(**read_json(work / MARK)), new))


def _clear(work: Path) -> None:
    """Remove everything of an earlier sweep but the lock, which this process holds."""
    for each in work.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name != "lock":
            each.unlink()


def _finish(
    sweep: Sweep, searches: dict[str, list[FrozenTrial]], today: float, out: Path
) -> None:  # fmt: skip
    space, mark = sweep.space, sweep.mark
    write_trials(out / TABLE, space, searches, mark.today, today)
    best = best_trial(space, searches)
    if best is None:
        raise UserError(
            f"all {sum(map(len, searches.values()))} trials failed; see the reasons in "
            f"{out / TABLE} and the logs in {sweep.work}"
        )
    test = None
    if best.error < today:
        # With all epochs: trials may be cheaper than the training that the values are for.
        number = f"{best.search}-{best.number:04d}"
        test = sweep.test(
            sweep.training("final", number, best.values),
            sweep.training("final", "today", mark.today),
        )
    write_results(out, space, searches, mark.today, today, test)
    print(_summary(best.error, today, test, out))


def _summary(best: float, today: float, test: dict[str, Any] | None, out: Path) -> str:
    if best >= today:
        return f"no trial is better than today's values, {today:.4f}: {out}"
    line = f"found {best:.4f}, today {today:.4f} on validation: git apply {out / PATCH}"
    if test:
        line += (
            f"\ntest: {test['verdict']}, difference {test['difference']:.4f}, 95 % "
            f"{test['difference_low']} to {test['difference_high']}"
        )
    return line
