"""Ask a model hub or a web server which files of a corpus it has, and how large they are."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch.catalogue import PublicCorpus, PublicFile
from fonoteka.hub.hub_errors import is_of_the_client, status_of

ANSWER_S = 30.0  # longest wait for an answer; CLARIN.SI takes some seconds for a large file


@dataclass(frozen=True)
class RemoteFile:
    """A file, where it is, and the token to send if the server is the hub."""

    file: PublicFile
    url: str
    token: str = ""


def ask_servers(corpus: PublicCorpus, files: Sequence[PublicFile]) -> list[RemoteFile]:
    """Return the files with the sizes and hashes that their server states.

    Raises:
        UserError: the server does not answer, does not have a file, refuses it, or states another
            size or hash than the catalogue.
    """
    return _ask_hub(corpus, files) if corpus.hub else [_ask_server(corpus, file) for file in files]


def _ask_hub(corpus: PublicCorpus, files: Sequence[PublicFile]) -> list[RemoteFile]:
    from huggingface_hub import HfApi, get_token, hf_hub_url

    # It warns of each request that it repeats.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    endpoint, token = os.environ.get("HF_ENDPOINT") or None, get_token() or ""
    place = f"{corpus.hub}@{corpus.revision}"
    api = HfApi(endpoint=endpoint, token=token or False)
    with _plain_sentences(corpus, place):
        infos = api.get_paths_info(
            corpus.hub, [file.name for file in files], revision=corpus.revision, repo_type="dataset"
        )
    present: dict[str, Any] = {entry.path: entry for entry in infos if hasattr(entry, "blob_id")}
    remotes = []
    for file in files:
        if file.name not in present:
            raise UserError(f"{place}: the hub has no {file.name}; the entry of the catalogue is "
                            "wrong, or the data set was arranged in another way")  # fmt: skip
        entry = present[file.name]
        # Large files are stored outside git and have a SHA-256; git has a hash of the others.
        stated = {"sha256": entry.lfs.sha256} if entry.lfs else {"blob": entry.blob_id}
        url = hf_hub_url(
            corpus.hub, file.name, repo_type="dataset", revision=corpus.revision, endpoint=endpoint
        )
        remotes.append(RemoteFile(_stated(file, place, bytes=entry.size, **stated), url, token))
    return remotes


def _ask_server(corpus: PublicCorpus, file: PublicFile) -> RemoteFile:
    """Return a file of a web server, with its size if the server states it."""
    import httpx

    url = urljoin(corpus.base, file.name)
    plain = {"Accept-Encoding": "identity"}  # else the size may be that of a compressed copy
    with _plain_sentences(corpus, url):
        answer = httpx.head(url, follow_redirects=True, timeout=ANSWER_S, headers=plain)
        if answer.status_code not in (405, 501):  # some servers do not know HEAD
            answer.raise_for_status()
    size = answer.headers.get("Content-Length", "") if answer.is_success else ""
    # GitHub packs an archive when it is requested and states no size.
    stated = {"bytes": int(size)} if size.isdecimal() and int(size) and file.tree is None else {}
    return RemoteFile(_stated(file, url, **stated), url)


def _stated(file: PublicFile, place: str, **stated: Any) -> PublicFile:
    """Return a file with what the server states, unless the catalogue has another value."""
    for name, value in stated.items():
        if (expected := getattr(file, name)) and expected != value:
            raise UserError(
                f"{place}: the server states {name} {value} for {file.name}, expected {expected}; "
                "it is not the pinned file, and nothing was downloaded"
            )
    return replace(file, **stated)


@contextmanager
def _plain_sentences(corpus: PublicCorpus, place: str) -> Iterator[None]:
    """Raise an error of the network or of the hub's client as one sentence."""
    try:
        yield
    except Exception as error:  # the client's errors share no base class
        if isinstance(error, UserError) or not is_of_the_client(error):
            raise
        raise UserError(f"{place}: {server_sentence(corpus, error)}") from error


def server_sentence(corpus: PublicCorpus, error: BaseException) -> str:
    """Return what an answer or a missing answer means and what to do, in one sentence."""
    status = status_of(error)
    if status is None:
        first = " ".join(str(error).split())[:160] or type(error).__name__
        return (
            f"the server does not answer ({first}); check the network"
            f"{' and HF_ENDPOINT' if corpus.hub else ''}; files that arrived stay, so run the same "
            "command later"
        )
    return status_sentence(corpus, status)


def status_sentence(corpus: PublicCorpus, status: int) -> str:
    """Return what a status of HTTP means for a corpus and what to do."""
    if status in (401, 403):
        token = "; then set HF_TOKEN to a token that may read it" if corpus.hub else ""
        return (
            f"{status}: the server does not give this file to everyone; open {corpus.page} in a "
            f"browser, log in and accept its terms{token}, and run the same command again"
        )
    if status in (404, 410):
        return (
            f"{status}: the file or its revision is not there; look at {corpus.page} whether the "
            "corpus moved, and give an own --catalogue with its new address"
        )
    if status == 429 or status >= 500:
        return (
            f"{status}: the server cannot answer now; files that arrived stay, so run the same "
            "command later"
        )
    return f"the server answered with status {status}; look at {corpus.page}"
