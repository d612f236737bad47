"""Where and how a pipeline is rebuilt: as here, or with all changed that must not matter."""

from __future__ import annotations

import locale
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.core.cpu_count import worker_count
from fonoteka.pipeline.verify.cpu_kind import OLDER

# The first that is installed. Turkish has another small I, German another decimal point; C is
# always there and knows ASCII alone.
LOCALES = ("tr_TR.utf8", "de_DE.utf8", "C")
ZONE = "<+0545>-5:45"  # that of Nepal, in the form that needs no data base of zones
HASH_SEED = "20231"


@dataclass(frozen=True)
class Surroundings:
    """What surrounds a rebuild.

    Attributes:
        folder: name of the folder that it happens in.
        said: what is otherwise than here, a few words each.
        variables: of the environment, set beside those there are.
        umask: of new files; None for that of this process.
        cores: numbers of the cores to use; empty for those of this process.
        backwards: whether files are made in the reverse of their order.
    """

    folder: str = "fonoteka"
    said: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    umask: int | None = None
    cores: tuple[int, ...] = ()
    backwards: bool = False


def varied() -> Surroundings:
    """Return surroundings in which all differs from here that a result must not depend on."""
    here = current_umask()
    umask = 0o077 if here != 0o077 else 0o022
    tongue = next(name for name in LOCALES if name == "C" or name in installed_locales())
    if tongue == locale.setlocale(locale.LC_CTYPE):
        tongue = "C.UTF-8"
    folder = "fonoteka, šuma 2"
    cores, counted = _one_core()
    return Surroundings(
        folder,
        (
            f"path: with {folder!r} in it",
            f"locale: {tongue}",
            f"time zone: {ZONE}",
            f"umask: {umask:03o}",
            "files: made in reverse order",
            f"PYTHONHASHSEED: {HASH_SEED}",
            counted,
        ),
        {"LC_ALL": tongue, "TZ": ZONE, "PYTHONHASHSEED": HASH_SEED},
        umask,
        cores,
        backwards=True,
    )


def aged() -> Surroundings:
    """Return surroundings in which the libraries do as on an older processor of the same sort."""
    return Surroundings(said=("processor: no AVX and nothing that came after",), variables=OLDER)


def _one_core() -> tuple[tuple[int, ...], str]:
    """Return the cores to use and what is said of them."""
    if not hasattr(os, "sched_getaffinity"):
        return (), "cores: not varied, since this system binds no process to cores"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return (), "cores: not varied, since there is one alone"
    return (cores[-1],), f"cores: 1 of {len(cores)}"


def installed_locales() -> list[str]:
    """Return the names of the locales that are installed; none where nobody can say."""
    try:
        done = subprocess.run(["locale", "-a"], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.split()


def current_umask() -> int:
    """Return the umask of this process; the system tells it only while it sets another."""
    now = os.umask(0o077)
    os.umask(now)
    return now


@contextmanager
def entered(around: Surroundings) -> Iterator[None]:
    """Have the umask and the cores of some surroundings inside the block, and so in children."""
    mask = current_umask()
    cores = os.sched_getaffinity(0) if around.cores else None
    try:
        if around.umask is not None:
            os.umask(around.umask)
        if cores is not None:
            os.sched_setaffinity(0, around.cores)
        yield
    finally:
        os.umask(mask)
        if cores is not None:
            os.sched_setaffinity(0, cores)


def variables(around: Surroundings, site: Path) -> dict[str, str]:
    """Return the whole environment of a command in some surroundings.

    What git, dvc or Python were told of the checkout at hand stays behind: it would lead the
    command out of its own. What is set by GIT_CONFIG_*, such as `safe.directory`, stays, because
    without it git may refuse to clone. `site` is for dvc's locks and notes.
    """
    led = ("GIT_", "DVC_", "PYTHONPATH", "PYTHONHOME")
    kept = {
        name: said
        for name, said in os.environ.items()
        if not name.startswith(led) or name.startswith("GIT_CONFIG_")
    }
    tools = Path(sys.executable).parent
    return kept | {
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "DVC_SITE_CACHE_DIR": str(site),
        "DVC_NO_ANALYTICS": "1",
        "PYTHONUNBUFFERED": "1",
        **around.variables,
    }


def jobs(around: Surroundings) -> int:
    """Return how many stages may run side by side."""
    return len(around.cores) or worker_count()
