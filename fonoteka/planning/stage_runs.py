"""Read the logs of stages: processor seconds of each run, and of its training steps.

The format is that of `fonoteka.core.stage_log`. Processor seconds are used and not the clock: on a
machine that others use too, a niced run waits for most of its time, and its processor seconds vary
by a few percent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError

WINDOW_STEPS = 5
"""Steps in one measurement of a step: a sample comes every 5 s, and Whisper's step takes 3 s."""


@dataclass(frozen=True)
class StageRun:
    """One run of a stage.

    Attributes:
        stage: its name, as in dvc.yaml.
        run: UTC time of its start and process id, so that names sort by time.
        cores: that the process could use.
        import_cpu_s: processor seconds before the log was opened, nearly all of them imports.
        cpu_s: processor seconds with imports and children; 0 without an end.
        seconds: by the clock, without imports; 0 without an end.
        first_step: the first logged step; above 1 if the run continued from a checkpoint.
        steps: the last logged step; 0 if the stage logs none.
        step_cpu_s: processor seconds per step in windows of at least `WINDOW_STEPS` steps.
        exit: the exit code; None if the run was killed or has not ended.
        peak_mib: the most memory of all its processes; None if the log does not state it.
        peak_process_mib: that of its largest process.
    """

    stage: str
    run: str
    cores: int
    import_cpu_s: float
    cpu_s: float
    seconds: float
    first_step: int
    steps: int
    step_cpu_s: tuple[float, ...]
    exit: int | None
    peak_mib: float | None = None
    peak_process_mib: float | None = None

    @property
    def finished(self) -> bool:
        """Whether the run ended without an error."""
        return self.exit == 0

    @property
    def whole_cpu_s(self) -> float:
        """Processor seconds of all steps, also those before the checkpoint of a resumed run."""
        done = self.steps - self.first_step + 1
        if self.first_step <= 1 or done < 1:
            return self.cpu_s
        return self.import_cpu_s + (self.cpu_s - self.import_cpu_s) * self.steps / done


def read_runs(folder: Path) -> dict[str, list[StageRun]]:
    """Return the runs of each stage, the oldest first.

    Raises:
        UserError: the folder does not exist, or a file in it is not a log.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder, so no stage was measured; run `make repro` without "
            "FONOTEKA_LOGS=off"
        )
    runs: dict[str, list[StageRun]] = {}
    for path in sorted(folder.glob("*/*.jsonl")):
        try:
            run = read_run(path)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: not a log of a stage ({type(error).__name__}: {error}); remove it"
            ) from error
        runs.setdefault(run.stage, []).append(run)
    return runs


def read_run(path: Path) -> StageRun:
    """Return the run of one log; a line that a kill or a full disk has cut is skipped."""
    events = [event for line in path.read_bytes().split(b"\n") if (event := _event(line))]
    start = next((e for e in events if e["event"] == "start"), {})
    end = next((e for e in events if e["event"] == "end"), None)
    import_s = float(start.get("import_cpu_s", 0.0))
    steps = [int(event["step"]) for event in events if event["event"] == "step"]
    return StageRun(
        stage=str(start.get("stage", path.parent.name)),
        run=path.stem,
        cores=int(start.get("cores", 0)),
        import_cpu_s=import_s,
        cpu_s=import_s + float(end["cpu_s"]) if end else 0.0,
        seconds=float(end["seconds"]) if end else 0.0,
        first_step=min(steps, default=0),
        steps=max(steps, default=0),
        step_cpu_s=tuple(_step_cpu_s(e for e in events if e["event"] == "sample")),
        exit=int(end["exit"]) if end else None,
        peak_mib=end.get("peak_memory_mib") if end else None,
        peak_process_mib=end.get("peak_process_mib") if end else None,
    )


def last_finished(runs: Mapping[str, Sequence[StageRun]]) -> dict[str, StageRun]:
    """Return the last run of each stage that ended without an error."""
    finished = {stage: [run for run in each if run.finished] for stage, each in runs.items()}
    return {stage: max(each, key=lambda r: r.run) for stage, each in finished.items() if each}


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _step_cpu_s(samples: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return the processor seconds per step in windows between samples.

    A sample has the share since the sample before it, so its processor seconds are the share times
    the time between the two.
    """
    rates: list[float] = []
    before_s, first_step, cpu_s = None, None, 0.0
    for sample in samples:
        now_s, step = float(sample["seconds"]), sample.get("step")
        if before_s is not None and first_step is not None:
            cpu_s += float(sample["cpu_share"]) * (now_s - before_s)
        before_s = now_s
        if step is None:
            continue
        if first_step is None or step < first_step:
            first_step, cpu_s = step, 0.0
        elif step - first_step >= WINDOW_STEPS:
            rates.append(cpu_s / (step - first_step))
            first_step, cpu_s = step, 0.0
    return rates
