"""In every layout one damaged row among random ones is named, and all others stay as they were."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from layout_maker import write_audio, write_grid, write_lines

from fonoteka.corpus.importers.add import check_whole, chosen, preview_folder
from fonoteka.corpus.importers.layouts.base import ImportOptions

CLIPS, ROUNDS = 5, 4
PIECES = (
    "Dobro",
    "jutro,",
    '"Da,"',
    "čaša",
    "ђак",
    "reče;",
    "(5",
    "km)",
    '"Ne."',
    "№",
    "'tis",
    "€",
)
HR = {"language": "hr"}


class Case(NamedTuple):
    """A layout: how its rows are written, where they stand, and how they may be damaged.

    `row` takes the number of a clip and its text; `names` the file and line of a row.
    """

    options: ImportOptions
    row: Callable[[int, str], bytes]
    write: Callable[[Path, list[bytes]], None]
    names: Callable[[int], str]
    damage: dict[str, Callable[[bytes], bytes]]


def quoted(delimiter, *values):
    """Return a line of RFC 4180."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(values)
    return line.getvalue().encode()


def plain(delimiter, *values):
    return delimiter.join(values).encode()


def bad_byte(row):
    """Put a byte of Windows-1250 in the middle of a row, between characters."""
    text = row.decode()
    return text[: len(text) // 2].encode() + b"\x9a" + text[len(text) // 2 :].encode()


def lines(name, *head):
    """Write rows as the lines of one file."""

    def write(folder, rows):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(line + b"\n" for line in (*map(str.encode, head), *rows)))

    return {"write": write, "names": lambda n: f"{name}:{n + 1 + len(head)}: "}


TEXT_DAMAGE = {"a bad byte": bad_byte, "a NUL": lambda row: row[:-3] + b"\0" + row[-3:]}


def table_damage(sign):
    return TEXT_DAMAGE | {
        "a value more": lambda row: row + sign + b"x",
        "a value fewer": lambda row: row.rpartition(sign)[0],
        "no recording": lambda row: row.replace(b".wav", b".gone.wav", 1),
        "a language": lambda row: row[:-2] + b"xx",
        "no speaker": lambda row: row.replace(b"ana", b"").replace(b"ivo", b""),
    }


def table(name, delimiter, written):
    head = delimiter.join(("path", "speaker", "text", "language"))
    damage = table_damage(delimiter.encode())
    if delimiter in ",;":
        damage["an open quote"] = lambda row: row.replace(
            b"wav", b"wav" + delimiter.encode() + b'"', 1
        )

    def row(n, text):
        return written(delimiter, f"s{n}.wav", ("ana", "ivo")[n % 2], text, "hr")

    return Case(ImportOptions(), row, damage=damage, **lines(name, head))


def json_row(path, speaker):
    def row(n, text):
        entry = {path: f"s{n}.wav", "text": text, speaker: "ana", "lang": "hr"}
        return json.dumps(entry, ensure_ascii=n % 2 == 0).encode()

    return row


JSON_DAMAGE = {"a bad byte": bad_byte} | {
    "cut off": lambda row: row[:-5],
    "no object": lambda row: b"[" + row + b"]",
    "not a number": lambda row: row.replace(b'"text": ', b'"text": NaN, "other": ', 1),
    "a list": lambda row: row.replace(b'"text": ', b'"text": [], "other": ', 1),
    "twice": lambda row: row.replace(b"{", b'{"text": "x", ', 1),
    "no recording": lambda row: row.replace(b".wav", b".gone.wav", 1),
    "a language": lambda row: row.replace(b'"hr"', b'"xx"'),
    "a surrogate": lambda row: row.replace(b'"text": "', b'"text": "\\ud800', 1),
}


def kaldi(name, row, damage):
    """Take the rows of one file of a Kaldi folder; the others are whole."""

    def write(folder, rows):
        for other, row in KALDI.items():
            lines(other)["write"](folder, [row(n, "Da, ne.") for n in range(CLIPS)])
        lines(name)["write"](folder, rows)

    return Case(ImportOptions(shared=HR), row, write, lines(name)["names"], TEXT_DAMAGE | damage)


KALDI = {
    "wav.scp": lambda n, _: f"u{n} s{n}.wav".encode(),
    "text": lambda n, text: f"u{n} {text}".encode(),
    "utt2spk": lambda n, _: f"u{n} {('ana', 'ivo')[n % 2]}".encode(),
}


def files(suffix):
    """Write each row as a file of its own, beside its recording."""

    def write(folder, rows):
        for n, row in enumerate(rows):
            (folder / f"s{n}{suffix}").write_bytes(row)

    return {"write": write, "names": lambda n: f"s{n}{suffix}:"}


