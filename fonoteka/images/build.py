"""Build an image with docker or podman, and name it by what decides its packages.

    python -m fonoteka.images.build serve|train [--print-tag] [OPTIONS of `build`]

Reads  Dockerfile or Dockerfile.train, requirements.lock, requirements-serve.lock for serve

The tag is a hash of these files: an image with this tag need not be built again unless the code
has changed, which label `revision` names. PIP_INDEX_URL and PIP_EXTRA_INDEX_URL are passed on.
Python's own library is enough to run this module, so that a host needs no environment.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import FAILED, run_command

DOCKERFILES = {"serve": "Dockerfile", "train": "Dockerfile.train"}
LOCK = "requirements.lock"
LOCKS = {"serve": (LOCK, "requirements-serve.lock"), "train": (LOCK,)}
"""The service has a part of the packages, and the part may change while the whole does not."""
TAG_DIGITS = 12
PASSED_ON = {
    "PIP_INDEX_URL": "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL": "PIP_EXTRA_INDEX_URL",
    "BASE": "BASE_IMAGE", "SOURCE": "SOURCE", "SYSTEM_PACKAGES": "SYSTEM_PACKAGES",
}  # fmt: skip
"""Build arguments, each with the variable of the environment that sets it."""


def image_tag(project: Path, image: str) -> str:
    """Return the name and tag of an image, such as `fonoteka-serve:0123456789ab`.

    Raises:
        UserError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in (DOCKERFILES[image], *LOCKS[image]):
        try:
            content = (project / name).read_bytes()
        except OSError as error:
            raise UserError(f"{project / name}: {error.strerror}; run in a checkout") from error
        digest.update(len(content).to_bytes(8, "big") + content)
    return f"fonoteka-{image}:{digest.hexdigest()[:TAG_DIGITS]}"


def find_engine() -> str:
    """Return `docker` if its daemon answers, else `podman`.

    Raises:
        UserError: there is neither.
    """
    if shutil.which("docker"):
        done = subprocess.run(["docker", "info"], capture_output=True, check=False)
        if done.returncode == 0:
            return "docker"
    if shutil.which("podman"):
        return "podman"
    raise UserError("neither docker with a running daemon nor podman is here; install one of them")


def build_command(engine: str, project: Path, image: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command that builds an image, tagged with its hash and as `local`.

    Args:
        engine: `docker` or `podman`.
        project: the checkout, whose files are the context of the build.
        image: `serve` or `train`.
        options: further ones of `build`.
    """
    metadata = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = {
        "REVISION": _git(project, "describe", "--always", "--dirty", "--abbrev=40"),
        "VERSION": metadata["version"],
    }
    values = labels | {name: os.environ.get(variable) for name, variable in PASSED_ON.items()}
    arguments = [f"--build-arg={name}={v}" for name, v in values.items() if v is not None]
    # podman's own format has no health check.
    form = ["--format=docker"] if engine == "podman" else []
    tags = [f"--tag={image_tag(project, image)}", f"--tag=fonoteka-{image}:local"]
    file = f"--file={project / DOCKERFILES[image]}"
    return [engine, "build", *form, *tags, file, *arguments, *options, str(project)]


def _git(project: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *words], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:  # a checkout of a tar file, on a host without git
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def main(arguments: Sequence[str]) -> int:
    """Build an image, or print its tag; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", choices=sorted(DOCKERFILES))
    parser.add_argument("--print-tag", action="store_true", help="build nothing")
    args, options = parser.parse_known_args(arguments)
    project = Path.cwd()
    tag = image_tag(project, args.image)
    if not args.print_tag:
        done = subprocess.run(
            build_command(find_engine(), project, args.image, options), check=False
        )
        if done.returncode:
            raise UserError(f"{tag}: the build failed with exit code {done.returncode}")
    print(tag)
    return 0


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), undecided=FAILED)
