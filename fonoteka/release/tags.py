"""Read and write the tags of releases through gto, whose form `gto show` and dvc read.

    wavlm_ctc@v1.1.0       a version
    wavlm_ctc#prod#2       the version at this commit has stage prod
    wavlm_ctc#prod!#3      the version at this commit no longer has it

If the project is a folder of a larger repository, the tag begins with `folder=`, as dvc expects it.

gto orders tags by their time in seconds, and two tags of one second by name, so this module never
writes two tags of a model in the same second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.git import git, git_top, prefix
from fonoteka.release.record import ReleaseRecord, parse_record

NO_TAGGER = (
    "git does not have your name and address, which a tag needs; set user.name and user.email "
    "with git config"
)
LATEST_S = 2.0
"""How far the newest tag may be in the future; a longer wait would hide a wrong clock."""


@dataclass(frozen=True)
class ReleasedVersion:
    """A version of a model.

    Attributes:
        name: of the model.
        version: such as `v1.1.0`.
        tag: its name.
        commit: full hash.
        created: time of the tag in UTC, ISO 8601.
        tagger: name and address.
        message: of the tag.
        stages: that this version has now.
        active: False if gto deregistered it.
    """

    name: str
    version: str
    tag: str
    commit: str
    created: str
    tagger: str
    message: str
    stages: tuple[str, ...]
    active: bool

    @property
    def record(self) -> ReleaseRecord | None:
        """The record of the release; None if another program wrote the tag."""
        return parse_record(self.message)


def full_name(name: str) -> str:
    """Return the name of a model for gto and dvc: with the folder of the project in git."""
    folder = prefix().rstrip("/")
    return f"{folder}:{name}" if folder else name


def is_semantic(version: str) -> bool:
    """Return whether a version is semantic with a `v`, as gto expects it.

    >>> [is_semantic(text) for text in ("v1.0.0", "v1.0.0-rc.1", "1.0.0", "v1.0", "", "v01.0.0")]
    [True, True, False, False, False, False]
    """
    from gto.versions import SemVer

    return bool(SemVer.is_valid(version))  # type: ignore[no-untyped-call]


def is_greater(version: str, other: str) -> bool:
    """Return whether a version is greater than another.

    >>> is_greater("v1.10.0", "v1.9.0"), is_greater("v1.0.0-rc.1", "v1.0.0")
    (True, False)
    """
    from gto.versions import SemVer

    return bool(SemVer(version) > SemVer(other))


def released(name: str = "") -> list[ReleasedVersion]:
    """Return the versions of a model, or of all models of this project, the greatest first.

    Raises:
        UserError: gto cannot read the tags.
    """
    with _registry() as registry:
        artifacts = registry.get_state().get_artifacts()
        folder = full_name("")
        names = [full_name(name)] if name else sorted(n for n in artifacts if _is_ours(n, folder))
        return [
            version
            for each in names
            if each in artifacts
            for version in _versions(each.removeprefix(folder), artifacts[each])
        ]


def _is_ours(name: str, folder: str) -> bool:
    return name.startswith(folder) if folder else ":" not in name


def _versions(name: str, artifact: Any) -> Iterator[ReleasedVersion]:
    stages = artifact.get_vstages(registered_only=True)  # by stage; one version each
    for version in artifact.get_versions(active_only=False):
        if version.is_registered:
            event = version.registrations[-1]
            yield ReleasedVersion(
                name, version.version, event.tag, version.commit_hexsha,
                created=event.created_at.astimezone(UTC).isoformat(),
                tagger=f"{event.author} <{event.author_email}>",
                message=event.message,
                stages=tuple(
                    sorted(s for s, had in stages.items() if had[0].version == version.version)
                ),
                active=version.is_active,
            )  # fmt: skip


def tagger() -> tuple[str, str]:
    """Return the name and the address that git writes into a tag.

    Raises:
        UserError: git has none.
    """
    try:
        person = git("var", "GIT_COMMITTER_IDENT")
    except UserError as error:
        raise UserError(NO_TAGGER) from error
    name, _, rest = person.rpartition(" <")
    email = rest.partition(">")[0]
    if not (name and email):
        raise UserError(NO_TAGGER)
    return name, email


def register(name: str, version: str, commit: str, message: str) -> str:
    """Write the tag of a version, and return its name.

    Raises:
        UserError: gto refuses it.
    """
    from gto import api

    return _write_tag(api.register, name, ref=commit, version=version, message=message)


def assign(name: str, version: str, stage: str, message: str) -> str:
    """Write a tag that assigns a stage to a version, even if it had it before; return its name.

    Raises:
        UserError: gto refuses it.
    """
    from gto import api

    return _write_tag(api.assign, name, stage=stage, version=version, message=message, force=True)


def unassign(name: str, version: str, stage: str, message: str) -> str:
    """Write a tag that removes a stage from a version, and return its name.

    Raises:
        UserError: gto refuses it.
    """
    from gto import api

    return _write_tag(api.unassign, name, stage=stage, version=version, message=message)


def _write_tag(function: Callable[..., Any], name: str, **options: Any) -> str:
    """Call a function of gto that writes a tag, in a second without a tag; return its name."""
    author, email = tagger()
    with _gto_errors():
        _wait_for_next_second()
        event = function(
            str(git_top()), full_name(name), author=author, author_email=email, **options
        )
    return str(event.tag)


def _wait_for_next_second() -> None:
    """Wait until the clock is past the second of the newest tag.

    Raises:
        UserError: that tag is in the future.
    """
    newest = git("for-each-ref", "--sort=-creatordate", "--count=1", "--format=%(creatordate:unix)",
                 "refs/tags").strip()  # fmt: skip
    ahead_s = int(newest or 0) + 1 - time.time()
    if ahead_s > LATEST_S:
        moment = datetime.fromtimestamp(int(newest), UTC).isoformat()
        raise UserError(
            f"the newest tag is of {moment}, which is in the future, and gto orders tags by time; "
            "set the clock of this machine, or delete that tag"
        )
    time.sleep(max(0.0, ahead_s))


@contextmanager
def _registry() -> Iterator[Any]:
    from gto.registry import GitRegistry

    with _gto_errors(), GitRegistry.from_url(str(git_top())) as registry:
        yield registry


@contextmanager
def _gto_errors() -> Iterator[None]:
    from gto.exceptions import GTOException
    from scmrepo.exceptions import SCMError

    try:
        yield
    except (GTOException, SCMError) as error:
        raise UserError(f"gto: {' '.join(str(error).split())}") from error
