"""API keys: a file with the hashes of keys, and the keys that requests present.

    ana 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824

A line is a name and the SHA-256 of a key. A key is 256 random bits, so guessing it from its hash is
hopeless with a fast hash too; a slow one such as scrypt protects short passwords, and would cost
each request 50 ms of a core.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
from pathlib import Path

from starlette.requests import HTTPConnection

from fonoteka.core.errors import UserError

KEY_PREFIX = "fk_"
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PRIVATE = 0o600
_SCHEMES = ("bearer", "token")  # token is what Deepgram's clients write

log = logging.getLogger("fonoteka.service")


def new_key(path: Path, name: str) -> str:
    """Make a key, append its hash to a file that only its owner can read, and return the key.

    Args:
        path: of the file, which is created if it is missing.
        name: of the key's user, 1 to 64 letters, digits, `.`, `_` or `-`.

    Raises:
        UserError: the name is malformed or has a key, or the file cannot be read or written.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"name {name!r}; expected 1 to 64 letters, digits, '.', '_' or '-'")
    if path.exists() and name in read_keys(path):
        raise UserError(f"{path}: {name} has a key already; delete its line or use another name")
    key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        handle = os.open(path, flags, _PRIVATE)
        with os.fdopen(handle, "r+b") as file:
            if hasattr(os, "fchmod"):  # Windows has it from Python 3.13 on
                os.fchmod(handle, _PRIVATE)  # a file that exists may have wider rights
            before = file.read()
            newline = b"\n" if before and not before.endswith(b"\n") else b""
            file.write(newline + f"{name} {_digest(key)}\n".encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    return key


def read_keys(path: Path) -> dict[str, str]:
    """Return the hashes of a file by name; empty lines and those with `#` first are comments.

    Raises:
        UserError: the file cannot be read, or a line is not a name and a hash.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a file of keys: {error}") from error
    digests: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, digest = line.strip().partition(" ")
        if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(digest):
            raise UserError(f"{path}:{number}: expected a name and a SHA-256 of 64 hex digits")
        if name in digests:
            raise UserError(f"{path}:{number}: the name {name} is on an earlier line already")
        digests[name] = digest
    return digests


class KeyFile:
    """The keys that are valid; a changed file is read again, so a deleted line revokes its key."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            UserError: it cannot be read, or contains no key, so that no request could succeed.
        """
        self._path = path
        self._stamp = self._current_stamp()
        self._digests = read_keys(path)
        if not self._digests:
            raise UserError(f"{path}: contains no key; add one")

    def owner(self, key: str) -> str | None:
        """Return the name of a key; None if it is not valid.

        All hashes are compared, each in constant time, so the time does not depend on the key.
        """
        self._read_if_changed()
        digest = _digest(key)
        matches = [
            name for name, valid in self._digests.items() if hmac.compare_digest(digest, valid)
        ]
        return matches[0] if matches else None

    def _read_if_changed(self) -> None:
        stamp = self._current_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._digests = read_keys(self._path)
        except UserError as error:
            # An editor may be saving it. The last valid keys remain, so that no user is locked out.
            log.error("the keys that were read last stay valid: %s", error)  # noqa: TRY400 - no fault of ours

    def _current_stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def presented_key(connection: HTTPConnection) -> str | None:
    """Return the key of a request or socket; None if it has none.

    Programs send `Authorization: Bearer KEY` or `X-API-Key: KEY`. Browsers cannot set headers of a
    WebSocket, so a socket may offer the subprotocol `bearer.KEY`, or `token` and `KEY` as
    Deepgram's client does. A key in the query is not read: servers, proxies and browsers write
    addresses to logs and histories.
    """
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES and key.strip():
        return key.strip()
    if key := connection.headers.get("x-api-key", ""):
        return key
    return _key_of_protocols(connection) if connection.scope["type"] == "websocket" else None


def key_protocol(protocols: list[str]) -> str | None:
    """Return the offered subprotocol that an accepted socket answers with.

    Chromium ends a socket whose offer is not answered. One without the key is preferred, so that
    the key is not sent back.

    >>> key_protocol(["bearer.fk_1", "fonoteka"]), key_protocol(["bearer.fk_1"])
    ('fonoteka', 'bearer.fk_1')
    >>> key_protocol(["token", "fk_1"])
    'token'
    """
    public = [name for name in protocols if not name.startswith("bearer.")]
    return next(iter(public or protocols), None)


def _key_of_protocols(connection: HTTPConnection) -> str | None:
    protocols: list[str] = connection.scope.get("subprotocols", [])
    for name in protocols:
        if name.startswith("bearer."):
            return name.removeprefix("bearer.")
    if len(protocols) > 1 and protocols[0].lower() in _SCHEMES:
        return protocols[1]
    return None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
