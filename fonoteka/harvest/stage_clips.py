"""Cut a downloaded recording into clips, and keep them until they are imported.

    data/harvest/NAME/staged/KEY/**         clips
    data/harvest/NAME/staged/KEY/item.json  their rows, and the record for the ledger

A recording of at most `max_s` is one clip as it is. A longer one is cut at pauses by the voice
activity detector, with unchanged samples; its transcript, if the source has one, is of the whole
and is left out, because no part of it belongs to one clip.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.audiocheck.ffmpeg import FFMPEG_SUFFIXES
from fonoteka.audiocheck.stream import SoundBlock
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, write_json
from fonoteka.corpus.importers.layouts.audio_io import (
    AudioPart,
    convert,
    cut,
    ffmpeg_is_there,
    sound_of,
    suffix_of_part,
)
from fonoteka.harvest.item import ItemRefusedError, Outcome
from fonoteka.tables import Row

ITEM = "item.json"
WHOLE = "whole."  # how the name of a recording begins that is one clip
LONGEST_S = 24 * 3600.0  # of a recording: a small file may state that it lasts for years
MIN_CLIP_S = 0.3  # a shorter window is a click; a spoken digit lasts longer


@dataclass(frozen=True)
class StagedItem:
    """The clips of a recording that wait for their import.

    Attributes:
        rows: of the future table; paths are relative to the folder `staged`.
        record: for the ledger.
    """

    rows: list[Row]
    record: dict[str, Any]


def stage_item(
    path: Path, staged: Path, key: str, row: Row, record: dict[str, Any], max_s: float
) -> StagedItem:
    """Cut a recording and write its clips.

    Args:
        path: of the recording.
        staged: the folder of all staged items.
        key: the name of its folder.
        row: what all its clips share, with the text of the whole.
        record: for the ledger; the number of clips is added.
        max_s: length of the longest clip.

    Raises:
        ItemRefusedError: it cannot be read, or contains no speech.
    """
    with atomic_folder(staged / key) as part:
        try:
            clips = list(_clips(path, part, max_s, bool(row["text"])))
        except UserError as error:
            detail = str(error).replace(str(path), "the recording")
            raise ItemRefusedError(Outcome.UNREADABLE, detail) from error
        if not clips:
            raise ItemRefusedError(Outcome.NO_SPEECH, "no speech was found in it")
        whole = clips[0].startswith(WHOLE)
        shared = row if whole else row | {"text": ""}
        rows = [shared | {"path": f"{key}/{clip}", "session": key} for clip in clips]
        if row["text"] and not whole:
            record = record | {"text_left_out": True}
        item = StagedItem(rows, record | {"clips": len(rows)})
        write_json(part / ITEM, {"rows": item.rows, "record": item.record})
    return item


def staged_items(staged: Path) -> list[StagedItem]:
    """Return what waits for its import, sorted by key."""
    paths = sorted(staged.glob(f"[!.]*/{ITEM}"))
    return [StagedItem(**read_json(path)) for path in paths]


def _clips(path: Path, folder: Path, max_s: float, has_text: bool) -> Iterator[str]:
    """Write the clips of a recording to a folder, and yield their names.

    A short one with a transcript is a clip even if the detector misses its speech.
    """
    source = path
    # What libsndfile cannot read becomes FLAC first, as in the importer.
    if path.suffix in FFMPEG_SUFFIXES:
        if not ffmpeg_is_there():
            raise UserError(f"{path.suffix} needs ffmpeg, which is not installed")
        source = folder / f"{WHOLE}flac"
        if problem := convert(path, source):
            raise UserError(f"ffmpeg found a fault: {problem}")
    spans, seconds = _spoken(source, max_s)
    if seconds <= max_s and (spans or has_text):
        if source == path:
            source = folder / f"{WHOLE}{path.suffix.removeprefix('.')}"
            shutil.copyfile(path, source)
        yield source.name
        return
    sound = sound_of(source)
    if spans and sound is None:
        raise UserError("its header cannot be read")
    suffix = suffix_of_part(sound) if sound else ""
    parts = [
        AudioPart(start, end, folder / f"{1000 * start:08.0f}-{1000 * end:08.0f}{suffix}")
        for start, end in spans
    ]
    if parts:
        cut(source, parts)
    if source != path:
        source.unlink()
    yield from (part.path.name for part in parts)


def _spoken(path: Path, max_s: float) -> tuple[list[tuple[float, float]], float]:
    """Return the windows with speech in seconds, and the length of the recording."""
    # Imported here: onnxruntime takes 0.1 CPU seconds, which refused items do not need.
    from fonoteka.recording_blocks import signal_blocks
    from fonoteka.speech_gate import SpeechGate
    from fonoteka.speech_windows import WindowParams, speech_windows

    length = _Length()
    blocks = length.counted(signal_blocks(path, check=_Bounded()))
    windows = speech_windows(blocks, SpeechGate(), WindowParams(max_s=max_s))
    spans = [
        (window.start_s, window.end_s)
        for window in windows
        if window.end_s - window.start_s >= MIN_CLIP_S
    ]
    # The last window ends with the recording; resampling may add up to one sample.
    return [(start, min(end, length.seconds)) for start, end in spans], length.seconds


class _Length:
    """Counts the samples that pass."""

    def __init__(self) -> None:
        self.samples = 0

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE_HZ

    def counted(self, blocks: Iterator[Signal]) -> Iterator[Signal]:
        for block in blocks:
            self.samples += len(block)
            yield block


class _Bounded:
    """Refuses a recording that does not end."""

    def __init__(self) -> None:
        self._left_s = LONGEST_S

    def __call__(self, block: SoundBlock) -> None:
        self._left_s -= len(block.samples) / block.sample_rate_hz
        if self._left_s < 0 or math.isnan(self._left_s):
            raise UserError(f"lasts longer than {LONGEST_S / 3600:.0f} hours")
