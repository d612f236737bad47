"""The versions of decoders that no version of a Python package states."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

import soundfile as sf


def libsndfile_version() -> str:
    """Return the version of libsndfile: of the package `soundfile`, or of the system."""
    return str(sf.__libsndfile_version__)


@cache
def ffmpeg_version() -> str:
    """Return the versions of ffmpeg and its libraries; empty if it is not installed.

    The program takes 0.1 s to state them, a tenth of what it takes to read 10,000 unchanged files.
    """
    program = shutil.which("ffmpeg")
    if not program:
        return ""
    command = [program, "-hide_banner", "-version"]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout
