"""Training curves of a dashboard, from the tables that `fonoteka.models.curves` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.tables import read_table


def curves_of(folder: Path, step: str) -> list[dict[str, Any]]:
    """Return the curves in a folder, sorted by name; a folder that does not exist has none.

    Args:
        folder: with one `<name>.tsv` per curve: columns `step` and `<name>`.
        step: what a step is: `epoch`, or `step` for an update of the weights.

    Raises:
        UserError: a table has no such columns, or a cell is not a number.
    """
    curves = []
    for path in sorted(folder.glob("*.tsv")):
        rows = read_table(path, ("step", path.stem), delimiter="\t")
        try:
            points = [(int(row["step"]), float(row[path.stem])) for row in rows]
        except ValueError as error:
            raise UserError(f"{path}: not a table of numbers: {error}; run dvc repro") from error
        curves.append({
            "name": path.stem, "steps": [step_number for step_number, _ in points],
            "values": [value for _, value in points], "file": path.as_posix(), "step": step,
        })  # fmt: skip
    return curves