def grid(n, text):
    path = Path("grid.tmp")
    write_grid(path, {"words": [(0.0, 0.02, ""), (0.02, 0.05, text.replace('"', "»"))]})
    data = path.read_bytes()
    path.unlink()
    return data


GIVEN = ImportOptions(shared=HR | {"speaker": "ana"})
CASES = {
    "commas": table("t.csv", ",", quoted),
    "semicolons": table("t.csv", ";", quoted),
    "tabs": table("t.tsv", "\t", plain),
    "bars": table("t.csv", "|", plain),
    "audiofolder": Case(
        ImportOptions(shared=HR), lambda n, text: quoted(",", f"s{n}.wav", text, "ana"),
        damage={name: spoil for name, spoil in table_damage(b",").items() if name != "a language"},
        **lines("metadata.csv", "file_name,text,speaker")),
    "audiofolder in JSON": Case(
        ImportOptions(), json_row("file_name", "speaker"), damage=JSON_DAMAGE,
        **lines("metadata.jsonl")),
    "commonvoice": Case(
        ImportOptions(), lambda n, text: plain("\t", f"s{n}.wav", "ana", text, "", "hr"),
        damage=table_damage(b"\t"),
        **lines("validated.tsv", "path\tclient_id\tsentence\tage\tlocale")),
    "ljspeech": Case(
        GIVEN, lambda n, text: plain("|", f"s{n}", text, text.lower()),
        damage=TEXT_DAMAGE | {"a value more": lambda row: row + b"|x",
                              "one value": lambda row: row.partition(b"|")[0],
                              "no name": lambda row: row[2:],
                              "no recording": lambda row: b"gone" + row},
        **lines("metadata.csv")),
    "librispeech": Case(
        ImportOptions(shared=HR), lambda n, text: f"ana-1-{n} {text}".encode(),
        damage=TEXT_DAMAGE | {"no id": lambda row: b"x" + row.replace(b"-", b""),
                              "no recording": lambda row: row.replace(b"-1-", b"-1-9", 1)},
        **lines("ana-1.trans.txt")),
    "nemo": Case(ImportOptions(), json_row("audio_filepath", "speaker"),
                 damage=JSON_DAMAGE | {"an offset": lambda row: row[:-1] + b', "offset": "1"}',
                                       "no path": lambda row: row.replace(b'"s', b'5, "x": "s', 1)},
                 **lines("m.json")),
    "kaldi's text": kaldi("text", KALDI["text"], {"no recording": lambda row: b"x" + row}),
    "kaldi's wav.scp": kaldi("wav.scp", KALDI["wav.scp"], {
        "a command": lambda row: row + b" sox - |", "no recording": lambda row: row + b".gone"}),
    "kaldi's utt2spk": kaldi("utt2spk", KALDI["utt2spk"], {
        "two names": lambda row: row + b" pia", "no name": lambda row: row.split()[0]}),
    "sidecar": Case(GIVEN, lambda _, text: f"{text}\n".encode(), damage=TEXT_DAMAGE | {
        "labels": lambda _: b"0 5000000 a\n", "a book": lambda _: b"da " * 400_000},
        **files(".txt")),
    "textgrid": Case(GIVEN, grid, damage={
        "a bad byte": bad_byte, "cut off": lambda row: row[:-40], "nothing": lambda _: b"",
        "a hole": lambda row: row.replace(b"xmin = 0.02", b"xmin = 0.03"),
        "an overlap": lambda row: row.replace(b"xmin = 0.02", b"xmin = 0.01")},
        **files(".TextGrid")),
}  # fmt: skip


def random_text(rng, n):
    """Return some words; the first text shows that quotes between bars are text."""
    words = rng.choices(PIECES, k=rng.randint(2, 6))
    return " ".join(['"Da," reče'] * (n == 0) + words)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(layout):
        top = tmp_path / "from"
        for n in range(CLIPS):
            name = f"ana-1-{n}.flac" if layout == "librispeech" else f"s{n}.wav"
            below = {"ljspeech": "wavs", "commonvoice": "clips"}.get(layout, "")
            write_audio(top / below / name, n, seconds=0.05)
        return top

    return make


def kept_clips(understood):
    """Return the clips that --leave-out adds, by path."""
    check_whole(understood, allow_untranscribed=False, leave_out=True)
    return {p.clip.path: p for p in chosen(understood.plan, allow_untranscribed=False)[0]}


