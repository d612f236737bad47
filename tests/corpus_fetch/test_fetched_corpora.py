"""Each public corpus becomes a folder that the pipeline's first stage accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from inventory_maker import PARAMS, take
from public_corpora import common_voice

from fonoteka.core.files import read_json
from fonoteka.corpus.corpus import read_card, read_clips

RAW = "data/raw"


def clips_of(folder):
    return {clip.path: clip for clip in read_clips(folder)}


def test_fleurs_is_a_corpus_for_each_of_its_parts_with_texts_as_written(fetch, tmp_path):
    fetch("fleurs", "--languages", "hr,sr")
    raw = tmp_path / RAW
    assert sorted(path.name for path in raw.iterdir()) == [
        "fleurs-dev", "fleurs-test", "fleurs-train"
    ]  # fmt: skip
    clips = clips_of(raw / "fleurs-train")
    assert {clip.language for clip in clips.values()} == {"hr", "sr"}
    woman = clips["hr/train/1000.wav"]
    assert woman.text == 'Rekla je: "Dobar dan" train female.'
    assert (woman.speaker, woman.sex) == ("hr-f", "f")


def test_librispeech_keeps_readers_and_chapters(fetch, tmp_path):
    fetch("librispeech")
    folder = tmp_path / RAW / "librispeech-dev-clean"
    clips = clips_of(folder)
    assert sorted({clip.speaker for clip in clips.values()}) == ["174", "84"]
    clip = clips["dev-clean/84/7/84-7-0001.flac"]
    assert (clip.text, clip.session, clip.sex, clip.language) == (
        "HELLO READER 84 NUMBER 1", "84-7", "f", "en"
    )  # fmt: skip


def test_digits_have_their_words_and_speakers(fetch, tmp_path):
    fetch("fsdd")
    clips = clips_of(tmp_path / RAW / "fsdd")
    pairs = {(clip.speaker, clip.text) for clip in clips.values()}
    assert pairs == {(name, word) for name in ("ana", "ivo") for word in ("zero", "three", "nine")}


def test_parlaspeech_has_the_sentences_of_the_fetched_part_whose_speaker_is_named(
    fetch, tmp_path, capsys
):
    fetch("parlaspeech-hr")
    clips = clips_of(tmp_path / RAW / "parlaspeech-hr")
    assert sorted(clip.text for clip in clips.values()) == [
        "Poštovani, ovo je broj 3.", "Poštovani, ovo je broj 4."
    ]  # fmt: skip
    assert {(clip.speaker, clip.sex) for clip in clips.values()} == {
        ("MarićAna", "f"), ("HorvatIvo", "m")
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert "left out   1 sentences name no speaker" in printed
    assert "left out   3 sentences are of parts that were not fetched" in printed


def test_common_voice_comes_from_an_archive_of_the_users(fetch, tmp_path):
    archive = tmp_path / "mine.tar.gz"
    archive.write_bytes(common_voice())
    fetch("common-voice", "--languages", "sr", "--archive", archive)
    folder = tmp_path / RAW / "common-voice-sr-validated"
    clips = clips_of(folder)
    assert {clip.speaker for clip in clips.values()} == {"c1", "c2"}
    assert clips["clips/common_voice_sr_0.mp3"].text == 'Рекао је "да" 0.'
    assert "cv-corpus-1.0-2020-01-01" in read_card(folder).source
    assert archive.exists()


@pytest.mark.parametrize("name", ["fleurs", "fsdd", "librispeech", "parlaspeech-hr"])
def test_the_inventory_accepts_every_clip(fetch, tmp_path, name):
    fetch(name, *(["--languages", "hr"] if name == "fleurs" else []))
    for folder in sorted((tmp_path / RAW).iterdir()):
        rows = take(tmp_path / RAW, replace(PARAMS, corpora=(folder.name,)))
        assert len(rows) == len(read_clips(folder)) > 0
        assert {row["problem"] for row in rows.values()} == {""}


def test_licence_revision_and_citation_are_shown_and_are_in_the_card(fetch, tmp_path, capsys):
    fetch("fleurs", "--languages", "hr", "--split", "dev", "--into", "data/raw/croatian")
    printed = capsys.readouterr().out
    for text in ("CC BY 4.0", "arXiv:2205.12446", "a" * 40, "FLEURS has no speaker ids"):
        assert text in printed
    card = read_json(tmp_path / RAW / "croatian/corpus.json")
    assert card["licence"] == "CC BY 4.0"
    assert "a" * 40 in card["source"]
    assert "arXiv:2205.12446" in card["source"]
    assert card["synthetic"] is False


def test_pieces_of_one_archive_are_read_as_one(server, fetch, tmp_path):
    whole = server.files["toy.part1.tgz"]
    server.files |= {"toy.part1.tgz": whole[:700], "toy.part2.tgz": whole[700:]}
    fetch("parlaspeech-hr", "--split", "part1,part2")
    assert len(read_clips(tmp_path / RAW / "parlaspeech-hr")) == 2


def test_rows_and_recordings_that_do_not_fit_are_counted(server, fetch, tmp_path, capsys):
    files = next(iter(server.hub.values()))
    files["data/hr_hr/dev.tsv"] += b"broken line\n9\tmissing.wav\tTekst.\tt\tt\t1\tMALE\n"
    fetch("fleurs", "--languages", "hr", "--split", "dev")
    printed = capsys.readouterr().out
    assert "left out   1 rows of hr dev.tsv do not have 7 values" in printed
    assert "no audio" in printed
    assert len(read_clips(tmp_path / RAW / "fleurs-dev")) == 2
