"""Write the same three recordings in each layout that `corpus add` knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf
from corpus_maker import RATE, tone
from praatio import textgrid


class Recording(NamedTuple):
    speaker: str
    session: str
    sex: str
    name: str
    text: str


RECORDINGS = (
    Recording("ana", "1", "f", "čaša-1", "Ђорђе једе џем."),
    Recording("ana", "2", "f", "каша-2", "Љубав, ње."),
    Recording("ivo", "1", "m", "šuma 3", "Još ćemo vidjeti!"),
)
SECONDS = 0.5
ADDED = ["--name", "mine", "--licence", "CC0", "--no-dvc"]
LEAVE_OUT, UNTRANSCRIBED = "--leave-out", "--allow-untranscribed"


def write_audio(path: Path, number: int, seconds: float = SECONDS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, tone(seconds, hz=200 + 40 * number), RATE)
    return path


def write_lines(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path


def sidecar(folder: Path, suffix: str = ".txt") -> list[str]:
    """speaker/session_name.wav with a text of its own beside each."""
    for number, recording in enumerate(RECORDINGS):
        path = folder / recording.speaker / f"{recording.session}_{recording.name}.flac"
        write_lines(write_audio(path, number).with_suffix(suffix), recording.text)
    write_lines(folder / "README.txt", "about the corpus")
    return ["--pattern", "{speaker}/{session}_{}", "--language", "sr"]


def table(folder: Path) -> list[str]:
    lines = ["file;sentence;speaker;lang;session;gender"]
    for number, s in enumerate(RECORDINGS):
        write_audio(folder / f"wav/{s.name}.wav", number)
        lines.append(f"{s.name}.wav;{s.text};{s.speaker};sr-RS;{s.session};{s.sex}")
    write_lines(folder / "labels.csv", *lines)
    return []


def audiofolder(folder: Path) -> list[str]:
    """A folder each for two parts, with a table of its own: one CSV, one JSON lines."""
    header = "file_name,transcription,speaker_id,language,session_id,sex"
    lines = [header]
    for number, s in enumerate(RECORDINGS[:2]):
        write_audio(folder / f"train/data/{s.name}.ogg", number)
        values = (f"data/{s.name}.ogg", f'"{s.text}"', s.speaker, "srp", s.session, "female")
        lines.append(",".join(values))
    write_lines(folder / "train/metadata.csv", *lines)
    recording = RECORDINGS[2]
    write_audio(folder / f"test/{recording.name}.mp3", 2)
    values = (
        f"{recording.name}.mp3",
        recording.text,
        recording.speaker,
        "SR",
        recording.session,
        "M",
    )
    row = dict(zip(header.split(","), values, strict=True))
    write_lines(folder / "test/metadata.jsonl", json.dumps(row))
    return []


def ljspeech(folder: Path) -> list[str]:
    """One speaker; the second text is as read, and is missing once."""
    lines = []
    for number, s in enumerate(RECORDINGS):
        write_audio(folder / f"wavs/{s.name}.wav", number)
        lines.append(f"{s.name}|{s.text}" if number == 2 else f"{s.name}|3 {s.text}|{s.text}")
    write_lines(folder / "metadata.csv", *lines)
    return ["--speaker", "ana", "--language", "sr"]


def librispeech(folder: Path) -> list[str]:
    for number, s in enumerate(RECORDINGS):
        chapter = folder / "dev-clean" / s.speaker / s.session
        utterance = f"{s.speaker}-{s.session}-{number:04d}"
        write_audio(chapter / f"{utterance}.flac", number)
        write_lines(chapter / f"{s.speaker}-{s.session}.trans.txt", f"{utterance} {s.text}")
    rows = ["ana | F | dev-clean | 8.0 | Ana of the corpus", "ivo | M | dev-clean | 8.0 | Ivo"]
    write_lines(folder / "SPEAKERS.TXT", ";ID |SEX| SUBSET |MINUTES| NAME", *rows)
    return ["--language", "sr"]


def kaldi(folder: Path, segments: bool = False) -> list[str]:
    """Three files, or one file with three segments half a second apart."""
    data = folder / "data/train"
    keys = [f"{s.speaker}-{number}" for number, s in enumerate(RECORDINGS)]
    if segments:
        long = np.concatenate([tone(SECONDS, hz=200 + 40 * number) for number in range(3)])
        (folder / "audio").mkdir(parents=True)
        sf.write(folder / "audio/све заједно.wav", long, RATE)
        write_lines(data / "wav.scp", f"rec {folder.absolute()}/audio/све заједно.wav")
        ends = ("0.5", "1.0", "-1")
        rows = [f"{k} rec {0.5 * n} {ends[n]}" for n, k in enumerate(keys)]
        write_lines(data / "segments", *rows)
    else:
        for number, s in enumerate(RECORDINGS):
            write_audio(folder / f"audio/{s.name}.wav", number)
        rows = [
            f"{k} /corpora/other/audio/{s.name}.wav" for k, s in zip(keys, RECORDINGS, strict=True)
        ]
        write_lines(data / "wav.scp", *rows)
    write_lines(data / "text", *(f"{k} {s.text}" for k, s in zip(keys, RECORDINGS, strict=True)))
    write_lines(
        data / "utt2spk", *(f"{k} {s.speaker}" for k, s in zip(keys, RECORDINGS, strict=True))
    )
    write_lines(data / "utt2lang", *(f"{k} srp" for k in keys))
    write_lines(data / "spk2gender", "ana f", "ivo m")
    return []


def common_voice(folder: Path) -> list[str]:
    header = "client_id\tpath\tsentence_id\tsentence\tage\tgender\taccents\tlocale\tsegment"
    rows = []
    for number, s in enumerate(RECORDINGS):
        write_audio(folder / f"sr/clips/{s.name}.mp3", number)
        gender = "female_feminine" if s.sex == "f" else "male_masculine"
        rows.append(f"{s.speaker}\t{s.name}.mp3\t9\t{s.text}\t\t{gender}\t\tsr\t")
    write_lines(folder / "sr/validated.tsv", header, *rows)
    write_lines(folder / "sr/train.tsv", header, rows[0])
    write_lines(
        folder / "sr/clip_durations.tsv", "clip\tduration[ms]", f"{RECORDINGS[0].name}.mp3\t500"
    )
    return []


def nemo(folder: Path, offset: bool = False) -> list[str]:
    """Three files, or one file with three parts."""
    entries = []
    if offset:
        long = np.concatenate([tone(SECONDS, hz=200 + 40 * number) for number in range(3)])
        folder.mkdir(parents=True)
        sf.write(folder / "long.flac", long, RATE)
    for number, s in enumerate(RECORDINGS):
        if offset:
            place = {"audio_filepath": "long.flac", "offset": 0.5 * number}
        else:
            write_audio(folder / f"{s.name}.wav", number)
            place = {"audio_filepath": str(folder.absolute() / f"{s.name}.wav")}
        more = {"text": s.text, "duration": SECONDS, "speaker": s.speaker, "lang": "sr"}
        entries.append(json.dumps(place | more | {"gender": s.sex}, ensure_ascii=number > 0))
    write_lines(folder / "train_manifest.json", *entries)
    return []


def praat(folder: Path, phones: bool = True) -> list[str]:
    for number, s in enumerate(RECORDINGS):
        path = write_audio(folder / s.speaker / f"{s.session}_{s.name}.wav", number)
        words = [(0.0, 0.1, ""), (0.1, 0.4, "да"), (0.4, 0.5, "не")]
        labels = [(0.0, 0.1, "sil"), (0.1, 0.25, "d"), (0.25, 0.4, "aː"), (0.4, 0.45, "n"),
                  (0.45, 0.5, "ɛ")]  # fmt: skip
        tiers = {"words": words} | ({"phones": labels} if phones else {})
        write_grid(path.with_suffix(".TextGrid"), tiers)
    return ["--pattern", "{speaker}/{session}_{}", "--language", "sr"]


MAKERS = {
    "audiofolder": audiofolder,
    "commonvoice": common_voice,
    "kaldi": kaldi,
    "librispeech": librispeech,
    "ljspeech": ljspeech,
    "nemo": nemo,
    "sidecar": sidecar,
    "table": table,
    "textgrid": praat,
}
"""What writes each layout, by its name."""


def write_grid(path: Path, tiers: dict, form: str = "long_textgrid", encoding: str = "utf-8"):
    grid = textgrid.Textgrid()
    for name, entries in tiers.items():
        grid.addTier(textgrid.IntervalTier(name, entries, 0, entries[-1][1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    grid.save(str(path), format=form, includeBlankSpaces=True)
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    return path


def without(pattern: str):
    """Take the first file of that kind away."""

    def spoil(folder):
        next(iter(sorted(folder.rglob(pattern)))).unlink()

    return spoil


def line(name, text, index=None):
    """Put a line in a file: at its end, or in the place of another."""

    def spoil(folder):
        (path,) = folder.rglob(name)
        lines = path.read_text(encoding="utf-8").splitlines()
        place = slice(len(lines), None) if index is None else slice(index, index + 1)
        lines[place] = [text]
        write_lines(path, *lines)

    return spoil
