"""Push the cache of results per clip to the remote, and pull it on another machine.

    python -m fonoteka cache push [--again]
    python -m fonoteka cache pull

Reads   the folder of the cache
Writes  clip-results of the remote, or the folder of the cache

A cache has thousands of small files, and a server answers a few requests per second. So entries
travel in packs, tar files of at most 128 MiB:

    index.json        the keys in each pack
    <sha256>.tar      <stage>/<key>

A pack gets its name from its bytes and never changes. The index is written after each pack, so an
interrupted push resumes. Two pushes at once may lose a pack from the index; it is sent again later.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fonoteka.compute.cache_command import used_folder
from fonoteka.compute.cache_entry import DamagedEntryError, unpack
from fonoteka.compute.cache_folder import (
    StoredEntry,
    cache_limit,
    entry_path,
    is_key,
    stages_in,
    stored_entries,
)
from fonoteka.compute.cache_size import prune
from fonoteka.compute.clip_cache import ClipCache
from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file, write_json
from fonoteka.git import entered
from fonoteka.pipeline.dvc_api import open_repo
from fonoteka.pipeline.remote.transfer import chosen_remote, transfer_errors

REMOTE_FOLDER, INDEX = "clip-results", "index.json"
PACK_BYTES = 128 * 2**20

Index = dict[str, list[str]]
"""The names in each pack, `<stage>/<key>`, by the SHA-256 of the pack."""


class RemotePacks:
    """The packs in a remote."""

    def __init__(self, fs: Any, path: str) -> None:
        self.fs, self.path = fs, path

    def index(self) -> Index:
        """Return the index; empty if it is missing or damaged, which costs time alone."""
        path = self.fs.join(self.path, INDEX)
        return parse_index(self.fs.cat_file(path)) if self.fs.exists(path) else {}

    def write_index(self, index: Index, scratch: Path) -> None:
        """Write the index."""
        write_json(scratch / INDEX, index)
        self._send(scratch / INDEX, INDEX)

    def send(self, pack: Path) -> str:
        """Write a pack and return its name."""
        name = sha256_file(pack)
        self._send(pack, f"{name}.tar")
        return name

    def fetch(self, name: str, target: Path) -> bool:
        """Read a pack; return False if it is missing or damaged."""
        path = self.fs.join(self.path, f"{name}.tar")
        if not self.fs.exists(path):
            return False
        self.fs.get_file(path, str(target))
        return sha256_file(target) == name

    def remove(self, name: str) -> None:
        """Remove a pack."""
        path = self.fs.join(self.path, f"{name}.tar")
        if self.fs.exists(path):
            self.fs.remove(path)

    def _send(self, source: Path, name: str) -> None:
        self.fs.makedirs(self.path)
        self.fs.put_file(str(source), self.fs.join(self.path, name))


def parse_index(data: bytes) -> Index:
    """Return the packs in an index that have valid names; those become paths on this machine.

    >>> parse_index(b'{"../x": ["embed/../y"]}'), parse_index(b"{")
    ({}, {})
    """
    try:
        value = json.loads(data)
        return {
            str(name): [str(each) for each in names if _split(str(each))]
            for name, names in value.items()
            if is_key(str(name))
        }
    except (ValueError, TypeError, AttributeError):
        return {}


def push(*, again: bool = False) -> str:
    """Send the entries that the remote lacks, and return a sentence.

    Args:
        again: whether to send all entries, and to remove the packs that were sent before.

    Raises:
        UserError: no remote is configured for writing, the cache is off, or the transfer failed.
    """
    with entered(), open_repo() as repo:
        folder = used_folder()
        remote, url = chosen_remote(repo, "push")
        with transfer_errors("push to", remote, url), TemporaryDirectory() as scratch:
            packs = _packs(repo, remote)
            before = packs.index()
            index = {} if again else dict(before)
            existing = {name for names in index.values() for name in names}
            sent = 0
            for pack, names in _written_packs(folder, existing, Path(scratch)):
                index[packs.send(pack)] = names
                packs.write_index(index, Path(scratch))
                sent += len(names)
            if again:
                packs.write_index(index, Path(scratch))
                for name in before.keys() - index.keys():
                    packs.remove(name)
    removed = f", and removed {len(before.keys() - index.keys())} older packs" if again else ""
    return f"pushed {sent} results to {remote} ({url}){removed}"


def _written_packs(
    folder: Path, existing: set[str], scratch: Path
) -> Iterator[tuple[Path, list[str]]]:
    """Yield packs of the entries that the remote lacks, with the names in each."""
    path, names, size = scratch / "pack.tar", list[str](), 0
    tar = tarfile.open(path, "w")  # noqa: SIM115
    for entry, raw in _whole_entries(folder, existing):
        member = tarfile.TarInfo(f"{entry.stage}/{entry.key}")
        member.size = len(raw)
        tar.addfile(member, io.BytesIO(raw))
        names.append(member.name)
        size += len(raw)
        if size >= PACK_BYTES:
            tar.close()
            yield path, names
            names, size = [], 0
            tar = tarfile.open(path, "w")  # noqa: SIM115
    tar.close()
    if names:
        yield path, names


def _whole_entries(folder: Path, existing: set[str]) -> Iterator[tuple[StoredEntry, bytes]]:
    """Yield the entries that are not in the remote, with their bytes; damaged ones are left out."""
    for stage in stages_in(folder):
        for entry in sorted(stored_entries(folder, stage), key=lambda entry: entry.key):
            if f"{stage}/{entry.key}" in existing:
                continue
            try:
                raw = entry.path(folder).read_bytes()
                unpack(entry.key, raw)
            except FileNotFoundError:
                continue
            except DamagedEntryError:
                print(f"{entry.path(folder)}: damaged, not sent; the next run replaces it")
                continue
            yield entry, raw


def pull() -> str:
    """Fetch the packs with entries that are not here, and return a sentence.

    Raises:
        UserError: no remote is configured for reading, it has no results, the cache is off, or the
            transfer failed.
    """
    with entered(), open_repo() as repo:
        folder, started = used_folder(), time.time()
        remote, url = chosen_remote(repo, "pull")
        fetched = damaged = 0
        with transfer_errors("pull from", remote, url), TemporaryDirectory() as scratch:
            packs, target = _packs(repo, remote), Path(scratch) / "pack.tar"
            index = packs.index()
            for name, names in sorted(index.items()):
                if all(_is_here(folder, each) for each in names):
                    continue
                if packs.fetch(name, target):
                    fetched += _unpacked(target, folder)
                else:
                    damaged += 1
    if not index:
        raise UserError(
            f"{remote} ({url}) has no results of clips; python -m fonoteka cache push sends them"
        )
    prune(folder, cache_limit(), started)
    lost = f"; {damaged} packs are damaged there, cache push --again replaces them"
    return f"pulled {fetched} results from {remote} ({url}){lost if damaged else ''}"


def _unpacked(pack: Path, folder: Path) -> int:
    """Store the entries of a pack that are not here, and return their number."""
    stored = 0
    with tarfile.open(pack) as tar:
        for member in tar:
            parts, file = _split(member.name), tar.extractfile(member)
            if parts and file and not _is_here(folder, member.name):
                stage, key = parts
                clip, data = unpack(key, file.read())
                ClipCache(folder, stage).put(key, clip, data)
                stored += 1
    return stored


def _is_here(folder: Path, name: str) -> bool:
    stage, key = name.split("/")
    return entry_path(folder / stage, key).exists()


def _split(name: str) -> tuple[str, str] | None:
    """Return stage and key of a name in a pack; None if it is of another form."""
    stage, _, key = name.partition("/")
    valid = bool(stage) and not stage.startswith(".") and "\\" not in stage and is_key(key)
    return (stage, key) if valid else None


def _packs(repo: Any, remote: str) -> RemotePacks:
    storage = repo.cloud.get_remote(remote)
    return RemotePacks(storage.fs, str(storage.fs.join(storage.path, REMOTE_FOLDER)))
