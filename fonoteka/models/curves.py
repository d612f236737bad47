"""Training curves in the format of DVCLive, without timestamps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fonoteka.core.files import atomic_folder


def write_curves(folder: Path, history: Sequence[dict[str, float]]) -> None:
    """Write one TSV per metric into `folder`: its value after each epoch, from epoch 0.

    The files are written at the end of a training from the history in its checkpoints, so a run
    that was killed and resumed has the same curves as an uninterrupted one.
    """
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    from dvclive import Live  # here, because the import is slow and only training needs it

    with TemporaryDirectory() as scratch, atomic_folder(folder) as part:
        with (
            _signals_in(scratch),
            Live(scratch, dvcyaml=None, save_dvc_exp=False, monitor_system=False) as live,
        ):
            for values in history:
                for name, value in values.items():
                    live.log_metric(name, value, timestamp=False)
                live.next_step()
        # DVCLive opens the repository and leaves it open: 18 files per training, of which a
        # process with many of them, such as a simulation, has no more than 1,024.
        if live._dvc_repo is not None:
            live._dvc_repo.close()
        for curve in sorted(Path(scratch).glob("plots/metrics/*.tsv")):
            (part / curve.name).write_bytes(curve.read_bytes())


@contextmanager
def _signals_in(folder: str) -> Iterator[None]:
    """Have DVCLive keep its signal file in `folder` instead of in the repository.

    After each step DVCLive writes .dvc/tmp/exps/run/DVCLIVE_STEP_COMPLETED for editors and deletes
    it at the end. Two trainings in one repository share that file, and the second to delete it
    fails with FileNotFoundError after its last epoch.
    """
    before = os.environ.get("DVC_ROOT")
    os.environ["DVC_ROOT"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["DVC_ROOT"]
        else:
            os.environ["DVC_ROOT"] = before
