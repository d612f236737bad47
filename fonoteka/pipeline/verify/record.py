"""Remember on which kind of processor `dvc.lock` was rebuilt byte for byte.

Bytes that differ on another kind of processor are as promised; on the same kind they are a fault.
Nothing in `dvc.lock` tells where it was written, so a rebuild that gave its very bytes is the
proof, and `reports/verify.json`, committed with it, is where it stands. A proof of another
`dvc.lock` is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_json, write_json
from fonoteka.pipeline.outputs import Lock, made
from fonoteka.pipeline.verify.cpu_kind import Processor

REPORT = Path("reports/verify.json")
KEYS = ("kind", "name")


def digest(lock: Lock) -> str:
    """Return what changes when the hash of an output does, and with nothing else."""
    return sha256_json(made(lock))


def proven_on(lock: Lock, report: Path = REPORT) -> dict[str, str]:
    """Return the processor on which a lock file was rebuilt; empty where no one knows.

    Raises:
        ValueError: there is a report that isn't one.
    """
    if not report.is_file():
        return {}
    told = read_json(report)
    try:
        outputs, processor = told["outputs"], {key: told["processor"][key] for key in KEYS}
    except (KeyError, TypeError) as error:
        raise UserError(f"{report}: {error}; remove the file, make verify writes it") from error
    return processor if outputs == digest(lock) else {}


def remember(
    lock: Lock, processor: Processor, name: str, run: dict[str, Any], report: Path = REPORT
) -> None:
    """Write down that a run gave all bytes of a lock file.

    Runs of other names with this very lock file on this very kind of processor are kept.
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
