"""One training in a folder of its own, with its own params.yaml.

    params.yaml   the listed sections with the values of this training
    log.txt       what the training printed
    out, curves, checkpoint   what the command is given
    result.json   the error, or the reason why the training failed

A folder with `result.json` is finished. Without one the training was killed: it is started again,
and resumes at its checkpoint if it has one.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.core.run_stage import child_preexec
from fonoteka.sweep.space import FILLED, Space

RESULT, LOG = "result.json", "log.txt"
LONGEST_REASON = 200  # characters of a reason in a table


@dataclass(frozen=True)
class TrainingOutcome:
    """The end of a training.

    Attributes:
        error: lower is better; None if the training failed.
        reason: why it failed, or empty.
    """

    error: float | None
    reason: str = ""


@dataclass(frozen=True)
class Training:
    """A training to run.

    Attributes:
        name: for the terminal, for example `tpe 3`.
        folder: of its own.
        sections: its params.yaml.
    """

    name: str
    folder: Path
    sections: Mapping[str, Any]


def finished(training: Training) -> TrainingOutcome | None:
    """Return the outcome of a training that has ended, or None."""
    path = training.folder / RESULT
    return TrainingOutcome(**read_json(path)) if path.is_file() else None


def start(training: Training, space: Space) -> subprocess.Popen[bytes]:
    """Start a training; its process ends with this one."""
    folder = training.folder.resolve()
    for name in (*FILLED, ""):
        (folder / name).mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(dict(training.sections), allow_unicode=True, sort_keys=False)
    write_text(folder / "params.yaml", text)
    places = {name: str(Path(path).resolve()) for name, path in space.inputs.items()}
    places |= {name: str(folder / name) for name in FILLED}
    words = [word.format(**places) for word in space.words()]
    if words[0] == "python":
        words[0] = sys.executable
    # The modules of the project, from a folder that is not its top, and no log of stages there.
    paths = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "FONOTEKA_LOGS": "off"}
    with (folder / LOG).open("wb") as log:
        try:
            # Ctrl-C reaches the sweep alone, which stops its trainings: one that ends by itself
            # would be recorded as a failed trial.
            return subprocess.Popen(
                words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=child_preexec(),
            )  # fmt: skip
        except FileNotFoundError as error:
            raise UserError(f"command: {words[0]}: no such program; correct the space") from error


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a training and the processes that it started."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def record(training: Training, space: Space, code: int) -> TrainingOutcome:
    """Write and return the outcome of a training that exited with `code`."""
    outcome = _outcome(training, space, code)
    write_json(training.folder / RESULT, vars(outcome))
    return outcome


def _outcome(training: Training, space: Space, code: int) -> TrainingOutcome:
    if code:
        last = _last_line(training)
        return TrainingOutcome(None, f"exit code {code}: {last}" if last else f"exit code {code}")
    file, key = space.objective.file, space.objective.key
    try:
        value = read_json(training.folder / "out" / file)[key]
    except (UserError, KeyError, TypeError):
        return TrainingOutcome(None, f"{file} with the key {key} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return TrainingOutcome(None, f"{file}: {key}: {value!r} is not a finite number")
    return TrainingOutcome(float(value))


def _last_line(training: Training) -> str:
    """Return the last line of the log, without what differs between two folders of one sweep."""
    text = (training.folder / LOG).read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    for path in (training.folder.resolve(), Path.cwd()):
        line = line.replace(str(path), path.name)
    return line[:LONGEST_REASON]
