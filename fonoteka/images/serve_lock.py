"""Write requirements-serve.lock: the packages of requirements.lock that serving needs.

    python -m fonoteka.images.serve_lock [--check]

Reads   requirements.lock, and what the installed packages declare to need
Writes  requirements-serve.lock

The service recognises with onnxruntime, so that torch, transformers and scikit-learn, which only
training imports, are left out: 6.5 GB of 6.9. tests/containers compares the list with the imports
of the service, and runs the service with every other package blocked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text
from fonoteka.core.run_stage import FAILED, run_command

LOCK, SERVE_LOCK = Path("requirements.lock"), Path("requirements-serve.lock")
HEADER = "# Made by `make requirements-serve` from requirements.lock: what `fonoteka serve` needs."

DIRECT = (
    "espeakng-loader", "fastapi", "fastapi-offline", "fastcrc", "filelock", "h11", "jiwer",
    "miniaudio", "numpy", "onnxruntime", "prometheus-client", "psutil", "pydantic",
    "python-multipart", "pyyaml", "rapidfuzz", "scipy", "silero-vad", "soundfile", "starlette",
    "typer", "uvicorn", "webrtcvad-wheels", "websockets",
)  # fmt: skip
"""Packages that the service imports, or whose files it reads."""

NOT_NEEDED = {
    "silero-vad": {"torch", "torchaudio"},  # its ONNX file is read, the package is not imported
}
"""Requirements of a package that the service does without."""


def needed(direct: Sequence[str] = DIRECT) -> set[str]:
    """Return the canonical names of packages with all that they need, on this system.

    Raises:
        UserError: one of them is not installed.
    """
    names: set[str] = set()
    todo: list[str] = [canonicalize_name(name) for name in direct]
    while todo:
        name = todo.pop()
        if name not in names:
            names.add(name)
            todo += _requirements(name)
    return names


def _requirements(name: str) -> list[str]:
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError as error:
        raise UserError(f"the package {name} is not installed; run make .venv") from error
    wanted = [Requirement(line) for line in lines]
    wanted_names = [
        canonicalize_name(each.name)
        for each in wanted
        if each.marker is None or each.marker.evaluate({"extra": ""})
    ]
    return [each for each in wanted_names if each not in NOT_NEEDED.get(name, ())]


def serve_lock(lock: str, names: set[str]) -> str:
    """Return the lines of a lock file that pin some packages, below a line that says so.

    Args:
        lock: contents of requirements.lock.
        names: canonical names.

    Raises:
        UserError: the lock file lacks one of them.
    """
    lines = {
        canonicalize_name(line.partition("==")[0]): line
        for line in lock.splitlines()
        if line and not line.startswith("#")
    }
    if missing := sorted(names - {*lines}):
        raise UserError(f"{LOCK}: lacks {', '.join(missing)}; run make requirements")
    pinned = [line for name, line in lines.items() if name in names]
    return "\n".join([HEADER, *pinned, ""])


def write(check: bool) -> None:
    """Write the file, or only compare it.

    Raises:
        UserError: it is to be compared and differs.
    """
    text = serve_lock(LOCK.read_text(encoding="utf-8"), needed())
    if not check:
        write_text(SERVE_LOCK, text)
    elif not SERVE_LOCK.is_file() or SERVE_LOCK.read_text(encoding="utf-8") != text:
        raise UserError(f"{SERVE_LOCK}: not made from {LOCK}; run make requirements-serve")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    arguments = parser.parse_args(sys.argv[1:])
    run_command(lambda: write(arguments.check), undecided=FAILED)
