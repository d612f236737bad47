"""Rebuild everything from nothing elsewhere, and hold every output to `dvc.lock`.

    python -m fonoteka verify                        as here, in a temporary clone of HEAD
    python -m fonoteka verify --vary surroundings    with another path, locale, time zone, umask,
                                                     order of files, seed of hashes and number of
                                                     cores
    python -m fonoteka verify --vary processor       as on an older processor of the same sort
    python -m fonoteka verify --sample split         one stage alone, on cached inputs

Reads   the last commit; of the cache at hand the recordings under data/raw that dvc tracks and,
        with --sample, what the stage reads
Writes  reports/verify.json, where every byte of a whole rebuild was the same
Params  verify, and the tolerances of gate

Exits 0 where all is the same, 1 where something differs, 2 where it can't be decided.

What has to be the same depends on the processor. Outputs of stages that are exact here may differ
on another kind than `dvc.lock` was rebuilt on; then the numbers of section gate have to be within
their tolerances. Where it isn't known what it was rebuilt on, every byte has to be the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.params import load
from fonoteka.git import entered, listed, unclean
from fonoteka.pipeline import declared as promises
from fonoteka.pipeline import dvc_api, lockfile, outputs
from fonoteka.pipeline.declared import Declared
from fonoteka.pipeline.diff.gate import GateParams
from fonoteka.pipeline.revision import revision_of
from fonoteka.pipeline.runner.run import stoppable
from fonoteka.pipeline.verify import cpu_kind, record
from fonoteka.pipeline.verify import environment as build_environment
from fonoteka.pipeline.verify.clean_clone import Copy, copied
from fonoteka.pipeline.verify.environment import Surroundings
from fonoteka.pipeline.verify.result import SAME, Answer, VerifyParams
from fonoteka.pipeline.verify.tolerance import held

AROUND = {
    "nothing": Surroundings,
    "surroundings": build_environment.varied,
    "processor": build_environment.aged,
}


def run(vary: str = "nothing", sample: str | None = None) -> int:
    """Print whether a rebuild gives what `dvc.lock` names, and return the exit code.

    Args:
        vary: one of `AROUND`.
        sample: a stage or a group of them, which alone is rebuilt.

    Raises:
        ValueError: it cannot be decided.
    """
    with stoppable(), entered():
        answer, said = compared(vary, sample)
    print(answer.page())
    print(*answer.sentences(), *said, sep="\n", end="\n", file=sys.stderr)
    return answer.code


def compared(vary: str, sample: str | None) -> tuple[Answer, list[str]]:
    """Rebuild and return what came of it, and what else a person is told.

    Raises:
        ValueError: it can't be decided.
    """
    params, gate = load("verify", VerifyParams), load("gate", GateParams)
    declared, before = asked_of_the_checkout()
    names = dvc_api.match(sample, list(declared.stages)) if sample else list(declared.stages)
    machine, around = cpu_kind.processor(), AROUND[vary]()
    print(f"processor: {machine.name} ({machine.kind})", *around.said, sep="\n", flush=True)
    proven = record.proven_on(before)
    begin_s = time.monotonic()
    with copied(around, declared.cache) as copy:
        after = rebuilt(copy, declared, names, alone=sample is not None)
        found = outputs.compare(before, after, declared.stages, names)
        if old := outputs.outdated(before, after, names):
            refuse_outdated(old)
        numbers = held(
            gate.numbers,
            (one.path for one in found if one.got),
            revision_of("HEAD").report,
            lambda file: read_json(copy.folder / file),
        )
    took_s = round(time.monotonic() - begin_s, 1)
    here = machine.older() if vary == "processor" else machine
    strays = [path for path in declared.strays if path in {one.path for one in found}]
    counted = [len(listed(paths)) for paths in (params.measured, params.kept)]
    answer = Answer(found, numbers, strays, here, proven, (counted[0], counted[1]))
    if sample or vary == "processor" or answer.code != SAME or not answer.to_the_byte:
        return answer, []
    record.remember(before, machine, vary, answer.report() | {"seconds": took_s})
    return answer, [f"{record.REPORT} says so; commit it with dvc.lock"]


def asked_of_the_checkout() -> tuple[Declared, outputs.Lock]:
    """Return what is declared and promised, where it can be held to anything.

    Raises:
        ValueError: there are changes that no commit has, packages that are not those of
            requirements.lock, or things that `dvc.lock` was not written with.
    """
    if changes := unclean(except_for=record.REPORT):
        raise UserError(
            f"{', '.join(changes[:5])}{' and more' if len(changes) > 5 else ''}: not as in the "
            "last commit, which is what is rebuilt; commit or remove the changes"
        )
    if wrong := cpu_kind.unpinned(Path("requirements.lock")):
        raise UserError(
            f"requirements.lock: {'; '.join(wrong[:3])}; install what it pins with make .venv"
        )
    declared = promises.read(Path.cwd())
    if declared.changed:
        refuse_outdated(declared.changed)
    return declared, lockfile.read(Path("dvc.lock"))


def refuse_outdated(what: Sequence[str]) -> NoReturn:
    """Say that `dvc.lock` is not that of the commit.

    Raises:
        ValueError: always.
    """
    more = f" and {len(what) - 5} more" if len(what) > 5 else ""
    raise UserError(
        f"dvc.lock is out of date: it was written with another version of {', '.join(what[:5])}"
        f"{more}; run make repro and commit what it writes"
    )


def rebuilt(copy: Copy, declared: Declared, names: Sequence[str], *, alone: bool) -> outputs.Lock:
    """Rebuild all stages, or the named ones alone, and return the lock file that came of it.

    Raises:
        ValueError: a stage failed.
    """
    copy.take(declared.read_by(names) if alone else list(declared.tracked))
    copy.forget(path for name in names for path in declared.stages[name].outputs)
    if copy.around.backwards:
        copy.turn_round()
    if not alone:
        if code := copy.build():
            raise UserError(f"the rebuild ended with {code}; what it said is above")
    else:
        for name in names:
            if code := copy.build_alone(name):
                raise UserError(f"stage {name!r} ended with {code}; what it said is above")
    return lockfile.read(copy.folder / "dvc.lock")
