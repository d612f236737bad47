"""Push data to the remote to write to, or pull it from the remote to read from.

    python -m fonoteka push                     all outputs in dvc.lock and the run-cache
    python -m fonoteka pull data/raw/embedded   likewise, or some outputs
    python -m fonoteka push --again MD5         an object that is damaged in the remote

Reads   the remotes that `python -m fonoteka remote` names
Writes  the remote, or the cache and the workspace

These commands differ from `dvc push` and `dvc pull` in four ways: they use the remote to write to
or to read from, if there are two; they include the run-cache; they print one sentence if a server
fails, instead of one traceback per file; and they neither send nor accept damaged data.
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
from fonoteka.pipeline.dvc_api import (
    IncompleteCheckoutError,
    clear_remote_index,
    open_repo,
    pull_outputs,
    pull_runs,
    top,
)
from fonoteka.pipeline.fsck import CachedFile
from fonoteka.pipeline.remote.command import is_public
from fonoteka.pipeline.remote.urls import KINDS, READ, WRITE, masked

SHOWN = 5  # names in a message
_RESUMED = "what was transferred is kept, run it again to resume"


def push(paths: Sequence[str], run_cache: bool, again: Sequence[str] = ()) -> str:
    """Send the files that the remote lacks, and return a sentence with their number.

    Args:
        paths: outputs; all if empty.
        run_cache: whether to send the run-cache too.
        again: objects that are removed from the remote first, because they are damaged.

    Raises:
        UserError: there is no remote to write to, it cannot be reached, not all files arrived, or
            the cache contains damaged files.
    """
    with open_repo() as repo:
        remote, url = chosen_remote(repo, "push")
        files = list(fsck.cached_files(repo))
        if damage := fsck.repair(files):
            raise UserError(f"nothing was pushed because data is damaged: {fsck.advice(damage)}")
        with transfer_errors("push to", remote, url):
            _drop(repo, remote, files, again)
            sent = repo.push(targets=list(paths), remote=remote)
            # After the data, so that no run refers to a missing result.
            runs = repo.stage_cache.push(remote) if run_cache else []
    return f"pushed {sent} files and {len(runs)} runs to {remote} ({url})"


def pull(paths: Sequence[str], run_cache: bool) -> str:
    """Fetch the files that the cache lacks, check them out, and return their number in a sentence.

    Raises:
        UserError: there is no remote to read from, it cannot be reached, or an object is missing in
            it or damaged.
    """
    with open_repo() as repo:
        remote, url = chosen_remote(repo, "pull")
        with transfer_errors("pull from", remote, url), _missing_objects(repo, paths):
            fetched = pull_outputs(repo, paths, remote)
            runs = _pull_runs(repo, remote) if run_cache else "no runs"
    return f"pulled {fetched} files and {runs} from {remote} ({url}); they are in the workspace"


def pull_if_public(paths: Sequence[str], run_cache: bool) -> str:
    """Pull if that takes no secret, and return a sentence with the result."""
    if is_public(top()) is None:
        return "nothing was pulled: there is no remote that can be read without a secret"
    return pull(paths, run_cache)


def _drop(repo: Any, remote: str, files: Sequence[CachedFile], again: Sequence[str]) -> None:
    """Remove the objects `again` from the remote, and incomplete objects from WebDAV.

    dvc takes every object in a remote for complete. An interrupted push leaves an incomplete one
    only on WebDAV, whose servers differ in how they store an upload. If the list of a folder is in
    the remote, dvc does not check the folder's files, so the list is removed too, and first.

    Raises:
        UserError: one of the objects `again` is not in the cache.
    """
    odb = repo.cloud.get_remote_odb(remote, "push")
    local = {file.oid: file for file in files}
    if lacking := [oid for oid in again if not (oid in local and local[oid].cache_path.exists())]:
        raise UserError(f"{lacking[0]} is not in this cache, so it cannot be sent again from here")
    incomplete = []
    if odb.fs.protocol.startswith("webdav") and odb.fs.exists(odb.path):
        for path, metadata in odb.fs.fs.find(odb.path, detail=True).items():
            file = local.get("".join(path.split("/")[-2:]))
            local_path = file and file.cache_path
            if local_path and local_path.exists() and local_path.stat().st_size != metadata["size"]:
                incomplete.append("".join(path.split("/")[-2:]))
    dropped = {*incomplete, *again}
    lists = {file.folder for file in files if file.oid in dropped and file.folder}
    for oid in (*sorted(lists), *sorted(dropped - lists)):
        if odb.exists(oid):
            odb.delete(oid)
    if dropped:
        clear_remote_index(odb)


@contextmanager
def _missing_objects(repo: Any, paths: Sequence[str]) -> Iterator[None]:
    """Name the objects that a pull did not fetch, because dvc names only their outputs.

    Raises:
        UserError: some are missing or damaged in the remote.
    """
    try:
        yield
    except IncompleteCheckoutError as error:
        wanted = {str(Path(path).resolve()) for path in paths}
        lacking = [
            f"{_name(file)} (md5 {file.oid})"
            for file in dict.fromkeys(fsck.cached_files(repo))
            if not file.cache_path.exists() and (not wanted or _under(file.workspace_path, wanted))
        ]
        if not lacking:
            raise
        named = ", ".join(lacking[:SHOWN]) + (" and more" if len(lacking) > SHOWN else "")
        raise UserError(
            f"{len(lacking)} files are missing in the remote, or damaged and not accepted: "
            f"{named}; send each again with python -m fonoteka push --again MD5, from a clone "
            "that has it"
        ) from error


def _name(file: CachedFile) -> str:
    return file.workspace_path.name if file.workspace_path else "the list of a folder"


def _under(path: Path | None, wanted: Collection[str]) -> bool:
    return path is None or any(str(part) in wanted for part in (path, *path.parents))


def _pull_runs(repo: Any, remote: str) -> str:
    """Fetch the run-cache and return its size; files cannot be listed by HTTP."""
    count = pull_runs(repo, remote)
    return "no runs, which HTTP cannot list," if count is None else f"{count} runs"


def chosen_remote(repo: Any, way: str) -> tuple[str, str]:
    """Return the name and address of the remote for `push` or `pull`.

    Raises:
        UserError: there is none.
    """
    remotes = repo.config["remote"]
    default = repo.config["core"].get("remote", READ)
    remote = WRITE if way == "push" and WRITE in remotes else default
    if remote not in remotes:
        raise UserError(
            f"there is no remote to {way} {_PREPOSITION[way]}; add one with python -m fonoteka "
            "remote --url URL"
        )
    url = remotes[remote]["url"]
    kind = KINDS.get(url.partition("://")[0])
    if way == "push" and kind and not kind.writable:
        raise UserError(
            f"{masked(url)} can only be read; add an address to write to with python -m fonoteka "
            "remote --write URL"
        )
    return remote, masked(url)


_PREPOSITION = {"push": "to", "pull": "from"}


@contextmanager
def transfer_errors(action: str, remote: str, url: str, after: str = _RESUMED) -> Iterator[None]:
    """Raise any error of a transfer as a UserError of one sentence.

    Each client library has its own error classes for a server that fails, so every exception is
    caught.

    Args:
        action: what is done, before the name of the remote.
        remote: its name.
        url: its address, without secrets.
        after: what is left, and what to do.

    Raises:
        UserError: the transfer failed.
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
        # Files that failed give a better reason than the error that ends the transfer.
        reason = causes.summary() or _sentence(error)
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
            reason = str(error)
        if isinstance(error, FileNotFoundError) and url.startswith("webdav"):
            reason = "the folder at the end of the address may have to be created on the server"
        raise UserError(f"{action} {remote} ({url}) failed: {reason}; {after}") from error
    finally:
        logger.handlers, logger.propagate = others, propagates


class _Causes(logging.Handler):
    """Collect the reasons why files were not transferred."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Store the exception of a record, if it has one."""
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])

    def summary(self) -> str:
        """Return the number of failed files and the first reason, or nothing."""
        if not self.errors:
            return ""
        first = _sentence(self.errors[0])
        return f"{len(self.errors)} files were not transferred, the first because of {first}"


def _sentence(error: BaseException) -> str:
    """Return the message of an exception with its class, or the class alone."""
    message = masked(" ".join(str(error).split()))
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
