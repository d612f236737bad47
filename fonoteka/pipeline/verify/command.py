"""Rebuild everything in an empty clone, and compare every output with `dvc.lock`.

    python -m fonoteka verify                        in a temporary clone of HEAD
    python -m fonoteka verify --vary surroundings    with another path, locale, time zone, umask,
                                                     file order, hash seed and number of cores
    python -m fonoteka verify --vary processor       with code for a processor without AVX
    python -m fonoteka verify --sample split         one stage alone, on cached inputs

Reads   the last commit; from the cache the recordings under data/raw that dvc tracks and, with
        --sample, the inputs of the stage
Writes  reports/verify.json, if every byte of a whole rebuild was the same
Params  verify, and the tolerances of gate

Exits 0 if all is the same, 1 if something differs, 2 if it cannot be decided.

The promise depends on the processor. Outputs of stages that are exact `here` may differ on another
kind than the one on which `dvc.lock` was rebuilt; then the numbers of section gate must be within
their tolerances. If `dvc.lock` was not rebuilt before, every byte must be the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from fonoteka.compute.processor import of_pipeline
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.params import PARAMS, load
from fonoteka.git import entered, listed, unclean
from fonoteka.pipeline import declared as contracts
from fonoteka.pipeline import lockfile, outputs, plan
from fonoteka.pipeline.declared import Declared
from fonoteka.pipeline.diff.gate import GateParams
from fonoteka.pipeline.revision import revision_of
from fonoteka.pipeline.runner.signals import stoppable
from fonoteka.pipeline.verify import environment as build_environment
from fonoteka.pipeline.verify import pinned_packages, record
from fonoteka.pipeline.verify.clean_clone import CleanClone, cloned
from fonoteka.pipeline.verify.environment import BuildEnvironment
from fonoteka.pipeline.verify.result import SAME, RebuildResult, VerifyParams
from fonoteka.pipeline.verify.tolerance import compare_numbers

ENVIRONMENTS = {
    "nothing": BuildEnvironment,
    "surroundings": build_environment.varied,
    "processor": build_environment.older_processor,
}


def run(vary: str = "nothing", sample: str | None = None) -> int:
    """Print the comparison of a rebuild with `dvc.lock`, and return the exit code.

    Args:
        vary: a key of `ENVIRONMENTS`.
        sample: a stage or a group of stages to rebuild; None for all.

    Raises:
        UserError: it cannot be decided.
    """
    with stoppable(), entered():
        result, notes = rebuild_and_compare(vary, sample)
    print(result.page())
    print(*result.sentences(), *notes, sep="\n", end="\n", file=sys.stderr)
    return result.code


def rebuild_and_compare(vary: str, sample: str | None) -> tuple[RebuildResult, list[str]]:
    """Rebuild, and return the comparison and further messages.

    Raises:
        UserError: it cannot be decided.
    """
    params, gate = load("verify", VerifyParams), load("gate", GateParams)
    declared, before = read_checkout()
    names = plan.match(sample, list(declared.stages)) if sample else list(declared.stages)
    machine, environment = of_pipeline(PARAMS), ENVIRONMENTS[vary]()
    print(
        f"processor: {machine.name} ({machine.kind})",
        *environment.differences,
        sep="\n",
        flush=True,
    )
    proven = record.proven_on(before)
    start_s = time.monotonic()
    with cloned(environment, declared.cache) as clone:
        after = rebuild(clone, declared, names, alone=sample is not None)
        compared = outputs.compare(before, after, declared.stages, names)
        # Inputs that only the rebuild shows to differ, such as recordings that were replaced.
        if outdated := outputs.outdated(before, after, names):
            refuse_outdated(outdated)
        # Rebuilt reports are read before the block removes the clone.
        numbers = compare_numbers(
            gate.numbers,
            (output.path for output in compared if output.got),
            revision_of("HEAD").report,
            lambda file: read_json(clone.folder / file),
        )
    duration_s = round(time.monotonic() - start_s, 1)
    processor = machine.older() if vary == "processor" else machine
    strays = [path for path in declared.strays if path in {output.path for output in compared}]
    report_counts = (len(listed(params.measured)), len(listed(params.retained)))
    result = RebuildResult(compared, numbers, strays, processor, proven, report_counts)
    # Only a whole rebuild with the present instructions and without a difference is a proof.
    if sample or vary == "processor" or result.code != SAME or not result.identical:
        return result, []
    record.remember(before, machine, vary, result.report() | {"seconds": duration_s})
    return result, [f"recorded in {record.REPORT}; commit it with dvc.lock"]


def read_checkout() -> tuple[Declared, outputs.Lock]:
    """Return the declared stages and `dvc.lock`, if a rebuild can be compared with them.

    Raises:
        UserError: there are uncommitted changes, packages that are not those of
            requirements.lock, or inputs that `dvc.lock` was not written with.
    """
    if changes := unclean(except_for=record.REPORT):
        raise UserError(
            f"{', '.join(changes[:5])}{' and more' if len(changes) > 5 else ''}: not as in the "
            "last commit, which is rebuilt; commit or remove the changes"
        )
    if wrong := pinned_packages.unpinned(Path("requirements.lock")):
        raise UserError(
            f"requirements.lock: {'; '.join(wrong[:3])}; install what it pins with make .venv"
        )
    declared = contracts.read(Path.cwd())
    if declared.changed:
        refuse_outdated(declared.changed)
    return declared, lockfile.read(Path("dvc.lock"))


def refuse_outdated(names: Sequence[str]) -> NoReturn:
    """Raise an error that names the inputs with which `dvc.lock` was not written.

    Raises:
        UserError: always.
    """
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    raise UserError(
        f"dvc.lock is out of date: it was written with another version of {', '.join(names[:5])}"
        f"{more}; run make repro and commit the files that it writes"
    )


def rebuild(
    clone: CleanClone, declared: Declared, names: Sequence[str], *, alone: bool
) -> outputs.Lock:
    """Rebuild all stages, or the named ones alone, and return the new lock file.

    Raises:
        UserError: a stage failed.
    """
    clone.pull(declared.read_by(names) if alone else list(declared.tracked))
    clone.remove_outputs(path for name in names for path in declared.stages[name].outputs)
    if clone.environment.reverse_order:
        clone.reverse_file_order()
    if not alone:
        if code := clone.build():
            raise UserError(f"the rebuild exited with {code}; its output is above")
    else:
        for name in names:
            if code := clone.build_alone(name):
                raise UserError(f"stage {name!r} exited with {code}; its output is above")
    return lockfile.read(clone.folder / "dvc.lock")
