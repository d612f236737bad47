"""Kinds of places that hold data, their addresses, and the two remotes that dvc knows them by.

A place is read by everybody and written by few, and often not by the same address: what is pushed
by SSH or to S3 is handed out by HTTP. dvc has one address a remote, so there are two remotes:
`storage`, the default, which every `dvc pull`, `dvc get` and `dvc.api` reads, and `storage-write`,
which is there only where the place to write is another.
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
"""Options of a remote that are nobody else's business."""


@dataclass(frozen=True)
class Kind:
    """What is to be known of a kind of place.

    Attributes:
        name: as a person calls it.
        writable: whether anything can be pushed there.
        may_name_user: whether the address may say who asks; elsewhere a name is as good as a token.
        credentials: where they go, with `{name}` for the remote's name.
    """

    name: str
    writable: bool
    may_name_user: bool
    credentials: str


_ASK = "python -m fonoteka remote --remote {name} --secret"
_TYPED = f"{_ASK} password (asks for it; the same for user)"

_PUBLIC = "none for a public place, else " + _TYPED.replace("user)", "user, and for auth basic)")

FOLDER = Kind("folder", True, False, "none")
KINDS = {
    "ssh": Kind(
        "SSH", True, True,
        f"a key that ssh-agent holds or ~/.ssh has, or one that {_ASK} keyfile names",
    ),
    "s3": Kind(
        "S3", True, False,
        f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or {_ASK} "
        "access_key_id and again with --secret secret_access_key",
    ),
    "webdav": Kind("WebDAV", True, True, _TYPED),
    "webdavs": Kind("WebDAV", True, True, _TYPED),
    "http": Kind("HTTP", False, False, _PUBLIC),
    "https": Kind("HTTP", False, False, _PUBLIC),
}  # fmt: skip


# A name alone may stand where the kind lets it.
_USER = re.compile(r"((?!(?:ssh|webdavs?)://[^/\s:@]*@)\b\w+:)//[^/?#\s]*@")


@dataclass(frozen=True)
class Place:
    """An address of a known kind, without secrets."""

    kind: Kind
    url: str


def place(text: str, root: Path) -> Place:
    """Return what an address means.

    A folder becomes absolute, since every clone is to find it.

    Args:
        text: as a person wrote it.
        root: top of the repository.

    Raises:
        ValueError: it is none of the five kinds, lacks a part, or has a secret in it.

    >>> place("ssh://me@host.example.org/srv/fonoteka", Path("/repo")).kind.name
    'SSH'
    """
    if not text.isascii():
        raise UserError(
            f"{masked(text)}: dvc can't write other letters than ASCII to its configuration; give "
            "the place a name without them, by a link for instance"
        )
    if "://" not in text:
        return Place(FOLDER, str(_folder(text, root)))
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  a port that is no number is noticed only when asked for
    except ValueError as error:
        raise UserError(f"{masked(text)}: not an address: {error}") from error
    if parts.scheme == "file":
        return Place(FOLDER, str(_folder(parts.path, root)))
    kind = KINDS.get(parts.scheme)
    if kind is None:
        raise UserError(
            f"{masked(text)}: {parts.scheme!r} is no kind of place that is known here; expected a "
            f"folder or one of {', '.join(f'{scheme}://' for scheme in KINDS)}"
        )
    _refuse_secrets(text, parts, kind)
    if not parts.hostname or (kind.name == "SSH" and not parts.path.strip("/")):
        wanted = {"SSH": "ssh://host/folder", "S3": "s3://bucket/folder"}
        raise UserError(
            f"{text}: a part is missing; expected "
            f"{wanted.get(kind.name, f'{parts.scheme}://host/folder')}"
        )
    return Place(kind, text.rstrip("/"))


def _folder(text: str, root: Path) -> Path:
    """Return the absolute path of a folder outside of the repository."""
    if re.match(r"[^/]+:(?!\\)", text):
        host, _, path = text.partition(":")
        raise UserError(
            f"{text}: neither a folder nor an address; by SSH it is ssh://{host}/{path}"
        )
    folder = Path(text).expanduser().resolve()
    if folder.is_relative_to(root.resolve()):
        raise UserError(f"{folder}: lies in the repository itself; name a folder outside of it")
    return folder


def _refuse_secrets(text: str, parts: SplitResult, kind: Kind) -> None:
    """Refuse an address that would commit a secret: `.dvc/config` is in git."""
    where = (
        "put it into .dvc/config.local, with python -m fonoteka remote --secret OPTION, or into "
        "the environment"
    )
    if parts.password is not None or (parts.username is not None and not kind.may_name_user):
        raise UserError(
            f"{masked(text)}: there is a password or a name in the address, and .dvc/config is "
            f"committed; give the address without it and {where}"
        )
    if parts.query or parts.fragment:
        raise UserError(
            f"{masked(text)}: there is a '?' or '#' in the address, after which a secret may "
            f"stand, and .dvc/config is committed; give the address without it and {where}"
        )


def masked(text: str) -> str:
    """Return an address, or a text that has some, without what may be secret in it.

    >>> masked("ssh://me@host/x is not webdavs://me:word@host/x?sig=abc")
    'ssh://me@host/x is not webdavs://***@host/x?***'
    """
    return re.sub(r"(//\S*[?#])\S+", r"\1***", _USER.sub(r"\1//***@", text))
