"""Runs the code blocks of a page of docs/ against a service at any address."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

LIMIT_S = 120
_BLOCK = re.compile(r"^## ([^\n]+)$|^```(bash|python|javascript)\n(.*?)^```$", re.M | re.S)
_ENDINGS = {"bash": ".sh", "python": ".py", "javascript": ".mjs"}


class DocExample(NamedTuple):
    """A block with the heading above it."""

    heading: str
    language: str
    code: str


def examples(page: Path) -> list[DocExample]:
    """Return the blocks of a page, in order."""
    heading, result = "", []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        heading = match[1] or heading
        if match[2]:
            result.append(DocExample(heading, match[2], match[3]))
    return result


def missing_program(language: str) -> str | None:
    """Return what this machine lacks to run a language, or None."""
    program = {"bash": "curl", "python": sys.executable, "javascript": "node"}[language]
    return None if shutil.which(program) else program


def run_example(example: DocExample, folder: Path, url: str, key: str | None = None):
    """Run a block in a folder with `speech.wav`, and return the finished process."""
    script = folder / f"example{_ENDINGS[example.language]}"
    script.write_text(example.code, encoding="utf-8")
    environment = {**os.environ, "FONOTEKA_URL": url, "PYTHONUNBUFFERED": "1"}
    environment.pop("FONOTEKA_KEY", None)
    if key:
        environment["FONOTEKA_KEY"] = key
    return subprocess.run(
        [*_command(example.language), script.name],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip


def _command(language: str) -> list[str]:
    if language == "bash":
        return ["bash", "-euo", "pipefail"]
    if language == "python":
        return [sys.executable, "-W", "error"]
    # Node has a WebSocket without an option from 22 on.
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True)
    major = int(version.stdout.lstrip("v").partition(".")[0])
    return ["node", *(["--no-warnings", "--experimental-websocket"] if major < 22 else [])]
