"""Start the service in a container, after checks of what only a container can have wrong.

    python -m fonoteka.images.entrypoint [OPTIONS of `fonoteka serve`]

Reads  FONOTEKA_PORT; the folder of packages that is mounted at data/models

A missing mount is an empty folder to a process, and a mount of another user cannot be read: the
service would run and offer nothing. A taken port and a file of keys are checked by the service.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import dvc_top

PORT = "FONOTEKA_PORT"
MODELS = Path("data/models")
GATED = ("params.yaml", "dvc.lock", "reports")
"""Files and folders of a project that the gates read."""


def serve_arguments(options: Sequence[str], port: str) -> list[str]:
    """Return the command line of the service: all addresses of the container, the image's port.

    Args:
        options: of `fonoteka serve`, as they follow the image's name.
        port: value of FONOTEKA_PORT.

    Raises:
        UserError: the port is not one, or is set by an option, which the health check cannot see.

    >>> serve_arguments(["--no-gates"], "8080")
    ['serve', '--host', '0.0.0.0', '--port', '8080', '--no-gates']
    """
    if not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise UserError(f"{PORT} is {port!r}; expected a port from 1 to 65535")
    if any(word == "--port" or word.startswith("--port=") for word in options):
        raise UserError(
            f"--port is fixed in a container, because its health check uses {PORT}; publish "
            f"another port of the host with -p 9000:{port}, or set {PORT}"
        )
    host = [] if "--host" in options else ["--host", "0.0.0.0"]  # noqa: S104
    return ["serve", *host, "--port", port, *options]


def check_models(folder: Path) -> None:
    """Check that a folder has packages that this process can read.

    Raises:
        UserError: it is missing or empty, or a folder in it cannot be read.
    """
    mount = f"mount data/models of a checkout with -v $PWD/data/models:{folder.resolve()}:ro"
    if not folder.is_dir():
        raise UserError(f"{folder.resolve()}: no such folder; {mount}")
    try:
        packages = [*folder.glob("*/package.json"), *folder.glob("*/*/package.json")]
        unreadable = [path for path in (folder, *_folders(folder)) if not _is_readable(path)]
    except PermissionError as error:
        unreadable, packages = [Path(error.filename or folder)], []
    if unreadable:
        raise UserError(
            f"{unreadable[0].resolve()}: cannot be read by user {os.geteuid()} of the container; "
            "run chmod -R a+rX on the folder of the host, or start the container as its owner with "
            "--user"
        )
    if not packages:
        raise UserError(f"{folder.resolve()}: no package of a model is in it; {mount}")


def _folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir()]


def _is_readable(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK)


def check_gates(models: Path) -> None:
    """Check that the numbers of the models can be compared with their limits.

    Raises:
        UserError: the folder is in no project, or a file that the gates read is not mounted.
    """
    root = dvc_top(models)
    missing = [name for name in GATED if root is None or not (root / name).exists()]
    if missing:
        raise UserError(
            f"{root or models.resolve()}: {', '.join(missing)} missing, so no number of a model "
            "can be compared with its limit; mount what compose.yaml mounts, or add --no-gates"
        )


def check_temporary_folder() -> None:
    """Check that uploads can be written.

    Raises:
        UserError: no folder for temporary files can be written.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise UserError(
            "no folder for temporary files can be written; with --read-only, add --tmpfs /tmp"
        ) from error


def main(options: Sequence[str]) -> None:
    """Check the container, then replace this process by the service, which then gets signals."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--models", type=Path, default=MODELS)
    arguments = serve_arguments(options, os.environ.get(PORT, "8080"))
    if "--help" not in options:
        check_temporary_folder()
        models = parser.parse_known_args(options)[0].models
        check_models(models)
        if "--no-gates" not in options:
            check_gates(models)
    command = [sys.executable, "-m", "fonoteka", *arguments]
    os.execv(command[0], command)  # noqa: S606 - without a shell, which would keep SIGTERM


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), undecided=FAILED)
