"""Assign a stage such as `prod` to a released version, or remove it.

    python -m fonoteka promote wavlm_ctc v1.1.0 prod [--message TEXT] [--dry-run]
    python -m fonoteka promote wavlm_ctc v1.1.0 prod --unassign

Reads   the commit of the version, as `release` does; `release.stages` of the params.yaml that is
        here, because the limits of a stage are those of today
Writes  the tag `wavlm_ctc#prod#N`; nothing if a check fails (exit code 1) or cannot be decided (2)

One version has a stage at a time. gto takes the greatest version that was assigned, and dvc the one
that was assigned last. So that they agree after a return to an older version, the greater ones lose
the stage first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.git import entered, has_commit
from fonoteka.pipeline.diff.gate import page
from fonoteka.release import tags
from fonoteka.release.commit_clone import entered_clone
from fonoteka.release.examine import examine
from fonoteka.release.objection import Objections
from fonoteka.release.record import ReleaseRecord, require_text
from fonoteka.release.release import check_pushed
from fonoteka.release.release_params import ReleaseParams, stricter
from fonoteka.release.tags import ReleasedVersion


def run(
    name: str, version: str, stage: str, *, message: str, dry_run: bool, require_pushed: bool
) -> int:
    """Check a version against the limits of a stage, assign it, and return the exit code.

    Args:
        name: of the model.
        version: that was released.
        stage: of section `release`.
        message: of the user, for the tag.
        dry_run: whether to check alone.
        require_pushed: whether a package that the remote lacks is refused; else it is a warning.

    Raises:
        UserError: the version or the stage is unknown, or the model cannot have the stage.
    """
    require_text(message)
    with entered():
        params = load("release", ReleaseParams)
        limits = params.limits(name, stage)  # refused at once: without limits nothing is decided
        released, objections = _version(name, version), Objections()
        if not released.active:
            objections.add(f"{released.tag} was deregistered; release another version")
        if stage in released.stages:
            objections.add(f"{name} {version} has stage {stage} already")
        objections.attempt(tags.tagger)
        with entered_clone(released.commit):
            checked = examine(name, params, choice=lambda specs: stricter(specs, limits))
        objections.listed += checked.objections.listed
        _check_record(released, checked.record, objections)
        warning = check_pushed(checked, objections, require_pushed=require_pushed)
        title = f"{name} {version} -> {stage}"
        print(f"{title}, at {released.commit[:7]}\n\n{page(checked.rows)}")
        print(warning, end="\n" * bool(warning), file=sys.stderr)
        if objections.listed or checked.record is None:
            objections.print(title)
            return objections.code
        if dry_run:
            print("\nnothing was written")
            return 0
        lines = [f"{row.number} {row.value} (limit {row.limit})" for row in checked.numbers]
        text = "\n\n".join(part for part in (title, message.strip(), "\n".join(lines)) if part)
        written = _assign(released, stage, text)
        _print_written(written)
        return 0


def unassign(name: str, version: str, stage: str, *, message: str, dry_run: bool) -> int:
    """Remove a stage from a version, and return the exit code.

    If an older version had the stage before, it has it again.

    Raises:
        UserError: the version is unknown, or it does not have the stage.
    """
    require_text(message)
    with entered():
        released = _version(name, version)
        if stage not in released.stages:
            has = ", ".join(released.stages) or "no stage"
            raise UserError(f"{name} {version} does not have stage {stage}; it has {has}")
        if dry_run:
            print(f"{name} {version} has stage {stage}; nothing was written")
            return 0
        text = message.strip() or f"{name} {version} no longer has stage {stage}"
        written = [tags.unassign(name, version, stage, text)]
        # dvc takes the newest tag of a stage, so the version that has it now needs a newer one.
        for other in _holders(name, stage):
            again = f"{name} {other.version} -> {stage}\n\nafter {version} lost it"
            written.append(tags.assign(name, other.version, stage, again))
        if len(written) == 1:
            print(
                f"warning: no version has stage {stage} now, but dvc artifacts get --stage {stage} "
                f"still fetches {version}, because dvc does not read tags that remove a stage",
                file=sys.stderr,
            )
        _print_written(written)
        return 0


def _version(name: str, version: str) -> ReleasedVersion:
    if not has_commit():
        raise UserError("a stage is a tag of git, and this is not a git checkout with a commit")
    versions = {each.version: each for each in tags.released(name)}
    if version not in versions:
        names = ", ".join(versions) or "none"
        raise UserError(
            f"{name} has no version {version}, only {names}; release it first, or fetch the tags "
            "with git fetch --tags"
        )
    return versions[version]


def _holders(name: str, stage: str) -> list[ReleasedVersion]:
    return [each for each in tags.released(name) if stage in each.stages]


def _assign(released: ReleasedVersion, stage: str, text: str) -> list[str]:
    """Remove a stage from all greater versions, assign it to this one, and return the tags."""
    name, written = released.name, []
    while greater := [
        other for other in _holders(name, stage) if tags.is_greater(other.version, released.version)
    ]:
        reason = f"{name} {greater[0].version} no longer has stage {stage}: it returns to "
        tag = tags.unassign(name, greater[0].version, stage, reason + released.version)
        written.append(tag)
    return [*written, tags.assign(name, released.version, stage, text)]


def _check_record(
    released: ReleasedVersion, record: ReleaseRecord | None, objections: Objections
) -> None:
    """Object to a tag whose record is missing, or differs from what its commit has."""
    if released.record is None:
        objections.add(
            f"{released.tag} has no record, so fonoteka release did not write it; release a "
            "version with it"
        )
    elif record is not None and (parts := _differences(released.record, record)):
        objections.add(
            f"{released.tag} states another {parts[0]} than its commit has, so it is not what "
            "was checked; release another version"
        )


def _differences(stated: ReleaseRecord, computed: ReleaseRecord) -> list[str]:
    parts = [
        part for part in ("data", "licence", "package")
        if getattr(stated, part) != getattr(computed, part)
    ]  # fmt: skip
    numbers = sorted({*stated.numbers.items()} ^ {*computed.numbers.items()})
    return [*parts, *(number for number, _ in numbers)]


def _print_written(written: Sequence[str]) -> None:
    quoted = " ".join(f"'{tag}'" for tag in written)
    print(f"\ntagged {', '.join(written)}; publish with: git push origin {quoted}")
