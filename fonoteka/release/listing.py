"""List the released versions of models, from the tags alone.

    python -m fonoteka releases [NAME] [--json]

Reads   the tags of git
Writes  nothing

With a name, a second table has the numbers of each version side by side.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from fonoteka.core.errors import UserError
from fonoteka.git import entered, git, has_commit
from fonoteka.pipeline.remote.urls import masked
from fonoteka.release import tags
from fonoteka.release.tags import ReleasedVersion
from fonoteka.reporting.text_table import table

HEADER = ("model", "version", "stages", "date", "tagger", "data", "licence")


def run(name: str, *, as_json: bool) -> int:
    """Print the versions of a model, or of all, and return the exit code.

    Raises:
        UserError: this is not a git checkout, or the model has no version.
    """
    with entered():
        if not has_commit():
            raise UserError(
                "releases are tags of git, and this is not a git checkout with a commit"
            )
        versions = tags.released(name)
        if name and not versions:
            raise UserError(f"{name} has no version; release one, or run git fetch --tags")
        url = _url()
        if as_json:
            entries = [_entry(version, url) for version in versions]
            print(json.dumps(entries, ensure_ascii=False, indent=2))
        else:
            print(_text(versions, url, with_numbers=bool(name)))
    return 0


def _text(versions: Sequence[ReleasedVersion], url: str, *, with_numbers: bool) -> str:
    if not versions:
        return "no version was released; release one with fonoteka release NAME v1.0.0"
    parts = [table(HEADER, [_cells(version) for version in versions], left=range(len(HEADER)))]
    if with_numbers:
        parts.append(_numbers(versions))
    newest = {version.name: version for version in reversed(versions) if version.active}
    lines = [_fetch(version, url) for version in newest.values()]
    lines += [_fetch(v, url, stage) for v in versions for stage in v.stages]
    parts.append("\n  ".join(["fetch with:", *lines]))
    return "\n\n".join(parts)


def _cells(version: ReleasedVersion) -> list[str | None]:
    record = version.record
    state = ", ".join(version.stages) if version.active else "deregistered"
    return [
        version.name, version.version, state or None, version.created[:10], version.tagger,
        record.data if record else None,
        record.licence if record else "no record: not written by fonoteka release",
    ]  # fmt: skip


def _numbers(versions: Sequence[ReleasedVersion]) -> str:
    """Return the table of numbers: one column per version, the greatest first."""
    records = [version.record for version in versions]
    numbers = sorted({number for record in records if record for number in record.numbers})
    rows = [[n, *(r.numbers.get(n) if r else None for r in records)] for n in numbers]
    return table(("number", *(version.version for version in versions)), rows)


def _entry(version: ReleasedVersion, url: str) -> dict[str, object]:
    record = version.record
    entry = asdict(version) | {"record": asdict(record) if record else None}
    return entry | {"fetch": _fetch(version, url)}


def _fetch(version: ReleasedVersion, url: str, stage: str = "") -> str:
    selected = f"--stage {stage}" if stage else f"--rev {version.version}"
    return f"dvc artifacts get {url} {tags.full_name(version.name)} {selected}"


def _url() -> str:
    """Return the address of the repository for others, without secrets; `URL` if it has none."""
    try:
        return masked(git("remote", "get-url", "origin").strip())
    except UserError:
        return "URL"
