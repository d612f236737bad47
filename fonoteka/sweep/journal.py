"""Finished trials of a sweep, in a journal of Optuna: one line of JSON per trial.

A trial is added when its whole round has ended, in the order of the numbers. So a journal contains
no trial that is only suggested, and a killed sweep finds in it either a trial or nothing. Optuna's
own tools, such as its dashboard, read the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from fonoteka.core.errors import UserError
from fonoteka.pipeline.exclusive_lock import exclusive_lock
from fonoteka.sweep.space import Space
from fonoteka.sweep.training import TrainingOutcome

FILE, LOCK = "journal.log", "lock"
REASON = "reason"


@contextmanager
def sweep_lock(folder: Path) -> Iterator[None]:
    """Hold a folder for one sweep inside the block; the system releases it if the process ends.

    Raises:
        UserError: another sweep holds it.
    """
    held = (
        f"{folder}: another sweep is running here; wait until it has ended, or choose another "
        "--work folder"
    )
    with exclusive_lock(folder / LOCK, lambda: held):
        yield


class Journal:
    """The finished trials of the searches of one folder.

    Args:
        folder: of the sweep, which this process holds.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        _drop_torn_line(path)
        # The other lock that Optuna offers is a symbolic link, which Windows refuses to most users.
        lock = JournalFileOpenLock(str(path))
        (folder / f"{FILE}.lock").unlink(missing_ok=True)  # of a killed sweep
        try:
            self._storage = JournalStorage(JournalFileBackend(str(path), lock))
        except (ValueError, KeyError) as error:
            raise UserError(
                f"{path}: damaged: {error}; remove the recorded trials with --restart"
            ) from error

    def study(self, search: str) -> Study:
        """Return the study of a search."""
        return optuna.create_study(
            storage=self._storage, study_name=search, direction="minimize", load_if_exists=True
        )

    def trials(self, search: str) -> list[FrozenTrial]:
        """Return the finished trials of a search, by number."""
        return self.study(search).get_trials()

    def add(
        self, search: str, space: Space, values: Sequence[Mapping[str, Any]],
        outcomes: Sequence[TrainingOutcome],
    ) -> None:  # fmt: skip
        """Add trials with their values and outcomes, in the given order."""
        study = self.study(search)
        distributions = {key: each.distribution() for key, each in space.keys.items()}
        for chosen, outcome in zip(values, outcomes, strict=True):
            failed = outcome.error is None
            study.add_trial(
                create_trial(
                    state=TrialState.FAIL if failed else TrialState.COMPLETE,
                    value=outcome.error,
                    params={key: each.encoded(chosen[key]) for key, each in space.keys.items()},
                    distributions=distributions,
                    user_attrs={REASON: outcome.reason} if failed else {},
                )
            )


def _drop_torn_line(path: Path) -> None:
    """Remove an unfinished last line, which a kill during a write leaves and Optuna refuses."""
    if path.is_file():
        data = path.read_bytes()
        if whole := data.rpartition(b"\n")[0]:
            whole += b"\n"
        if whole != data:
            path.write_bytes(whole)
