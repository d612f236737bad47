"""Tasks for Label Studio, and the answers of its exports.

    queue       JSON, the basic format of tasks with predictions
    exports     JSON, JSON-MIN or CSV

The labelling configuration of the project names the audio `audio` and the text `transcription`, see
`docs/active-learning.md`. The formats are those of Label Studio's guide: "Label Studio task
format", "Import pre-annotated data", "Export annotations".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.tables import read_table

AUDIO, TEXT = "audio", "transcription"
CLIP, DIGEST = "clip", "sha256"
"""Keys of a task's data by which its answer is recognised."""


@dataclass(frozen=True)
class Annotation:
    """What an annotator wrote for a task.

    Attributes:
        place: file and task, for messages.
        clip: id of the clip; empty if the task has none.
        sha256: of the clip as it was queued; empty if the task has none.
        text: of the annotator, without line breaks; empty if nothing was written.
        annotator: number or address of the user, as the export states it.
        lead_time_s: seconds of work; None if the export does not state it.
        skipped: whether the task was skipped, or has no annotation yet.
    """

    place: str
    clip: str
    sha256: str
    text: str = ""
    annotator: str = ""
    lead_time_s: float | None = None
    skipped: bool = False


def task(data: Mapping[str, Any], text: str, model: str, score: float) -> dict[str, Any]:
    """Return a task with the model's text as a prediction.

    Args:
        data: of the task, with `audio`, `clip` and `sha256`.
        text: of the model; without one the task has no prediction.
        model: name of the model.
        score: by which Label Studio sorts tasks, 0 to 1; low is uncertain.
    """
    result = [{"from_name": TEXT, "to_name": AUDIO, "type": "textarea", "value": {"text": [text]}}]
    prediction = {"model_version": model, "score": round(score, 4), "result": result}
    return {"data": dict(data), "predictions": [prediction] if text else []}


def read_answers(path: Path) -> list[Annotation]:
    """Return the answers of an export, one for each task.

    The last update counts if a task has several annotations that were not skipped.

    Raises:
        UserError: the file is missing or is not an export of Label Studio.
    """
    if path.suffix.lower() == ".csv":
        rows: list[Any] = [*read_table(path, (TEXT, "annotator"))]
    else:
        rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
        raise UserError(
            f"{path}: expected a list of tasks, as Label Studio exports to JSON, JSON-MIN or CSV"
        )
    if all("annotations" in row and isinstance(row.get("data"), dict) for row in rows):
        return [_of_task(row, f"{path}: task {row.get('id')}") for row in rows]
    return list(_of_rows(rows, path))


def _of_task(row: Mapping[str, Any], place: str) -> Annotation:
    """Return the answer of a task of a JSON export."""
    key = _text(row["data"].get(CLIP)), _text(row["data"].get(DIGEST))
    done = [a for a in row["annotations"] or [] if not a.get("was_cancelled")]
    if not done:
        return Annotation(place, *key, skipped=True)
    last = max(done, key=lambda a: (str(a.get("updated_at", "")), str(a.get("id", ""))))
    texts = [
        part
        for region in last.get("result") or []
        if region.get("from_name") == TEXT and region.get("type") == "textarea"
        for part in _parts(region.get("value"))
    ]
    return Annotation(
        place, *key, _joined(texts), _annotator(last.get("completed_by")), _seconds(last, place)
    )


def _of_rows(rows: list[dict[str, Any]], path: Path) -> Iterator[Annotation]:
    """Yield the answers of JSON-MIN or CSV, which have one row per annotation."""
    by_task: dict[str, tuple[str, Annotation]] = {}
    for number, row in enumerate(rows, start=1):
        if "annotator" not in row:
            raise UserError(
                f"{path}: entry {number} has no 'annotator'; export the project to JSON, JSON-MIN "
                "or CSV"
            )
        name = _text(row.get("id")) or f"in entry {number}"
        place = f"{path}: task {name}"
        answer = Annotation(
            place, _text(row.get(CLIP)), _text(row.get(DIGEST)),
            _joined(_parts(_unpacked(row.get(TEXT)))), _annotator(row["annotator"]),
            _seconds(row, place),
        )  # fmt: skip
        updated = _text(row.get("updated_at"))
        if name not in by_task or by_task[name][0] <= updated:
            by_task[name] = updated, answer
    yield from (answer for _, answer in by_task.values())


def _unpacked(value: Any) -> Any:
    """Return the value of a cell: CSV has lists and objects as JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value  # a text that begins with a bracket
    return value


def _parts(value: Any) -> list[str]:
    """Return the texts of a text area: one, a list of them, or regions with their texts."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return _parts(value.get("text"))
    if isinstance(value, list):
        return [part for item in value for part in _parts(item)]
    return []


def _joined(texts: list[str]) -> str:
    return " ".join(" ".join(texts).split())


def _annotator(value: Any) -> str:
    """Return the number of a user; exports with details of users have an object."""
    if isinstance(value, Mapping):
        return _text(value.get("id", value.get("email")))
    return _text(value)


def _seconds(row: Mapping[str, Any], place: str) -> float | None:
    value = row.get("lead_time")
    if value in (None, ""):
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise UserError(f"{place}: lead_time {value!r} is not a number of seconds") from error


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
