"""Name where data is read from and written to, so that no secret is ever committed.

    python -m fonoteka remote                                  show the remotes
    python -m fonoteka remote --url /mnt/fonoteka              read and write at one place
    python -m fonoteka remote --read https://… --write s3://…  read and write at two places
    python -m fonoteka remote --secret password                store a secret

Reads   .dvc/config, .dvc/config.local
Writes  .dvc/config, which is committed; with --secret .dvc/config.local, which git ignores

The address of a place is everybody's, what opens it is not: an address with a password in it is
refused. A secret is typed unseen or comes from the variable FONOTEKA_SECRET, never from the command
line, where a shell's history and everybody's `ps` would have it.

Each remote is told to verify: dvc then holds what it downloads against its hash, which by default
it doesn't, and a damaged object never comes into the cache.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.dvc_api import one_sentence
from fonoteka.pipeline.remote.urls import FOLDER, KINDS, READ, SECRETS, WRITE, Place, masked, place
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
    """Name remotes, or store a secret, as the arguments ask; then print the remotes.

    Args:
        url: the address to read from and to write to.
        read: the address to read from, if it is another than the one to write to.
        write: the address to write to.
        endpoint: the server of an S3 address that is not Amazon's.
        secret: the option of `remote` whose value is asked for or read from the environment.
        remote: the remote that `secret` belongs to.

    Raises:
        ValueError: an address or a secret is refused.
    """
    with one_sentence():
        from dvc.repo import Repo

        root = Path(Repo.find_root())
    if secret:
        ask(root, remote, secret)
    elif url or read or write:
        name(root, url, read, write, endpoint)
    elif endpoint:
        raise UserError("--endpoint is the server of an S3 address; give the address too")
    print(shown(root))


def name(
    root: Path, url: str | None, read: str | None, write: str | None, endpoint: str | None = None
) -> None:
    """Write the remotes of a repository to `.dvc/config`; what isn't named stays.

    Raises:
        ValueError: an address is refused, or nothing could be read or written with what is named.
    """
    if url and (read or write):
        raise UserError("--url is where to read and to write; give it alone, or --read and --write")
    places = {
        remote: place(text, root)
        for remote, text in ((READ, url or read), (WRITE, write))
        if text is not None
    }
    target = places.get(READ if url else WRITE)
    if target and not target.kind.writable:
        raise UserError(
            f"{target.url}: by {target.kind.name} a place can only be read; name it with --read, "
            "and with --write the address by which you write there, if you do"
        )
    if endpoint:
        place(endpoint, root)  # it is committed too
        if "s3" not in {found.url.partition(":")[0] for found in places.values()}:
            raise UserError(f"--endpoint is {endpoint!r}, but no s3:// place was named")
    with _edited(root, "repo") as config:
        remotes = config.setdefault("remote", {})
        if url:
            remotes.pop(WRITE, None)
        for remote, found in places.items():
            remotes[remote] = {"url": found.url, "verify": "true"}
            if endpoint and found.url.startswith("s3://"):
                remotes[remote]["endpointurl"] = endpoint
        if READ not in remotes:
            raise UserError("--write alone leaves nothing to read from; give --read too, or --url")
        config.setdefault("core", {})["remote"] = READ


def ask(root: Path, remote: str, option: str) -> None:
    """Put one option of a remote, from the environment or typed unseen, into `.dvc/config.local`.

    Raises:
        ValueError: there is no such remote, or it has no such option.
    """
    if remote not in _config(root)["remote"]:
        raise UserError(
            f"no remote is named {remote!r}; python -m fonoteka remote shows which there are"
        )
    value = os.environ.get(SECRET_VARIABLE) or getpass.getpass(f"{option} of {remote}: ")
    if not value:
        raise UserError(f"{option} of {remote} is empty; nothing was changed")
    if not value.isascii():
        raise UserError(f"{option} of {remote} has other letters than ASCII, which dvc can't write")
    path = root / ".dvc" / "config.local"
    path.touch(mode=0o600)
    path.chmod(0o600)
    with _edited(root, "local") as config:
        config.setdefault("remote", {}).setdefault(remote, {})[option] = value


@contextmanager
def _edited(root: Path, level: str) -> Iterator[dict[str, Any]]:
    """Change one file of dvc's configuration, or leave it as it was where dvc refuses the new one.

    Raises:
        ValueError: dvc refuses it, as when `.dvc/config.local` has an option of another kind.
    """
    from dvc.config import Config, ConfigError

    path = root / ".dvc" / {"repo": "config", "local": "config.local"}[level]
    before = path.read_bytes() if path.exists() else b""
    try:
        with one_sentence(), Config(str(root / ".dvc")).edit(level) as config:
            yield config
    except ValueError as error:
        path.write_bytes(before)
        if not isinstance(error.__cause__, ConfigError):
            raise
        raise UserError(
            f"{path.relative_to(root)} was left as it was, since dvc refuses it together with "
            f"what .dvc/config.local has: {error}"
        ) from error


def _config(root: Path) -> dict[str, Any]:
    from dvc.config import Config

    with one_sentence():
        return dict(Config(str(root / ".dvc")))


def committed_secrets(root: Path) -> list[str]:
    """Return the secrets that stand in `.dvc/config`, as `remote.option`."""
    from dvc.config import Config

    with one_sentence():
        remotes = Config(str(root / ".dvc")).load_one("repo").get("remote", {})
    return [
        f"{remote}.{option}"
        for remote, options in sorted(remotes.items())
        for option in sorted(options)
        if option in SECRETS or (option == "url" and masked(options[option]) != options[option])
    ]


def shown(root: Path) -> str:
    """Return what is named, as a person reads it, and where secrets go.

    Raises:
        ValueError: a secret stands in `.dvc/config`.
    """
    if secrets := committed_secrets(root):
        raise UserError(
            f".dvc/config is committed and has {' and '.join(secrets)} in it; take it out, change "
            "the secret, since git keeps the old one, and put the new one into .dvc/config.local "
            "with python -m fonoteka remote --secret OPTION"
        )
    config = _config(root)
    named = [name for name in (READ, WRITE) if name in config["remote"]]
    if not named:
        return (
            "no place is named; name one with python -m fonoteka remote --url URL, "
            "or --read URL and --write URL"
        )
    roles = {READ: "read and write" if named == [READ] else "read", WRITE: "write"}
    rows, notes = [], []
    for remote in named:
        options = config["remote"][remote]
        found = _place(options["url"])
        at = f" at {options['endpointurl']}" if "endpointurl" in options else ""
        role = roles[remote] if found.kind.writable else "read"
        rows.append((remote, role, found.kind.name, found.url + at))
        notes.append(f"{remote}: {found.kind.credentials.format(name=remote)}")
    lines = [table(("remote", "for", "kind", "address"), rows, left=(0, 1, 2, 3)), ""]
    lines += ["what opens them, never in .dvc/config:", *(f"  {note}" for note in notes)]
    if (default := config["core"].get("remote")) != READ:
        lines.append(f"dvc itself reads from {default!r}: core.remote says so in another file")
    return "\n".join(lines)


def is_public(root: Path) -> str | None:
    """Return the address that data can be read from without a secret, or None.

    That is one by HTTP with no way to prove who asks, or a folder.
    """
    config = _config(root)
    options = config["remote"].get(config["core"].get("remote"), {})
    found = _place(options["url"]) if "url" in options else None
    known = found and found.kind.name in {FOLDER.name, "HTTP"} and "auth" not in options
    return found.url if found and known else None


def _place(url: str) -> Place:
    """Return the place of an address that is in the configuration already."""
    return Place(KINDS.get(url.partition("://")[0], FOLDER), url)
