"""Download one recording; a cut connection or a killed process continues where it stopped.

A part is kept beside the validator of its answer, and the rest is asked for by Range and If-Range.
If the file has changed meanwhile, the server sends the whole, which replaces the part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, write_json
from fonoteka.formats.http_range import is_rest, range_headers
from fonoteka.harvest.consent import check_header
from fonoteka.harvest.file_checks import (
    HEAD_BYTES,
    check_name,
    check_type,
    file_name,
    suffix_of,
)
from fonoteka.harvest.item import ItemRefusedError, Outcome
from fonoteka.harvest.limits import MIB
from fonoteka.harvest.web import Answer, Gate, Web

KEPT_HEADERS = (
    "content-length", "content-type", "date", "etag", "last-modified", "link", "server",
    "tdm-policy", "tdm-reservation", "x-robots-tag",
)  # fmt: skip
_PATIENCE_S, _SLOWEST = 120.0, 512  # then bytes per second; a harvest would wait for days
_OK, _PARTIAL, _BAD_RANGE = 200, 206, 416
WHOLE = ".whole"  # the suffix of what is recorded of a recording whose bytes are all here


@dataclass(frozen=True)
class Downloaded:
    """A recording that was downloaded.

    Attributes:
        path: where it is.
        suffix: by its first bytes.
        sha256: of its bytes.
        bytes: its size.
        name: as the server states it.
        url: the last address.
        hops: all addresses.
        headers: some of the answer.
    """

    path: Path
    suffix: str
    sha256: str
    bytes: int
    name: str
    url: str
    hops: tuple[str, ...]
    headers: Mapping[str, str]


class Downloader:
    """Downloads recordings into a folder, and counts the bytes of the run."""

    def __init__(self, web: Web, folder: Path, gate: Gate) -> None:
        self._web, self._folder, self._gate = web, folder, gate
        self.bytes = 0  # of bodies that were read
        folder.mkdir(parents=True, exist_ok=True)

    def part_of(self, key: str) -> Path:
        """Return the file of a recording that is not whole yet."""
        return self._folder / f"{key}.part"

    def discard(self, key: str) -> None:
        """Remove the files of a recording, whole or not."""
        for path in self._folder.glob(f"{key}.*"):
            path.unlink()

    def fetch(self, url: str, key: str, check: Callable[[Answer], None]) -> Downloaded:
        """Return a recording; its file is removed if it is refused, and kept if it is cut.

        One that a killed run left whole is returned without a request. Call `discard` when it is
        of no more use.

        Args:
            url: where it is.
            key: the name of its files.
            check: called with each answer before its body is read.

        Raises:
            ItemRefusedError: it is refused or cannot be downloaded.
        """
        if whole := self._whole(key):
            return whole
        problem = ""
        for attempt in range(self._web.limits.retries + 1):
            if attempt:
                time.sleep(min(2.0**attempt * min(1.0, self._web.limits.delay_s), 30.0))
            try:
                if result := self._try(url, key, check):
                    return result
                problem = "the server sent another range than was asked for"
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            except ItemRefusedError as error:
                # A server that is busy or gone may be back tomorrow; the part is still good.
                if error.outcome not in (Outcome.BUSY, Outcome.NETWORK):
                    self.discard(key)
                raise
        if self._validator(key) == "":
            self.discard(key)
        raise ItemRefusedError(Outcome.NETWORK, problem)

    def check_head(self, url: str, check: Callable[[Answer], None]) -> None:
        """Check the headers of a file, without reading it.

        Raises:
            ItemRefusedError: it would be refused by that.
        """
        with self._web.open(url, self._gate, method="HEAD") as answer:
            if answer.status == _OK:
                self._checked(answer, 0, check)

    def _try(self, url: str, key: str, check: Callable[[Answer], None]) -> Downloaded | None:
        """Return the recording, or None if the part was of no use and was removed."""
        part, validator = self.part_of(key), self._validator(key)
        have = part.stat().st_size if validator and part.exists() else 0
        with self._web.open(url, self._gate, headers=range_headers(have, validator)) as answer:
            if answer.status not in (_OK, _PARTIAL):
                if have and answer.status == _BAD_RANGE:
                    self.discard(key)
                    return None
                raise ItemRefusedError(Outcome.HTTP, f"{answer.status} for {answer.url}")
            name = self._checked(answer, have if answer.status == _PARTIAL else 0, check)
            # A server may ignore the range and send all, or send a part of another version: a part
            # is continued only if it begins at the byte that is missing.
            if answer.status == _PARTIAL:
                if not have or not is_rest(answer.header("content-range"), have):
                    self.discard(key)
                    return None
            else:
                have = 0
                self._keep_validator(key, answer)
            stated = _recorded(answer)
            try:
                suffix = self._read(answer, part, have)
            except ItemRefusedError as error:
                error.seen = {"headers": stated}
                raise
        got = Downloaded(
            part.with_suffix(suffix), suffix, sha256_file(part), part.stat().st_size, name,
            answer.url, answer.hops, stated,
        )  # fmt: skip
        # The record comes first: after a kill between the two lines the next run finds a complete
        # part, and downloads nothing.
        write_json(part.with_suffix(WHOLE), asdict(got) | {"path": got.path.name})
        part.replace(got.path)
        return got

    def _whole(self, key: str) -> Downloaded | None:
        """Return a recording whose download was complete when a run was killed."""
        part = self.part_of(key)
        try:
            values = read_json(part.with_suffix(WHOLE))
            path = self._folder / values["path"]
            if part.is_file():  # the kill came before it was renamed
                part.replace(path)
            if sha256_file(path) != values["sha256"]:
                return None
            return Downloaded(**values | {"path": path, "hops": tuple(values["hops"])})
        except (UserError, OSError, KeyError, TypeError):
            return None

    def _checked(self, answer: Answer, have: int, check: Callable[[Answer], None]) -> str:
        """Return the name of a file whose headers are accepted."""
        try:
            return self._name(answer, have, check)
        except ItemRefusedError as error:
            error.seen = {"headers": _recorded(answer)}
            raise

    def _name(self, answer: Answer, have: int, check: Callable[[Answer], None]) -> str:
        check_header(answer.header("tdm-reservation"), answer.url)
        check_type(answer.header("content-type"))
        if encoding := answer.header("content-encoding").replace("identity", ""):
            raise ItemRefusedError(Outcome.WRONG_TYPE, f"it is encoded as {encoding!a}")
        name = file_name(answer.header("content-disposition"), answer.url)
        check_name(name)
        check(answer)
        length = answer.header("content-length")
        if length.isdecimal():
            self._check_size(have + int(length), "states", int(length))
        return name

    def _read(self, answer: Answer, part: Path, have: int) -> str:
        """Append the body to the part; return the suffix for its first bytes."""
        limits, begin, count = self._web.limits, time.monotonic(), 0
        # Each chunk as it comes, and past no buffer: a kill or a cut loses nothing that was read.
        with part.open("ab" if have else "wb", buffering=0) as file:
            for chunk in answer.response.iter_raw():
                file.write(chunk)
                count += len(chunk)
                self.bytes += len(chunk)
                self._check_size(have + count, "sends", 0)
                if have + count >= HEAD_BYTES > have + count - len(chunk):
                    self._suffix(part)  # another kind of file is not read to its end
                passed_s = time.monotonic() - begin
                if passed_s > _PATIENCE_S and count < passed_s * _SLOWEST:
                    raise ItemRefusedError(Outcome.NETWORK, f"{count} bytes in {passed_s:.0f} s")
                time.sleep(max(0.0, count / limits.bytes_per_s - passed_s))
        return self._suffix(part)

    def _check_size(self, size: int, verb: str, coming: int) -> None:
        limits = self._web.limits
        if size > limits.max_bytes:
            most = f"the limit is {limits.max_bytes / MIB:.0f} MiB"
            detail = f"the server {verb} {size / MIB:.0f} MiB or more, {most}"
            raise ItemRefusedError(Outcome.TOO_LARGE, detail)
        if self.bytes + coming > limits.max_total_bytes:
            detail = f"{limits.max_total_bytes / MIB:.0f} MiB in this run"
            raise ItemRefusedError(Outcome.LIMIT, detail)

    def _suffix(self, part: Path) -> str:
        with part.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if not (suffix := suffix_of(head)):
            raise ItemRefusedError(Outcome.WRONG_TYPE, f"it begins with {head[:12]!a}")
        return suffix

    def _validator(self, key: str) -> str:
        """Return the validator of a part; empty if a range of it cannot be asked for."""
        try:
            return str(read_json(self.part_of(key).with_suffix(".json"))["validator"])
        except (UserError, KeyError, TypeError):
            return ""

    def _keep_validator(self, key: str, answer: Answer) -> None:
        self.discard(key)
        write_json(self.part_of(key).with_suffix(".json"), {"validator": answer.strong_validator()})


def _recorded(answer: Answer) -> dict[str, str]:
    """Return the headers that are recorded."""
    return {name: answer.header(name) for name in KEPT_HEADERS if answer.header(name)}
