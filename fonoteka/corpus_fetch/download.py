"""Download one file, continuing where an earlier attempt was cut.

huggingface_hub writes each attempt of a new process to a new temporary file, so it would fetch an
archive of 1 GB again from its start. Here the bytes stay in NAME.part, the next request asks for
the rest by Range, and If-Range makes the server send everything if the file has changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch.catalogue import PublicCorpus
from fonoteka.corpus_fetch.servers import RemoteFile, status_sentence
from fonoteka.formats.http_range import is_rest, range_headers

ATTEMPTS = 5  # in a row without a new byte
RESTARTS = 2  # of one file from its start
WAIT_S = 1.0  # before the second attempt; doubled before each further one
LONGEST_WAIT_S = 60.0  # that a server may ask for by Retry-After
TIMEOUT = httpx.Timeout(30.0, read=120.0)


class _CutError(Exception):
    """The connection ended before the file did.

    Attributes:
        wait_s: that the server asks for, in seconds.
        restart: whether the bytes that arrived are of no use.
    """

    def __init__(self, reason: str, wait_s: float = 0.0, *, restart: bool = False) -> None:
        super().__init__(reason)
        self.wait_s, self.restart = wait_s, restart


def part_of(target: Path) -> Path:
    """Return the path of the bytes that have arrived of an unfinished file."""
    return target.with_name(f"{target.name}.part")


def download(
    corpus: PublicCorpus,
    remote: RemoteFile,
    target: Path,
    arrived: Callable[[int], None] = lambda count: None,  # noqa: ARG005
) -> int:
    """Write a file, and return how many bytes were received for it.

    Args:
        corpus: that the file belongs to, for messages.
        remote: the file.
        target: where to write it; it appears there when it is complete.
        arrived: called with the number of bytes after each block.

    Raises:
        UserError: the server refuses the file or has another size than expected, or the connection
            was cut `ATTEMPTS` times without a new byte. NAME.part stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part, received, failures, restarts = part_of(target), 0, 0, 0
    while True:
        before = _size(part)
        try:
            received += _attempt(corpus, remote, part, arrived)
            break
        except (_CutError, httpx.TransportError) as error:
            received += max(0, _size(part) - before)
            failures = 1 if _size(part) > before else failures + 1
            # A server that states more bytes than it has would be asked for ever.
            restarts += isinstance(error, _CutError) and error.restart
            if failures == ATTEMPTS or restarts == RESTARTS:
                raise UserError(
                    f"{remote.url}: the connection was cut after {_size(part)} bytes "
                    f"({error or type(error).__name__}); check the network and run the same "
                    "command again, it continues there"
                ) from error
            if isinstance(error, _CutError) and error.restart:
                part.unlink()
            wait_s = error.wait_s if isinstance(error, _CutError) else 0.0
            time.sleep(max(wait_s, WAIT_S * 2 ** (failures - 1)))
    _tag_of(part).unlink(missing_ok=True)
    part.replace(target)
    return received


def _attempt(
    corpus: PublicCorpus, remote: RemoteFile, part: Path, arrived: Callable[[int], None]
) -> int:
    """Request the bytes that are missing and append them; return how many were received."""
    have = _size(part)
    if have and remote.file.bytes is not None:
        if have == remote.file.bytes:
            return 0
        if have > remote.file.bytes:
            part.unlink()
            have = 0
    headers = {"Accept-Encoding": "identity"}
    if remote.token:  # httpx does not send it to another host that the hub redirects to
        headers["Authorization"] = f"Bearer {remote.token}"
    headers |= range_headers(have, _read_tag(part))
    try:
        with httpx.stream(
            "GET", remote.url, headers=headers, follow_redirects=True, timeout=TIMEOUT
        ) as answer:
            start = _start_of(corpus, remote, answer, have)
            total = _total_of(answer, start)
            expected = remote.file.bytes
            if None not in (total, expected) and total != expected:
                raise UserError(
                    f"{remote.url}: the server has {total} bytes, expected {expected}; it is not "
                    "the pinned file"
                )
            if start == 0:
                _write_tag(part, answer.headers.get("ETag", ""))
            return _append(remote, part, start, answer, total, arrived)
    except httpx.TooManyRedirects as error:
        raise UserError(f"{remote.url}: the server redirects in a circle") from error


def _append(
    remote: RemoteFile, part: Path, start: int, answer: httpx.Response, total: int | None,
    arrived: Callable[[int], None],
) -> int:  # fmt: skip
    """Write the body of an answer from a position on; return how many bytes it had."""
    received = 0
    with part.open("ab" if start else "wb") as file:
        for block in answer.iter_bytes():  # as they come: a cut loses no block
            received += len(block)
            if total is not None and start + received > total:
                raise UserError(f"{remote.url}: the server sends more than the {total} bytes that "
                                "it states")  # fmt: skip
            file.write(block)
            arrived(len(block))
    if total is not None and start + received < total:
        raise _CutError(f"{total - start - received} bytes are missing")
    return received


def _start_of(corpus: PublicCorpus, remote: RemoteFile, answer: httpx.Response, have: int) -> int:
    """Return the position of the first byte that an answer contains.

    Raises:
        UserError: the answer is a refusal.
        _CutError: the server asks to try again, or cannot continue where the file was cut.
    """
    status = answer.status_code
    if status == 206:
        if not is_rest(answer.headers.get("Content-Range", ""), have):
            raise UserError(f"{remote.url}: the server sends another part than the one asked for")
        return have
    if status == 200:
        return 0
    if status == 416:  # NAME.part is of another file
        raise _CutError(f"the server has no byte {have}", restart=True)
    if status == 429 or status >= 500:
        retry_after = answer.headers.get("Retry-After", "")
        wait_s = float(retry_after) if retry_after.isdecimal() else 0.0
        if wait_s <= LONGEST_WAIT_S:
            raise _CutError(f"status {status}", wait_s)
    raise UserError(f"{remote.url}: {status_sentence(corpus, status)}")


def _total_of(answer: httpx.Response, start: int) -> int | None:
    """Return the size of the whole file by the headers of an answer, None if it is not stated."""
    if answer.status_code == 206:
        total = answer.headers["Content-Range"].rpartition("/")[2]
        return int(total) if total.isdecimal() else None
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tag_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _read_tag(part: Path) -> str:
    tag = _tag_of(part)
    return tag.read_text(encoding="ascii") if tag.exists() else ""


def _write_tag(part: Path, tag: str) -> None:
    """Keep the file's tag, unless it is a weak one, which If-Range does not accept."""
    if tag.isascii() and tag.startswith('"'):
        _tag_of(part).write_text(tag, encoding="ascii")
    else:
        _tag_of(part).unlink(missing_ok=True)
