"""A whole corpus as the audit reads it, made clip by clip, so that a test can spoil one thing."""

from __future__ import annotations

import tarfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from corpus_maker import utterance

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, flac_bytes
from fonoteka.core.files import read_json
from fonoteka.corpus.corpus import (
    INDEX_COLUMNS,
    INVENTORY_COLUMNS,
    QUARANTINE_COLUMNS,
    REFUSED_COLUMNS,
)
from fonoteka.manifest import write
from fonoteka.pseudonyms import PrivacyParams
from fonoteka.shards import add_to_tar
from fonoteka.tables import write_table
from fonoteka.voices.compare_voices import AuditVoicesParams
from fonoteka.voices.store import WIDTH, VoicePieces, quantised, write_voices
from stages.corpus.audit import stage
from stages.corpus.audit.stage import AuditOutputs, AuditParams, AuditPaths, AuditSections, run

PARAMS = AuditParams(
    "refuse", same_sentences=(), same_recording_correlation=0.85, min_test_speakers=1,
    min_train_tokens=1, min_test_tokens=0, min_snr_db=15.0, min_level_dbfs=-40.0, dpi=30,
)  # fmt: skip
VOICES = AuditVoicesParams("report", same_voice=0.85, two_voices=0.6, listed=20)
LEFT_OUT = ("id", "reason", "detail")


@cache
def babble(name, seconds=0.6):
    """Return noise whose level and spectrum change like syllables; each name has its own.

    It is made once per process, because scenes share most of their clips, and is read-only.
    """
    random = np.random.default_rng(zlib.crc32(name.encode()))
    length = round(seconds * SAMPLE_RATE_HZ)
    position = np.linspace(0, 6, length)
    loud = np.abs(np.interp(position, np.arange(7), random.standard_normal(7)))
    tones = [
        np.interp(position, np.arange(7), random.standard_normal(7))
        * np.sin(2 * np.pi * hz * np.arange(length) / SAMPLE_RATE_HZ)
        for hz in random.uniform(150, 3300, 12)
    ]
    signal = loud * (np.sum(tones, axis=0) + 0.3 * random.standard_normal(length))
    normalised = (0.5 * signal / np.abs(signal).max()).astype(np.float32)
    normalised.flags.writeable = False
    return normalised


@dataclass
class Scene:
    """A corpus without a leak: three train, two valid and two test voices, with two clips each."""

    parts: dict = field(default_factory=dict)
    inventory: dict = field(default_factory=dict)
    index: dict = field(default_factory=dict)
    sounds: dict = field(default_factory=dict)
    quarantined: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    left_out: list = field(default_factory=list)
    voices: dict = field(default_factory=dict)
    voiceless: dict = field(default_factory=dict)

    def __post_init__(self):
        for part, voices in {"train": "abc", "valid": "vw", "test": "tu"}.items():
            self.parts[part] = []
            for voice in voices:
                for number in range(2):
                    self.add(part, f"c/{voice}", number, session=f"c/day of {voice}")

    def add(self, part, speaker, number=0, sound=None, **more):
        """Add a clip with its audio and its rows; return its utterance."""
        row = utterance(speaker, number, **more)
        sound = babble(row.id) if sound is None else sound
        audio = f"shard-0{len(self.sounds) % 2}.tar/{row.id}.flac"
        row = replace(row, audio=audio, duration_s=round(len(sound) / SAMPLE_RATE_HZ, 4))
        self.parts[part].append(row)
        self.sounds[audio] = sound
        self.index[row.id] = {"audio": audio, "problem": ""}
        self.inventory[row.id] = {
            "speaker": row.speaker, "session": row.session or "", "parent": row.parent or "",
            "pcm_sha256": row.id, "sample_rate_hz": "44100", "level_dbfs": "-20.5",
            "peak_dbfs": "-3.0", "snr_db": "31.0",
        }  # fmt: skip
        return row

    def change(self, part, position, **more):
        """Change the utterance of a clip in its manifest only; return it."""
        self.parts[part][position] = replace(self.parts[part][position], **more)
        return self.parts[part][position]

    def lay(self, folder: Path) -> AuditPaths:
        """Write everything."""
        tables = {
            "inventory": (
                INVENTORY_COLUMNS,
                [{"id": i} | row for i, row in self.inventory.items()],
            ),
            "quarantined": (QUARANTINE_COLUMNS, self.quarantined),
            "refused": (REFUSED_COLUMNS, self.refused),
            "left_out": (LEFT_OUT, self.left_out),
            "audio/index": (INDEX_COLUMNS, [{"id": i} | row for i, row in self.index.items()]),
        }
        (folder / "audio").mkdir(parents=True, exist_ok=True)
        for name, (columns, rows) in tables.items():
            empty = dict.fromkeys(columns, "")
            write_table(folder / f"{name}.csv", columns, [empty | row for row in rows])
        for shard in {audio.split("/")[0] for audio in self.sounds}:
            with tarfile.open(folder / "audio" / shard, "w") as tar:
                for audio, sound in self.sounds.items():
                    if audio.startswith(shard):
                        data = sound if isinstance(sound, bytes) else flac_bytes(sound)
                        add_to_tar(tar, audio.split("/")[1], data)
        speakers = sorted({row.speaker for rows in self.parts.values() for row in rows})
        write_table(folder / "speakers.csv", ("speaker",), [{"speaker": s} for s in speakers])
        self.lay_voices(folder / "voices", speakers)
        parts = {part: folder / f"{part}.jsonl" for part in self.parts}
        for part, rows in self.parts.items():
            write(parts[part], rows)
        return AuditPaths(
            folder / "inventory.csv", folder / "quarantined.csv", folder / "refused.csv",
            folder / "audio", folder / "left_out.csv", folder / "voices", folder / "speakers.csv",
            parts,
        )  # fmt: skip

    def lay_voices(self, folder: Path, speakers: list) -> None:
        """Write two pieces per speaker and part.

        Each speaker has a coordinate of their own; `voices` has other vectors by speaker, and
        `voiceless` the reasons of speakers who have none.
        """
        clips = defaultdict(list)
        for part, rows in self.parts.items():
            for row in rows:
                clips[part, row.speaker].append(row.id)
        vectors, table, left_out = [], [], []
        for (part, speaker), ids in clips.items():
            if reason := self.voiceless.get(speaker):
                left_out.append({"part": part, "speaker": speaker, "reason": reason})
                continue
            own = np.eye(WIDTH)[speakers.index(speaker)]
            for number, vector in enumerate(self.voices.get(speaker, [own, own])):
                vectors.append(quantised(vector))
                clip = ids[number % len(ids)]
                table.append({"part": part, "speaker": speaker, "clips": clip})
        array = np.array(vectors, np.int16).reshape(len(vectors), WIDTH)
        write_voices(folder, VoicePieces(array, table, left_out))

    def audit(self, folder: Path, params=PARAMS, workers=1, draw=False, voices=VOICES, named=False):
        """Write everything, audit it and return the report.

        The picture takes nine tenths of an audit's 2 CPU seconds, so it is drawn only if a test
        requests it.
        """
        outputs = AuditOutputs(folder / "c.json", folder / "c.md", folder / "c.png")
        with pytest.MonkeyPatch.context() as monkeypatch:
            if not draw:
                monkeypatch.setattr(stage, "picture", lambda *_: None)
            sections = AuditSections(params, voices, PrivacyParams(name_people=named))
            run(self.lay(folder), outputs, sections, workers)
        assert outputs.picture.is_file() == draw
        return read_json(outputs.report)
