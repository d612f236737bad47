"""Kinds of remotes, their addresses, and the names of the two remotes in dvc's configuration.

Many users read from a remote and few write to it, often by different addresses: data that is pushed
by SSH or to S3 is served by HTTP. dvc has one address per remote, so there are two remotes:
`storage`, the default, from which every `dvc pull`, `dvc get` and `dvc.api` reads, and
`storage-write`, which exists only if the address to write to differs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from fonoteka.core.errors import UserError

READ, WRITE = "storage", "storage-write"
SECRETS = frozenset(
    {"access_key_id", "passphrase", "password", "secret_access_key", "session_token", "token"}
)
"""Options of a remote that must not be committed."""


@dataclass(frozen=True)
class RemoteKind:
    """A kind of remote.

    Attributes:
        name: for the user.
        writable: whether dvc can push to it.
        may_name_user: whether the address may contain a user name, which may be a token elsewhere.
        credentials: how they are given, with `{name}` for the remote's name.
    """

    name: str
    writable: bool
    may_name_user: bool
    credentials: str


_ASK = "python -m fonoteka remote --remote {name} --secret"
_TYPED = f"{_ASK} password (asks for it; the same for user)"

_PUBLIC = "none for a public place, else " + _TYPED.replace("user)", "user, and for auth basic)")

FOLDER = RemoteKind("folder", True, False, "none")
KINDS = {
    "ssh": RemoteKind(
        "SSH", True, True,
        f"a key that ssh-agent holds or ~/.ssh has, or one that {_ASK} keyfile names",
    ),
    "s3": RemoteKind(
        "S3", True, False,
        f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or {_ASK} "
        "access_key_id and again with --secret secret_access_key",
    ),
    "webdav": RemoteKind("WebDAV", True, True, _TYPED),
    "webdavs": RemoteKind("WebDAV", True, True, _TYPED),
    "http": RemoteKind("HTTP", False, False, _PUBLIC),
    "https": RemoteKind("HTTP", False, False, _PUBLIC),
}  # fmt: skip


# A user name alone is not masked if its kind allows it.
_USER = re.compile(r"((?!(?:ssh|webdavs?)://[^/\s:@]*@)\b\w+:)//[^/?#\s]*@")


@dataclass(frozen=True)
class RemoteUrl:
    """An address of a known kind, without secrets."""

    kind: RemoteKind
    url: str


def parse_url(text: str, root: Path) -> RemoteUrl:
    """Return an address with its kind.

    A folder becomes absolute, so that every clone finds it.

    Args:
        text: as the user wrote it.
        root: top of the repository.

    Raises:
        UserError: it is not of one of the five kinds, lacks a part, or contains a secret.

    >>> parse_url("ssh://me@host.example.org/srv/fonoteka", Path("/repo")).kind.name
    'SSH'
    """
    if not text.isascii():
        raise UserError(
            f"{masked(text)}: dvc cannot write characters outside ASCII to its configuration; use "
            "a name without them, for example of a link"
        )
    if "://" not in text:
        return RemoteUrl(FOLDER, str(_folder(text, root)))
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  an invalid port raises only when it is read
    except ValueError as error:
        raise UserError(f"{masked(text)}: not an address: {error}") from error
    if parts.scheme == "file":
        return RemoteUrl(FOLDER, str(_folder(parts.path, root)))
    kind = KINDS.get(parts.scheme)
    if kind is None:
        raise UserError(
            f"{masked(text)}: {parts.scheme!r} is not a supported kind of address; expected a "
            f"folder or one of {', '.join(f'{scheme}://' for scheme in KINDS)}"
        )
    _refuse_secrets(text, parts, kind)
    if not parts.hostname or (kind.name == "SSH" and not parts.path.strip("/")):
        wanted = {"SSH": "ssh://host/folder", "S3": "s3://bucket/folder"}
        raise UserError(
            f"{text}: a part is missing; expected "
            f"{wanted.get(kind.name, f'{parts.scheme}://host/folder')}"
        )
    return RemoteUrl(kind, text.rstrip("/"))


def _folder(text: str, root: Path) -> Path:
    """Return the absolute path of a folder outside the repository."""
    if re.match(r"[^/]+:(?!\\)", text):
        host, _, path = text.partition(":")
        raise UserError(
            f"{text}: neither a folder nor an address; for SSH write ssh://{host}/{path}"
        )
    folder = Path(text).expanduser().resolve()
    if folder.is_relative_to(root.resolve()):
        raise UserError(f"{folder}: is in the repository itself; give a folder outside it")
    return folder


def _refuse_secrets(text: str, parts: SplitResult, kind: RemoteKind) -> None:
    """Refuse an address that would commit a secret: `.dvc/config` is in git."""
    advice = (
        "store it in .dvc/config.local, with python -m fonoteka remote --secret OPTION, or in the "
        "environment"
    )
    if parts.password is not None or (parts.username is not None and not kind.may_name_user):
        raise UserError(
            f"{masked(text)}: the address contains a password or a user name, and .dvc/config is "
            f"committed; give the address without it and {advice}"
        )
    if parts.query or parts.fragment:
        raise UserError(
            f"{masked(text)}: the address contains '?' or '#', after which there may be a secret, "
            f"and .dvc/config is committed; give the address without it and {advice}"
        )


def masked(text: str) -> str:
    """Return a text with the parts of its addresses masked that may be secret.

    >>> masked("ssh://me@host/x is not webdavs://me:word@host/x?sig=abc")
    'ssh://me@host/x is not webdavs://***@host/x?***'
    """
    return re.sub(r"(//\S*[?#])\S+", r"\1***", _USER.sub(r"\1//***@", text))