@pytest.mark.parametrize("layout", CASES)
def test_one_damaged_row_is_named_and_all_others_stay_as_they_were(layout, folder):
    case, top = CASES[layout], folder(layout)
    rng = random.Random(layout)
    for name, damage in case.damage.items():
        for _ in range(ROUNDS):
            rows = [case.row(n, random_text(rng, n)) for n in range(CLIPS)]
            case.write(top, rows)
            whole = preview_folder(top, case.options)
            before = kept_clips(whole)
            assert (len(before), whole.plan.refused) == (CLIPS, []), (name, rows)
            index = rng.randrange(
                layout == "bars", CLIPS
            )  # the first row between bars decides about quotes
            rows[index] = damage(rows[index])
            case.write(top, rows)
            damaged = preview_folder(top, case.options)
            wrong = [str(error) for error in damaged.plan.refused]
            assert [f"{top}/{case.names(index)}" in sentence for sentence in wrong] == [True], (
                name, rows, wrong)  # fmt: skip
            (lost,) = (path for path in before if Path(path).stem.endswith(str(index)))
            assert kept_clips(damaged) == {path: p for path, p in before.items() if path != lost}
            with pytest.raises(ValueError, match="--leave-out adds the rest without"):
                check_whole(damaged, allow_untranscribed=False, leave_out=False)
            assert f": {top}/{case.names(index)}" in damaged.shown


def test_a_look_shows_the_texts_and_speakers_of_the_first_clips(folder):
    top = folder("table")
    texts = ["ana"] * 4 + ["Vrlo duga rečenica " * 20]
    rows = [f"s{n}.wav,{text},{'' if n == 1 else 'ivo'},hr" for n, text in enumerate(texts)]
    write_lines(top / "t.csv", "path,text,speaker,language", *rows)
    shown = preview_folder(top, ImportOptions()).shown
    assert shown.count("\nclip       ") == 3
    assert "clip       s0.wav of ivo, hr: ana\n" in shown
    write_lines(top / "t.csv", "path,text,speaker", f"s0.wav,{texts[4]},\x1b[2J{'ivo' * 50}")
    shown = preview_folder(top, ImportOptions(shared=HR)).shown
    (line,) = (line for line in shown.splitlines() if line.startswith("clip "))
    assert "\x1b" not in line
    assert len(line) < 160


def test_up_to_five_wrong_rows_are_listed(folder):
    top = folder("table")
    rows = [f"s{n}.wav" for n in range(3)] + [f"gone{n}.wav,da,ivo,hr" for n in range(7)]
    write_lines(top / "t.csv", "path,text,speaker,language", *rows)
    shown = preview_folder(top, ImportOptions()).shown
    for number in (2, 3, 4):
        assert f"{top}/t.csv:{number}: 1 values" in shown
    assert "wrong row  3: " in shown
    assert f"no audio   7: {top}/t.csv:5: " in shown
    assert f"\n           {top}/t.csv:9: " in shown
    assert "\n           and 2 more\n" in shown
    assert "t.csv:10" not in shown


@pytest.mark.parametrize("name", ["m.json", "metadata.jsonl"])
def test_a_layout_is_known_though_its_first_line_is_broken(name, folder):
    top = folder("nemo")
    key = "audio_filepath" if name == "m.json" else "file_name"
    rows = [json_row(key, "speaker")(n, "da") for n in range(3)]
    rows[0] = rows[0][:-4]
    lines(name)["write"](top, rows)
    preview = preview_folder(top, ImportOptions())
    (error,) = preview.plan.refused
    assert f"{name}:1: " in str(error)
    assert len(kept_clips(preview)) == 2


def test_a_wrong_line_of_phones_costs_itself(folder):
    top = folder("table")
    write_lines(top / "metadata.csv", "path,text,speaker,language", "s0.wav,da,ana,hr",
                "s1.wav,da,ana,hr")  # fmt: skip
    good = '{"path": "s1.wav", "phones": ["d"], "times_s": [[0, 0.05]]}'
    write_lines(top / "phones.jsonl", '{"path": "s0.wav"', "[]", good, good,
                '{"path": "s0.wav", "phones": ["d"], "times_s": []}',
                '{"path": "s0.wav"}')  # fmt: skip
    preview = preview_folder(top, ImportOptions())
    assert [str(e).removeprefix(f"{top}/")[:15] for e in preview.plan.refused] == [
        f"phones.jsonl:{n}:" for n in (1, 2, 4, 5, 6)
    ]
    timed = {p.clip.path: p.timed is not None for p in preview.plan.clips}
    assert timed == {"s0.wav": False, "s1.wav": True}
