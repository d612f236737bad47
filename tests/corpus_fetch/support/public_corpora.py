"""Small corpora in the layouts of the public ones, as archives, and a catalogue for them."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import soundfile as sf
import yaml
from corpus_maker import RATE, tone

from fonoteka.corpus_fetch.catalogue import CATALOGUE

REVISION = "a" * 40


def sound(hz: float, kind: str = "WAV", seconds: float = 0.5) -> bytes:
    """Return a recording as the bytes of its file."""
    out = io.BytesIO()
    sf.write(out, tone(seconds, hz), RATE, format=kind)
    return out.getvalue()


def tar_gz(members: dict[str, bytes]) -> bytes:
    """Return an archive; equal members give equal bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def zip_of(members: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def fleurs(code: str = "hr_hr", hz: float = 200.0) -> dict[str, bytes]:
    """Return the files of one language of FLEURS: two sentences of each part."""
    files = {}
    for number, part in enumerate(("train", "dev", "test")):
        rows, members = [], {}
        for take, sex in enumerate(("FEMALE", "MALE")):
            name = f"{1000 + 10 * number + take}.wav"
            text = f'Rekla je: "Dobar dan" {part} {sex.lower()}.'
            rows.append(f"{take}\t{name}\t{text}\ttekst\tt e k s t\t4000\t{sex}")
            members[f"{part}/{name}"] = sound(hz + 40 * number + 20 * take)
        files[f"data/{code}/{part}.tsv"] = ("\n".join(rows) + "\n").encode()
        files[f"data/{code}/audio/{part}.tar.gz"] = tar_gz(members)
    return files


def librispeech(part: str, readers: tuple[int, ...]) -> bytes:
    """Return the archive of one part of LibriSpeech, with two sentences of each reader."""
    members = {"LibriSpeech/README.TXT": b"LibriSpeech", "LibriSpeech/SPEAKERS.TXT": b"".join(
        b"%d | F | %s | 25.00 | a name\n" % (reader, part.encode()) for reader in readers
    )}  # fmt: skip
    for reader in readers:
        folder, stem = f"LibriSpeech/{part}/{reader}/7", f"{reader}-7-"
        lines = [f"{stem}000{n} HELLO READER {reader} NUMBER {n}\n" for n in (0, 1)]
        members[f"{folder}/{reader}-7.trans.txt"] = "".join(lines).encode()
        for number in (0, 1):
            members[f"{folder}/{stem}000{number}.flac"] = sound(100 + reader + 20 * number, "FLAC")
    return tar_gz(members)


def fsdd(top: str = "free-spoken-digit-dataset-1") -> bytes:
    """Return an archive as GitHub packs it: three digits of two speakers."""
    members = {f"{top}/README.md": b"digits", f"{top}/recordings/": b""}
    for digit in (0, 3, 9):
        for number, speaker in enumerate(("ana", "ivo")):
            name = f"{top}/recordings/{digit}_{speaker}_0.wav"
            members[name] = sound(200 + 30 * digit + 10 * number)
    return zip_of(members)


def parlaspeech() -> dict[str, bytes]:
    """Return the table and two archives of ParlaSpeech; a sentence names no speaker."""
    people = ({"Speaker_ID": "MarićAna", "Speaker_gender": "F"},
              {"Speaker_ID": "HorvatIvo", "Speaker_gender": "M"}, None)  # fmt: skip
    lines, archives = [], {"part1": {}, "part2": {}}
    for number in range(6):
        part = "part1" if number < 3 else "part2"
        path = f"video{number}/video{number}_0.0-0.5.flac"
        archives[part][f"audio/{path}"] = sound(150 + 25 * number, "FLAC")
        lines.append({
            "id": f"u{number}", "audio": path, "audio_length": 0.5,
            "text": f"Poštovani, ovo je broj {number}.", "speaker_info": people[number % 3],
        })  # fmt: skip
    table = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return {"toy.jsonl.gz": gzip.compress(table.encode(), mtime=0)} | {
        f"toy.{part}.tgz": tar_gz(members) for part, members in archives.items()
    }


def common_voice(code: str = "sr") -> bytes:
    """Return the archive of one language of Common Voice: two people, three clips."""
    top = f"cv-corpus-1.0-2020-01-01/{code}"
    rows = ["client_id\tpath\tsentence\tup_votes\tage\tgender\tlocale"]
    members = {}
    for number, (client, sex) in enumerate((("c1", "female_feminine"), ("c1", ""), ("c2", "male"))):
        name = f"common_voice_{code}_{number}.mp3"
        members[f"{top}/clips/{name}"] = sound(200 + 40 * number, "MP3")
        rows.append(f'{client}\t{name}\tРекао је "да" {number}.\t2\t\t{sex}\t{code}')
    members[f"{top}/validated.tsv"] = ("\n".join(rows) + "\n").encode()
    members[f"{top}/test.tsv"] = ("\n".join(rows[:2]) + "\n").encode()
    return tar_gz(members)


def write_catalogue(path: Path, url: str, **changes: dict) -> Path:
    """Write the project's catalogue with addresses, files and revisions of the small corpora."""
    entries = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    entries["fleurs"] |= {"revision": REVISION}
    entries["librispeech"] |= {"base": url, "files": [
        {"name": f"{part}.tar.gz", "part": part} for part in ("dev-clean", "test-clean")
    ]}  # fmt: skip
    entries["librispeech"] |= {
        "parts": ["dev-clean", "test-clean"], "default_parts": ["dev-clean", "test-clean"]
    }  # fmt: skip
    entries["fsdd"] |= {"base": url, "files": [{"name": "digits.zip"}]}
    entries["parlaspeech-hr"] |= {
        "base": url, "parts": ["part1", "part2"], "default_parts": ["part2"],
        "files": [{"name": "toy.jsonl.gz"}, {"name": "toy.part1.tgz", "part": "part1"},
                  {"name": "toy.part2.tgz", "part": "part2"}],
    }  # fmt: skip
    for name, change in changes.items():
        entries[name.replace("_", "-")] |= change
    path.write_text(yaml.safe_dump(entries, allow_unicode=True), encoding="utf-8")
    return path
