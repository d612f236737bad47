"""Push an exported folder to a model hub.

    python -m fonoteka publish hub/model/wavlm_ctc --to hf:owner/name [--private] [--dry-run]

Reads   a folder of export-hub; HF_ENDPOINT, and the token of HF_TOKEN or of `hf auth login`
Writes  a repository of the hub: one commit with the files that it does not have

A folder with a changed, a missing or a foreign file is refused, so only exported files get out.
Files of the repository that the folder does not have stay there. An upload that was cut continues:
huggingface_hub asks the hub for each file, and sends those that are not there.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.hub.hub_errors import hub_sentence, is_of_the_client
from fonoteka.hub.hub_folder import RECORD, HubFolder, is_hub_name, open_hub_folder

SCHEME = "hf:"
_WRITTEN_BY_THE_HUB = ".gitattributes"


def repository_of(target: str) -> str:
    """Return `owner/name` of `hf:owner/name`.

    Raises:
        UserError: the target is another.

    >>> repository_of("hf:someone/wavlm_ctc")
    'someone/wavlm_ctc'
    """
    if not target.startswith(SCHEME) or not is_hub_name(target.removeprefix(SCHEME)):
        raise UserError(f"--to {target!r}: expected hf:owner/name, letters, digits and - _ . only")
    return target.removeprefix(SCHEME)


def run(folder: Path, target: str, *, private: bool = False, dry_run: bool = False) -> None:
    """Push a folder, or print what a push would send.

    Args:
        folder: written by `export-hub`.
        target: `hf:owner/name`.
        private: whether a new repository is private; an existing one has to be.
        dry_run: send nothing.

    Raises:
        UserError: the folder was not exported or was changed, a token is missing, the hub refuses,
            or a repository that should be private is public.
    """
    repository, exported = repository_of(target), open_hub_folder(folder)
    api = _client(needs_token=not dry_run)
    with _plain_sentences(target):
        present = _hashes_of_repository(api, repository, exported.kind)
    new = [
        name
        for name in _names(exported)
        if present is None or not _is_there(exported, name, present)
    ]
    if private and present is not None:
        with _plain_sentences(target):
            info = api.repo_info(repository, repo_type=exported.kind)
        if not info.private:  # the hub would keep it public, and the files could be read by all
            raise UserError(
                f"{target}: exists and is public, so --private would have no effect; make it "
                "private on the hub first, or leave --private out"
            )
    if dry_run:
        _print_plan(exported, target, present, new)
        return
    if present is not None and not new:
        print(f"{target}: nothing to upload, all {len(_names(exported))} files are there")
        return
    with _plain_sentences(target):
        api.create_repo(repository, repo_type=exported.kind, exist_ok=True, private=private or None)
        done = api.upload_folder(
            repo_id=repository, folder_path=exported.path, repo_type=exported.kind,
            commit_message=f"Upload {exported.kind} {exported.name}",
        )  # fmt: skip
    size = sum(_path(exported, name).stat().st_size for name in new)
    print(
        f"{target}: uploaded {len(new)} of {len(_names(exported))} files, {size / 1e6:.1f} MB, as "
        f"commit {done.oid[:12]}"
    )
    _print_foreign(exported, target, present or {})


def _client(needs_token: bool) -> Any:
    """Return the client of the hub that HF_ENDPOINT names.

    Raises:
        UserError: a token is needed and missing, or it cannot be sent.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils.tqdm import disable_progress_bars

    # It warns of each request that it repeats.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        disable_progress_bars()
    token = get_token()
    if needs_token and not token:
        raise UserError(
            "no token of the hub: set HF_TOKEN to one with the role write, or run hf auth login"
        )
    if token and not token.isascii():  # a header of HTTP is ASCII
        raise UserError("the token of the hub has letters that no token has; copy it again")
    return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token or False)


@contextmanager
def _plain_sentences(target: str) -> Iterator[None]:
    """Raise an error of the client as one sentence."""
    try:
        yield
    except Exception as error:  # the client's errors share no base class
        if not is_of_the_client(error):
            raise
        raise UserError(f"{target}: {hub_sentence(error)}") from error


def _hashes_of_repository(api: Any, repository: str, kind: str) -> dict[str, str] | None:
    """Return the hash of each file of a repository, None if the repository does not exist.

    A large file has a SHA-256, any other one the SHA-1 of its git object. Without a token the
    public hub answers 401 for a repository that does not exist, which is not a refused token.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        entries = list(api.list_repo_tree(repository, recursive=True, repo_type=kind))
    except GatedRepoError:
        raise
    except RepositoryNotFoundError:
        return None
    files = (entry for entry in entries if hasattr(entry, "blob_id"))
    return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}


def _names(exported: HubFolder) -> list[str]:
    return sorted([*exported.files, RECORD])


def _path(exported: HubFolder, name: str) -> Path:
    return exported.path / name


def _is_there(exported: HubFolder, name: str, present: dict[str, str]) -> bool:
    """Return whether the repository has the same bytes under a name."""
    if name not in present:
        return False
    # The record's hash was compared with the file when the folder was opened.
    if present[name] == exported.files.get(name, {}).get("sha256"):
        return True
    data = _path(exported, name).read_bytes()
    git_object = b"blob %d\0" % len(data) + data
    return present[name] == hashlib.sha1(git_object, usedforsecurity=False).hexdigest()


def _print_plan(
    exported: HubFolder, target: str, present: dict[str, str] | None, new: list[str]
) -> None:
    if present is None:
        print(f"{target}: would be created as a repository of the kind {exported.kind}")
    for name in new:
        print(f"would upload {name}, {_path(exported, name).stat().st_size} bytes")
    total = len(_names(exported))
    print(f"{target}: {len(new)} of {total} files would be uploaded, {total - len(new)} are there")
    _print_foreign(exported, target, present or {})


def _print_foreign(exported: HubFolder, target: str, present: dict[str, str]) -> None:
    """State which files of the repository are not of the folder, because they stay."""
    if foreign := sorted(present.keys() - {*_names(exported), _WRITTEN_BY_THE_HUB}):
        print(f"{target}: {len(foreign)} files of the repository are not in the folder and stay: "
              f"{', '.join(foreign[:5])}")  # fmt: skip
