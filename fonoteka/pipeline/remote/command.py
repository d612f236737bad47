"""Configure where data is read from and written to, without committing a secret.

    python -m fonoteka remote                                  show the remotes
    python -m fonoteka remote --url /mnt/fonoteka              read from and write to one address
    python -m fonoteka remote --read https://… --write s3://…  read from one, write to the other
    python -m fonoteka remote --secret password                store a secret

Reads   .dvc/config, .dvc/config.local
Writes  .dvc/config, which is committed; with --secret .dvc/config.local, which git ignores

The address of a remote is public and its secrets are not: an address with a password is refused. A
secret is typed unseen or read from the variable FONOTEKA_SECRET, never from the command line, which
the shell's history stores and `ps` shows to other users.

Each remote is configured with `verify`: dvc then compares a downloaded object with its hash, which
is not its default, so that a damaged object never enters the cache.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.dvc_api import ConfigRefusedError, edit_config, read_config, top
from fonoteka.pipeline.remote.urls import (
    FOLDER,
    KINDS,
    READ,
    SECRETS,
    WRITE,
    RemoteUrl,
    masked,
    parse_url,
)
from fonoteka.reporting.text_table import table

SECRET_VARIABLE = "FONOTEKA_SECRET"  # noqa: S105  the name of a variable


def run(
    url: str | None = None,
    *,
    read: str | None = None,
    write: str | None = None,
    endpoint: str | None = None,
    secret: str | None = None,
    remote: str = READ,
) -> None:
    """Configure remotes, or store a secret; then print the remotes.

    Args:
        url: the address to read from and to write to.
        read: the address to read from, if it differs from the one to write to.
        write: the address to write to.
        endpoint: the server of an S3 address that is not Amazon's.
        secret: the option of `remote` whose value is typed or read from the environment.
        remote: the remote of `secret`.

    Raises:
        ValueError: an address or a secret is refused.
    """
    root = top()
    if secret:
        store_secret(root, remote, secret)
    elif url or read or write:
        set_remotes(root, url, read, write, endpoint)
    elif endpoint:
        raise UserError("--endpoint is the server of an S3 address; give the address too")
    print(overview(root))


def set_remotes(
    root: Path, url: str | None, read: str | None, write: str | None, endpoint: str | None = None
) -> None:
    """Write the remotes of a repository to `.dvc/config`; a remote that is None stays.

    Raises:
        UserError: an address is refused, or there would be no remote to read from.
    """
    if url and (read or write):
        raise UserError(
            "--url is the address to read from and to write to; give it alone, or "
            "give --read and --write"
        )
    # With --url, one remote serves both ways, and an old remote to write to is removed.
    urls = {
        remote: parse_url(text, root)
        for remote, text in ((READ, url or read), (WRITE, write))
        if text is not None
    }
    target = urls.get(READ if url else WRITE)
    if target and not target.kind.writable:
        raise UserError(
            f"{target.url}: a place can only be read by {target.kind.name}; give it with --read, "
            "and the address to write to, if there is one, with --write"
        )
    if endpoint:
        parse_url(endpoint, root)  # it is committed too
        if "s3" not in {remote_url.url.partition(":")[0] for remote_url in urls.values()}:
            raise UserError(f"--endpoint is {endpoint!r}, but there is no s3:// address")
    with _edited(root, "repo") as config:
        remotes = config.setdefault("remote", {})
        if url:
            remotes.pop(WRITE, None)
        for remote, remote_url in urls.items():
            remotes[remote] = {"url": remote_url.url, "verify": "true"}
            if endpoint and remote_url.url.startswith("s3://"):
                remotes[remote]["endpointurl"] = endpoint
        if READ not in remotes:
            raise UserError(
                "with --write alone there is no address to read from; give --read too, or --url"
            )
        config.setdefault("core", {})["remote"] = READ


def store_secret(root: Path, remote: str, option: str) -> None:
    """Write one option of a remote, from the environment or typed unseen, to `.dvc/config.local`.

    Raises:
        ValueError: there is no such remote, or it has no such option.
    """
    if remote not in read_config(root)["remote"]:
        raise UserError(
            f"no remote is named {remote!r}; python -m fonoteka remote lists the remotes"
        )
    value = os.environ.get(SECRET_VARIABLE) or getpass.getpass(f"{option} of {remote}: ")
    if not value:
        raise UserError(f"{option} of {remote} is empty; nothing was changed")
    if not value.isascii():
        raise UserError(
            f"{option} of {remote} has characters outside ASCII, which dvc cannot write"
        )
    path = root / ".dvc" / "config.local"
    path.touch(mode=0o600)
    path.chmod(0o600)
    with _edited(root, "local") as config:
        config.setdefault("remote", {}).setdefault(remote, {})[option] = value


@contextmanager
def _edited(root: Path, level: str) -> Iterator[dict[str, Any]]:
    """Change one file of dvc's configuration, and restore it if an error is raised.

    Raises:
        UserError: dvc refuses it, for example because `.dvc/config.local` has an option of another
            kind of remote.
    """
    path = root / ".dvc" / {"repo": "config", "local": "config.local"}[level]
    before = path.read_bytes() if path.exists() else b""
    try:
        with edit_config(root, level) as config:
            yield config
    except ValueError as error:
        path.write_bytes(before)
        if not isinstance(error, ConfigRefusedError):
            raise
        raise UserError(
            f"{path.relative_to(root)} was not changed, because dvc refuses it together with the "
            f"options in .dvc/config.local: {error}"
        ) from error


def committed_secrets(root: Path) -> list[str]:
    """Return the secrets in `.dvc/config`, as `remote.option`."""
    remotes = read_config(root, "repo").get("remote", {})
    return [
        f"{remote}.{option}"
        for remote, options in sorted(remotes.items())
        for option in sorted(options)
        if option in SECRETS or (option == "url" and masked(options[option]) != options[option])
    ]


def overview(root: Path) -> str:
    """Return a table of the remotes, and where their secrets go.

    Raises:
        UserError: `.dvc/config` contains a secret.
    """
    if secrets := committed_secrets(root):
        raise UserError(
            f".dvc/config is committed and contains {' and '.join(secrets)}; remove it, change the "
            "secret, because git keeps the old one, and write the new one to .dvc/config.local "
            "with python -m fonoteka remote --secret OPTION"
        )
    config = read_config(root)
    named = [name for name in (READ, WRITE) if name in config["remote"]]
    if not named:
        return (
            "no remote is configured; add one with python -m fonoteka remote --url URL, "
            "or --read URL and --write URL"
        )
    # An HTTP server cannot be written to, even if it is the only remote.
    roles = {READ: "read and write" if named == [READ] else "read", WRITE: "write"}
    rows, notes = [], []
    for remote in named:
        options = config["remote"][remote]
        remote_url = _configured(options["url"])
        endpoint = f" at {options['endpointurl']}" if "endpointurl" in options else ""
        role = roles[remote] if remote_url.kind.writable else "read"
        rows.append((remote, role, remote_url.kind.name, remote_url.url + endpoint))
        notes.append(f"{remote}: {remote_url.kind.credentials.format(name=remote)}")
    lines = [table(("remote", "for", "kind", "address"), rows, left=(0, 1, 2, 3)), ""]
    lines += ["credentials, never in .dvc/config:", *(f"  {note}" for note in notes)]
    if (default := config["core"].get("remote")) != READ:
        lines.append(
            f"dvc itself reads from {default!r}, because core.remote is set in another file"
        )
    return "\n".join(lines)


def is_public(root: Path) -> str | None:
    """Return the address from which data can be read without a secret, or None.

    That is an HTTP address without authentication, or a folder.
    """
    config = read_config(root)
    options = config["remote"].get(config["core"].get("remote"), {})
    remote_url = _configured(options["url"]) if "url" in options else None
    public = {FOLDER.name, "HTTP"}
    if remote_url and remote_url.kind.name in public and "auth" not in options:
        return remote_url.url
    return None


def _configured(url: str) -> RemoteUrl:
    """Return an address of the configuration with its kind."""
    return RemoteUrl(KINDS.get(url.partition("://")[0], FOLDER), url)
