"""Run a command on the mounted checkout, after a check that the image has the checkout's packages.

    python train_entrypoint.py COMMAND [ARGUMENT ...]

Reads  requirements.lock of the checkout and of the image

It imports nothing of this project, because the checkout's code is what the command runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

LOCK = "requirements.lock"


def problem_of(project: Path, image: Path, command: Sequence[str]) -> str | None:
    """Return why a command cannot run, in one sentence, or None.

    Args:
        project: the folder that the checkout is mounted at.
        image: the folder with the image's lock.
        command: the program and its arguments.
    """
    if not command:
        return "no command; name one, for example make repro"
    if not (project / LOCK).is_file():
        return f"{project}: no checkout of the project; mount one with -v $PWD:{project}"
    if (project / LOCK).read_bytes() != (image / LOCK).read_bytes():
        return (
            f"{project / LOCK}: differs from the packages of this image; build the image of this "
            "revision with make image-train"
        )
    if not os.access(project, os.W_OK):
        owner = project.stat().st_uid
        return (
            f"{project}: cannot be written by user {os.geteuid()}, and belongs to {owner}; start "
            f"the container with --user {owner}"
        )
    return None


def main(command: Sequence[str]) -> None:
    """Check the checkout, then replace this process by the command, which then gets signals."""
    problem = problem_of(Path.cwd(), Path(__file__).resolve().parent, command)
    if problem is None:
        try:
            os.execvp(command[0], [*command])  # noqa: S606 - a shell would keep SIGTERM
        except OSError as error:
            problem = f"{command[0]}: {error.strerror}"
    sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main(sys.argv[1:])
