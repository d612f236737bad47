"""The environment of a rebuild: the present one, or one with every irrelevant setting changed."""

from __future__ import annotations

import locale
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.compute.cache_folder import CACHE_VARIABLE, OFF
from fonoteka.compute.processor import OLDER
from fonoteka.core.cpu_count import worker_count

# The first that is installed. Turkish has another lower case of I, German another decimal point;
# C is always installed and has ASCII alone.
LOCALES = ("tr_TR.utf8", "de_DE.utf8", "C")
ZONE = "<+0545>-5:45"  # Nepal, in the form that needs no time zone database
HASH_SEED = "20231"


@dataclass(frozen=True)
class BuildEnvironment:
    """The environment of a rebuild.

    Attributes:
        folder: name of the folder with the clone.
        differences: one phrase per difference from the present environment.
        variables: environment variables to add or replace.
        umask: of new files; None for the one of this process.
        cores: numbers of the cores to use; empty for those of this process.
        reverse_order: whether files are created in reverse order.
    """

    folder: str = "fonoteka"
    differences: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    umask: int | None = None
    cores: tuple[int, ...] = ()
    reverse_order: bool = False


def varied() -> BuildEnvironment:
    """Return an environment that differs in everything that a result must not depend on."""
    umask = 0o077 if current_umask() != 0o077 else 0o022
    language = next(name for name in LOCALES if name == "C" or name in installed_locales())
    if language == locale.setlocale(locale.LC_CTYPE):
        language = "C.UTF-8"
    # Paths are most often broken at spaces, commas and letters outside ASCII.
    folder = "fonoteka, šuma 2"
    cores, core_difference = _one_core()
    return BuildEnvironment(
        folder,
        (
            f"path: with {folder!r} in it",
            f"locale: {language}",
            f"time zone: {ZONE}",
            f"umask: {umask:03o}",
            "files: created in reverse order",
            f"PYTHONHASHSEED: {HASH_SEED}",
            core_difference,
        ),
        {"LC_ALL": language, "TZ": ZONE, "PYTHONHASHSEED": HASH_SEED},
        umask,
        cores,
        reverse_order=True,
    )


def older_processor() -> BuildEnvironment:
    """Return an environment in which libraries use the code of a processor without AVX."""
    return BuildEnvironment(
        differences=("processor: without AVX and later instructions",), variables=OLDER
    )


def _one_core() -> tuple[tuple[int, ...], str]:
    """Return the cores to use and the phrase for `differences`."""
    if not hasattr(os, "sched_getaffinity"):
        return (), "cores: not varied, because this system cannot bind a process to cores"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return (), "cores: not varied, because there is only one"
    return (cores[-1],), f"cores: 1 of {len(cores)}"


def installed_locales() -> list[str]:
    """Return the names of the installed locales; empty if there is no command `locale`."""
    try:
        done = subprocess.run(["locale", "-a"], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.split()


def current_umask() -> int:
    """Return the umask of this process, which can only be read by setting another."""
    now = os.umask(0o077)
    os.umask(now)
    return now


@contextmanager
def applied(environment: BuildEnvironment) -> Iterator[None]:
    """Set the umask and the cores of an environment inside the block; children inherit them."""
    mask = current_umask()
    cores = os.sched_getaffinity(0) if environment.cores else None
    try:
        if environment.umask is not None:
            os.umask(environment.umask)
        if cores is not None:
            os.sched_setaffinity(0, environment.cores)
        yield
    finally:
        os.umask(mask)
        if cores is not None:
            os.sched_setaffinity(0, cores)


def variables(environment: BuildEnvironment, site: Path) -> dict[str, str]:
    """Return all environment variables of a command in an environment.

    Variables that point git, dvc or Python to the present checkout are removed, because they would
    lead the command out of the clone. GIT_CONFIG_*, such as `safe.directory`, stays, because
    without it git may refuse to clone. Results of clips are computed, not taken from a cache: a
    rebuild from stored results would prove nothing. `site` is the folder for dvc's locks and state.
    """
    of_checkout = ("GIT_", "DVC_", "PYTHONPATH", "PYTHONHOME")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(of_checkout) or name.startswith("GIT_CONFIG_")
    }
    tools = Path(sys.executable).parent
    return inherited | {
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "DVC_SITE_CACHE_DIR": str(site),
        "DVC_NO_ANALYTICS": "1",
        CACHE_VARIABLE: OFF,
        "PYTHONUNBUFFERED": "1",
        **environment.variables,
    }


def jobs(environment: BuildEnvironment) -> int:
    """Return how many stages may run in parallel."""
    return len(environment.cores) or worker_count()
