"""What the bytes of one file decide: its measurements, its problem and its fingerprint.

These facts take nearly all of the stage's time and depend on neither the table nor the name of the
file, so they are stored by the hash of the bytes, and an unchanged file is not decoded again. The
row of the table is made from them in each run.

Two kinds of facts are computed in each run: the problem of a file that cannot be read, because a
decoder that is installed later may read it, and those of a worker that exceeded its limits, because
they depend on the machine.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from fonoteka.audiocheck.decoder_versions import ffmpeg_version, libsndfile_version
from fonoteka.audiocheck.downmix import ChannelChoice, choose_channel
from fonoteka.audiocheck.ffmpeg import FFMPEG_SUFFIXES
from fonoteka.audiocheck.measure import Probe, ProbeLimits
from fonoteka.audiocheck.probe import probe
from fonoteka.compute.file_content import content_of
from fonoteka.compute.source_fingerprint import source_fingerprint
from fonoteka.compute.stage_results import StageResults
from fonoteka.core.files import sha256_json
from fonoteka.fingerprint.fingerprint import MIN_RATE_HZ, Codes, fingerprint
from stages.corpus.inventory.params import InventoryParams
from stages.corpus.inventory.problems import (
    CLIPPED,
    EMPTY,
    NO_TRANSCRIPT,
    SILENT,
    TOO_LONG,
    TOO_SHORT,
)

NO_CODES: Codes = np.empty(0, dtype=np.uint64)
_OTHER_PARAMS = ("corpora", "untranscribed", "max_decode_s", "memory_mib")


class FileFacts(NamedTuple):
    """What the bytes of a file decide.

    Attributes:
        probed: its measurements, without the sound.
        problem: the most serious one, empty for most files.
        detail: the value that shows the problem, or notes.
        codes: the fingerprint, empty for a file with a problem.
    """

    probed: Probe
    problem: str
    detail: str
    codes: Codes

    def encode(self) -> bytes:
        """Return the facts as a line of JSON and the bytes of the codes."""
        head = [self.probed._replace(sound=None), self.problem, self.detail]
        return json.dumps(head).encode() + b"\n" + self.codes.astype("<u8").tobytes()

    @classmethod
    def decode(cls, data: bytes) -> FileFacts:
        """Return the facts of `encode`."""
        head, _, codes = data.partition(b"\n")
        probed, problem, detail = json.loads(head)
        return cls(Probe(*probed), problem, detail, np.frombuffer(codes, "<u8").astype(np.uint64))


@dataclass(frozen=True)
class FactStore:
    """The facts of earlier runs, for one set of parameters.

    Attributes:
        results: where they are stored.
        max_bytes: a larger file is not hashed.
    """

    results: StageResults
    max_bytes: int

    def find(self, clip: str, path: str, has_text: bool) -> FileFacts | None:
        """Return the facts of a file, or None if it has to be read.

        Only a regular file of a permitted size is hashed: a pipe would never end.
        """
        if not self.results.may_have_any:
            return None
        try:
            status = os.stat(path)  # noqa: PTH116  a path per file would double the time
            if not stat.S_ISREG(status.st_mode) or status.st_size > self.max_bytes:
                return None
            sha256 = content_of(path)
        except OSError:
            return None  # the worker reports it
        data = self.results.get(clip, _content(sha256, path, has_text))
        return None if data is None else FileFacts.decode(data)

    def keep(self, clip: str, path: str, has_text: bool, measured: FileFacts) -> None:
        """Store the facts of a file, except those that depend on more than its bytes."""
        probed = measured.probed
        by_ffmpeg = probed.codec.startswith("ffmpeg") and not _suggests_ffmpeg(path)
        if probed.sha256 and not probed.problem and not by_ffmpeg:
            content = _content(probed.sha256, path, has_text)
            self.results.put(clip, content, measured.encode())


def fact_store(params: InventoryParams) -> FactStore:
    """Return the store for these parameters and this version of code and decoders."""
    limits = {key: value for key, value in asdict(params).items() if key not in _OTHER_PARAMS}
    mark = sha256_json([source_fingerprint(__name__, anywhere=True), libsndfile_version(), limits])
    return FactStore(StageResults("inventory", mark), params.max_bytes)


def _content(sha256: str, path: str, has_text: bool) -> str:
    version = ffmpeg_version() if _suggests_ffmpeg(path) else ""
    return f"{sha256} {has_text} {version}"


def _suggests_ffmpeg(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in FFMPEG_SUFFIXES


def file_facts(path: str, has_text: bool, params: InventoryParams) -> FileFacts:
    """Read one file and return its facts.

    Args:
        path: of the file.
        has_text: whether it has a transcript; without one, its fingerprint is not needed.
        params: limits.
    """
    limits = ProbeLimits(params.max_bytes, params.max_s, params.max_channels)
    probed = probe(path, limits)
    problem, detail = problem_of(probed, has_text, params)
    channel = None if problem else _channel(probed)
    notes = "; ".join(filter(None, (detail, str(channel or ""))))
    codes = _fingerprint(probed, problem, channel)
    return FileFacts(probed._replace(sound=None), problem, notes, codes)


def problem_of(probed: Probe, has_text: bool, params: InventoryParams) -> tuple[str, str]:
    """Return the most serious problem of a clip and its detail, both empty for most clips.

    The problems are in problems.py. Without a problem, the detail is a note on unusual data in the
    file, such as bytes behind the audio.
    """
    if probed.problem:
        return probed.problem, probed.detail
    if not probed.frames:
        return EMPTY, "0 samples"
    if probed.duration_s < params.min_s:
        return TOO_SHORT, f"{probed.duration_s:.3f} s, at least {params.min_s:g} s"
    if probed.duration_s > params.max_s:
        return TOO_LONG, f"{probed.duration_s:.3f} s, at most {params.max_s:g} s"
    if probed.peak_dbfs < params.silent_below_dbfs:
        return (
            SILENT,
            f"peak {probed.peak_dbfs:.1f} dBFS, at least {params.silent_below_dbfs:g} dBFS",
        )
    if probed.clipped > params.max_clipped_fraction:
        return (
            CLIPPED,
            f"{probed.clipped:.2%} of samples at full scale, at most "
            f"{params.max_clipped_fraction:.2%}",
        )
    return ("" if has_text else NO_TRANSCRIPT), probed.detail


def _channel(probed: Probe) -> ChannelChoice | None:
    """Return the channel to use for a clip whose channels cancel each other, see downmix.py."""
    if probed.sound is None or probed.channels < 2:
        return None
    return choose_channel(probed.sound.reshape(-1, probed.channels), probed.sample_rate_hz)


def _fingerprint(probed: Probe, problem: str, channel: ChannelChoice | None) -> Codes:
    """Return the fingerprint of a clip or of one of its channels; empty if it has a problem."""
    if problem or probed.sound is None or probed.sample_rate_hz < MIN_RATE_HZ:
        return NO_CODES
    sound = probed.sound
    if probed.channels > 1:
        sound = sound.reshape(-1, probed.channels)
    return fingerprint(channel.select(sound) if channel else sound, probed.sample_rate_hz)
