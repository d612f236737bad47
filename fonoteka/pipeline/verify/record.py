"""Record on which kind of processor `dvc.lock` was rebuilt byte for byte.

Bytes may differ on another kind of processor; on the same kind a difference is a fault. `dvc.lock`
does not record the machine that wrote it, so a rebuild with the same bytes is the proof.
`reports/verify.json` records it and is committed with `dvc.lock`. It is valid for the `dvc.lock`
whose hashes it contains, and for no other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonoteka.compute.processor import Processor
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_json, write_json
from fonoteka.pipeline.outputs import Lock, output_hashes

REPORT = Path("reports/verify.json")
KEYS = ("kind", "name")


def digest(lock: Lock) -> str:
    """Return a hash of the output hashes of a lock file, which depends on nothing else in it."""
    return sha256_json(output_hashes(lock))


def proven_on(lock: Lock, report: Path = REPORT) -> dict[str, str]:
    """Return the processor on which a lock file was rebuilt; empty if none is recorded.

    Raises:
        UserError: the report does not have its fields.
    """
    if not report.is_file():
        return {}
    document = read_json(report)
    try:
        outputs = document["outputs"]
        processor = {key: document["processor"][key] for key in KEYS}
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{report}: {error}; remove the file; make verify writes it again"
        ) from error
    return processor if outputs == digest(lock) else {}


def remember(
    lock: Lock, processor: Processor, name: str, run: dict[str, Any], report: Path = REPORT
) -> None:
    """Write to the report that a run gave all bytes of a lock file.

    The report keeps runs of other names with the same lock file on the same kind of processor.
    """
    runs = {}
    if proven_on(lock, report).get("kind") == processor.kind:
        runs = dict(read_json(report).get("runs", {}))
    write_json(
        report,
        {
            "outputs": digest(lock),
            "processor": {"kind": processor.kind, "name": processor.name},
            "runs": runs | {name: run},
        },
    )
