"""Items of sites that yt-dlp knows, downloaded by its program and by its conventions.

The program first lists what an address contains, without downloading; each entry is then decided
like any other item, and an accepted one is downloaded with `--download-archive`,
`--sleep-requests` and `--match-filters` on its licence. yt-dlp is an optional package and runs only
if it is asked for.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file
from fonoteka.core.run_stage import child_preexec
from fonoteka.harvest.download import Downloaded
from fonoteka.harvest.file_checks import HEAD_BYTES, check_name, suffix_of
from fonoteka.harvest.item import HarvestItem, ItemRefusedError, Outcome
from fonoteka.harvest.limits import HarvestLimits
from fonoteka.harvest.web import Gate

PROGRAM, ARCHIVE = "yt-dlp", "archive.txt"
LICENCE_FILTER = "license*=Creative Commons"
_FIELDS = "%(.{id,extractor_key,webpage_url,title,license,language,uploader})j"


class YtDlp:
    """Runs yt-dlp."""

    def __init__(self, folder: Path, limits: HarvestLimits) -> None:
        """Find the program.

        Args:
            folder: for its archive and its files.
            limits: of the run.

        Raises:
            UserError: it is not installed.
        """
        program = shutil.which(PROGRAM)
        if program is None:
            raise UserError(f"{PROGRAM} is not installed; run pip install 'yt-dlp[default]'")
        self._folder = folder
        self._limits = limits
        delay = f"{limits.delay_s:g}"
        self._command = [
            program, "--ignore-config", "--no-progress", "--no-warnings", "--sleep-requests", delay,
        ]  # fmt: skip

    def items(self, url: str, gate: Gate) -> Iterator[HarvestItem]:
        """Yield the entries of an address.

        Raises:
            ItemRefusedError: the address is refused, or yt-dlp fails.
        """
        gate(url)
        output = self._run("--simulate", "--ignore-errors", "--print", _FIELDS, "--", url)
        for line in output.splitlines():
            if (entry := _entry(line)) and entry.get("webpage_url"):
                licence = str(entry.get("license") or "")
                yield HarvestItem(
                    str(entry["webpage_url"]), url, str(entry.get("title") or ""), licence,
                    f"{entry['webpage_url']}, field license of yt-dlp" if licence else "",
                    speaker=str(entry.get("uploader") or ""),
                    language=str(entry.get("language") or ""), by_yt_dlp=True,
                )  # fmt: skip

    def fetch(self, url: str, key: str, *, stated: bool) -> Downloaded:
        """Return a recording; one that a killed run left complete is not downloaded again.

        Args:
            url: of its page.
            key: the name of its files.
            stated: whether its own record states the licence, so that yt-dlp filters by it.

        Raises:
            ItemRefusedError: yt-dlp fails, or the file is missing or not a recording.
        """
        target = self._folder / key
        target.mkdir(parents=True, exist_ok=True)
        licence = ("--match-filters", LICENCE_FILTER) if stated else ()
        try:
            self._run(
                "--no-playlist", "--format", "bestaudio/best", "--write-info-json",
                "--restrict-filenames", "--sleep-interval", f"{self._limits.delay_s:g}",
                *licence,
                "--max-filesize", str(self._limits.max_bytes),
                "--limit-rate", f"{self._limits.bytes_per_s:.0f}",
                "--download-archive", str(self._folder / ARCHIVE),
                "--paths", str(target), "--output", "%(id)s.%(ext)s", "--", url,
            )  # fmt: skip
            return self._result(target, url, key)
        finally:
            shutil.rmtree(target, ignore_errors=True)

    def _result(self, target: Path, url: str, key: str) -> Downloaded:
        """Return the file that was downloaded, moved out of its folder."""
        info = next(target.glob("*.info.json"), None)
        files = [path for path in sorted(target.iterdir()) if path != info and path.is_file()]
        if len(files) != 1:
            detail = f"{len(files)} files; its licence filter, its archive or a limit left it out"
            raise ItemRefusedError(Outcome.FAILED, detail)
        (path,) = files
        check_name(path.name)
        if path.stat().st_size > self._limits.max_bytes:
            raise ItemRefusedError(Outcome.TOO_LARGE, f"{path.stat().st_size} bytes")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if not (suffix := suffix_of(head)):
            raise ItemRefusedError(Outcome.WRONG_TYPE, f"it begins with {head[:12]!a}")
        moved = path.replace(self._folder / f"{key}{suffix}")
        size = moved.stat().st_size
        return Downloaded(moved, suffix, sha256_file(moved), size, path.name, url, (url,), {})

    def _run(self, *arguments: str) -> str:
        result = subprocess.run(
            [*self._command, *arguments], capture_output=True, text=True, errors="replace",
            check=False, stdin=subprocess.DEVNULL, preexec_fn=child_preexec(),
        )  # fmt: skip
        if result.returncode and not result.stdout:
            last = " ".join(result.stderr.split())[-200:]
            raise ItemRefusedError(Outcome.FAILED, last or f"exit code {result.returncode}")
        return result.stdout


def _entry(line: str) -> dict[str, Any]:
    """Return the fields of an entry; none for a line that is something else."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
