"""Push data to where it is written or pull it from where it is read, and say how it went.

    python -m fonoteka push                     what dvc.lock names and the run-cache
    python -m fonoteka pull data/raw/embedded   the same, or some of it
    python -m fonoteka push --again MD5         an object that is damaged there

Reads   the remotes that `python -m fonoteka remote` names
Writes  the remote, or the cache and the workspace

It is `dvc push` and `dvc pull` with four things settled: the remote, which for pushing is another
than for pulling where there are two; the run-cache, which travels too; what is said when a server
goes away, where dvc prints a traceback for each file; and that nothing damaged is sent or stays.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline import fsck
from fonoteka.pipeline.dvc_api import one_sentence, top
from fonoteka.pipeline.fsck import Kept
from fonoteka.pipeline.remote.command import is_public
from fonoteka.pipeline.remote.urls import KINDS, READ, WRITE, masked

SHOWN = 5  # names in a sentence


def push(paths: Sequence[str], run_cache: bool, again: Sequence[str] = ()) -> str:
    """Send what the remote lacks, and return a sentence that says how much.

    Args:
        paths: outputs; all where there are none.
        run_cache: whether to send what run gave what result too.
        again: objects that are removed there first, since they are damaged.

    Raises:
        ValueError: no place to write is named, or it can't be reached, or not all arrived; or the
            cache has something damaged.
    """
    with _repo() as repo:
        remote, url = _remote(repo, "push")
        files = list(fsck.kept(repo))
        if found := fsck.repair(files):
            raise UserError(f"nothing was pushed, since data is damaged: {fsck.told(found)}")
        with _watched("push to", remote, url):
            _drop(repo, remote, files, again)
            sent = repo.push(targets=list(paths), remote=remote)
            # After the data, so that no run promises a result that isn't there.
            runs = repo.stage_cache.push(remote) if run_cache else []
    return f"pushed {sent} files and {len(runs)} runs to {remote} ({url})"


def pull(paths: Sequence[str], run_cache: bool) -> str:
    """Fetch what the cache lacks, check it out, and return a sentence that says how much.

    Raises:
        ValueError: no place to read is named, or it can't be reached, or an object is missing there
            or damaged.
    """
    with _repo() as repo:
        remote, url = _remote(repo, "pull")
        with _watched("pull from", remote, url), _missing(repo, paths):
            fetched = repo.pull(targets=list(paths), remote=remote)["stats"]["fetched"]
            runs = _runs(repo, remote) if run_cache else "no runs"
    return f"pulled {fetched} files and {runs} from {remote} ({url}); they are in the workspace"


def pull_if_public(paths: Sequence[str], run_cache: bool) -> str:
    """Do what `pull` does if that takes no secret, and return a sentence that says how it went."""
    if is_public(top()) is None:
        return "nothing was pulled: no place is named that can be read without a secret"
    return pull(paths, run_cache)


def _drop(repo: Any, remote: str, files: Sequence[Kept], again: Sequence[str]) -> None:
    """Remove from the remote what is named, and on WebDAV what an interrupted push left half.

    dvc takes an object that is there for whole. Everywhere else it becomes visible as a whole only;
    how a WebDAV server stores what it is sent is its own affair. Where the list of a folder is
    there dvc doesn't ask for the folder's files, so the list goes too, and first.

    Raises:
        ValueError: an object that is named isn't here to be sent again.
    """
    odb = repo.cloud.get_remote_odb(remote, "push")
    here = {file.oid: file for file in files}
    if lacking := [oid for oid in again if not (oid in here and here[oid].cached.exists())]:
        raise UserError(f"{lacking[0]} is not in this cache, so it can't be sent again from here")
    half = []
    if odb.fs.protocol.startswith("webdav") and odb.fs.exists(odb.path):
        for path, about in odb.fs.fs.find(odb.path, detail=True).items():
            kept = here.get("".join(path.split("/")[-2:]))
            if kept and kept.cached.exists() and kept.cached.stat().st_size != about["size"]:
                half.append(kept.oid)
    dropped = {*half, *again}
    lists = {file.folder for file in files if file.oid in dropped and file.folder}
    for oid in (*sorted(lists), *sorted(dropped - lists)):
        if odb.exists(oid):
            odb.delete(oid)
    if dropped:
        _forget(odb)


def _forget(odb: Any) -> None:
    """Let dvc ask again what a remote has, which it remembers folder by folder."""
    from dvc_data.hashfile.db import get_index

    get_index(odb).clear()


@contextmanager
def _missing(repo: Any, paths: Sequence[str]) -> Iterator[None]:
    """Say which objects a pull did not bring, where dvc says only for which outputs.

    Raises:
        ValueError: some are missing or damaged at the remote.
    """
    from dvc.exceptions import CheckoutError

    try:
        yield
    except CheckoutError as error:
        wanted = {str(Path(path).resolve()) for path in paths}
        lacking = [
            f"{file.used.name if file.used else 'the list of a folder'} (md5 {file.oid})"
            for file in dict.fromkeys(fsck.kept(repo))
            if not file.cached.exists() and (not wanted or _under(file.used, wanted))
        ]
        if not lacking:
            raise
        named = ", ".join(lacking[:SHOWN]) + (" and more" if len(lacking) > SHOWN else "")
        raise UserError(
            f"{len(lacking)} files are not there, or damaged and therefore not taken: {named}; "
            "where they are whole, python -m fonoteka push --again MD5 sends one anew"
        ) from error


def _under(path: Path | None, wanted: Collection[str]) -> bool:
    return path is None or any(str(part) in wanted for part in (path, *path.parents))


def _runs(repo: Any, remote: str) -> str:
    """Fetch the run-cache and return how much it was; by HTTP nothing can be listed."""
    from dvc.stage.cache import RunCacheNotSupported

    try:
        return f"{len(repo.stage_cache.pull(remote))} runs"
    except RunCacheNotSupported:
        return "no runs, which do not travel by HTTP,"


@contextmanager
def _repo() -> Iterator[Any]:
    from dvc.repo import Repo

    with one_sentence():
        repo = Repo(_wait_for_lock=True)
    with repo:
        yield repo


def _remote(repo: Any, way: str) -> tuple[str, str]:
    """Return the name and address of the remote for one way.

    Raises:
        ValueError: there is none.
    """
    remotes = repo.config["remote"]
    default = repo.config["core"].get("remote", READ)
    remote = WRITE if way == "push" and WRITE in remotes else default
    if remote not in remotes:
        raise UserError(
            f"no place is named to {way} {_PREPOSITION[way]}; name one with python -m fonoteka "
            "remote --url URL"
        )
    url = remotes[remote]["url"]
    kind = KINDS.get(url.partition("://")[0])
    if way == "push" and kind and not kind.writable:
        raise UserError(
            f"{masked(url)} can only be read; name where to write with python -m fonoteka remote "
            "--write URL"
        )
    return remote, masked(url)


_PREPOSITION = {"push": "to", "pull": "from"}


@contextmanager
def _watched(what: str, remote: str, url: str) -> Iterator[None]:
    """Turn whatever ends a transfer into one sentence.

    What a client library raises when its server goes away has as many types as there are
    libraries, so any exception is taken.

    Raises:
        ValueError: the transfer failed.
    """
    causes = _Causes()
    logger = logging.getLogger("dvc_data")
    others, propagates = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [causes], False
    try:
        yield
    except Exception as error:
        if os.environ.get("FONOTEKA_TRACEBACK"):
            raise
        said = causes.said() or _sentence(error)
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
            said = str(error)
        if isinstance(error, FileNotFoundError) and url.startswith("webdav"):
            said = "the folder that the address ends in may have to be made on the server first"
        raise UserError(
            f"{what} {remote} ({url}) did not end well: {said}; what arrived is kept, run it again "
            "to go on"
        ) from error
    finally:
        logger.handlers, logger.propagate = others, propagates


class _Causes(logging.Handler):
    """Collects why files were not transferred."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take the exception of a record, where it has one."""
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])

    def said(self) -> str:
        """Return how many files are concerned and the first reason, or nothing."""
        if not self.errors:
            return ""
        first = _sentence(self.errors[0])
        return f"{len(self.errors)} files were not transferred, the first since {first}"


def _sentence(error: BaseException) -> str:
    """Return what an exception says, with its name where it says little."""
    said = masked(" ".join(str(error).split()))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
