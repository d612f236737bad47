"""A voice of espeak-ng speaks a described language: its check, its phones, a small corpus."""

from __future__ import annotations

from dataclasses import replace

import pytest
import soundfile

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.run_stage import DONE, FAILED
from fonoteka.corpus.corpus import read_card, read_clips, read_phones
from fonoteka.languages.canonical_text import canonical
from fonoteka.languages.description import described
from fonoteka.languages.pronunciation import Pronunciation
from fonoteka.languages.voices import command
from fonoteka.languages.voices.espeak_voice import mapped, say
from fonoteka.languages.voices.synthetic_corpus import CorpusSize, sentences, write_corpus
from fonoteka.languages.voices.voice_check import (
    agreement,
    phones_of_description,
    voice_problems,
)
from fonoteka.tables import read_table

MK, SL = described("mk"), described("sl")
SIZE = CorpusSize(("f2", "m3"), per_voice=3)


@pytest.mark.parametrize(("description", "least"), [(MK, 0.65), (SL, 0.85)], ids=["mk", "sl"])
def test_the_voice_speaks_most_examples_as_expected(description, least):
    assert [*voice_problems(description)] == []
    result = agreement(description)
    assert least <= result.equal / result.total < 1
    assert len(result.different) == result.total - result.equal


def test_a_phone_is_spoken_within_the_clip_and_after_the_one_before():
    speech = say("Сестра чита книга.", MK, "f2")
    assert speech.phones == Pronunciation(MK).phones("сестра чита книга")
    flat = [time for pair in speech.times_s for time in pair]
    assert flat == sorted(flat)
    assert flat[-1] <= len(speech.samples) / speech.sample_rate_hz


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"voice": "xx"}, "espeak-ng has no voice 'xx'"),
        ({"espeak": {}}, "is in neither `espeak` nor the inventory; add it"),
    ],
)
def test_a_voice_or_symbol_that_is_unknown_is_reported(changes, message):
    wrong = replace(MK, **changes)
    assert any(message in str(problem) for problem in voice_problems(wrong))
    with pytest.raises(UserError, match=message):
        say("ќе", wrong)


def test_a_variant_that_is_unknown_is_refused():
    with pytest.raises(UserError, match="no voice variant 'nosuch'"):
        say("Ана", MK, "nosuch")


def test_a_symbol_with_length_is_mapped_without_it():
    assert mapped("ˈaː", {}) == ("a",)
    with pytest.raises(UserError, match="symbol 'q'"):
        mapped("q", {})


def test_phones_come_from_the_voice_if_the_description_says_so():
    by_voice = phones_of_description(replace(SL, g2p="espeak"))
    assert by_voice("hotel")[-1] == "w"  # an exception of the tables
    assert phones_of_description(SL)("hotel")[-1] == "l"


def test_a_corpus_has_a_row_phones_and_a_file_for_each_clip(tmp_path):
    folder = tmp_path / "mk_espeak"
    counts = write_corpus(folder, MK, SIZE)
    card = read_card(folder)
    assert (card.name, card.synthetic) == ("mk_espeak", True)
    rows = read_table(folder / "metadata.csv", ("path", "text", "speaker", "language"))
    assert {row["language"] for row in rows} == {"mk"}
    assert [row["speaker"] for row in rows] == ["f2"] * 3 + ["m3"] * 3
    phones = read_phones(folder)
    for row in rows:
        text = canonical(row["text"], MK)
        assert phones[row["path"]].phones == Pronunciation(MK).phones(text)
        assert soundfile.info(folder / row["path"]).samplerate == 22_050
    assert len({canonical(row["text"], MK) for row in rows}) == len(rows) == counts["clips"]
    assert read_json(folder / "report.json")["counts"] == dict(counts)


def test_the_table_of_corpora_refuses_the_language_until_it_is_connected(tmp_path):
    write_corpus(tmp_path / "mk_espeak", MK, SIZE)
    with pytest.raises(UserError, match="language 'mk' is unknown"):
        read_clips(tmp_path / "mk_espeak")


def test_a_corpus_is_equal_for_an_equal_seed_and_another_for_another(tmp_path):
    from random import Random

    def drawn(seed):
        texts = sentences(SL, Random(seed), set())
        return [next(texts) for _ in range(5)]

    assert drawn("a") == drawn("a") != drawn("b")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"templates": ()}, "templates: the list is empty"),
        ({"templates": ("{nosuch} čita.",)}, "words has no list 'nosuch'"),
        ({"templates": ("Mama.",)}, "200 draws gave no new sentence"),
        (
            {
                "templates": ("{x} {y} {z}.",),
                "words": dict.fromkeys("xyz", "град леб заб снег"),
            },
            "voice 'f2' spoke 0 of 3 sentences as they are written",
        ),
    ],
    ids=["none", "list", "few", "refused"],
)
def test_a_description_that_gives_no_corpus_is_refused(changes, message, tmp_path):
    base = MK if "words" in changes else SL
    with pytest.raises(UserError, match=message):
        write_corpus(tmp_path / "a", replace(base, **changes), SIZE)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("variants", "per_voice", "message"),
    [((), 1, "one clip or more"), (("f2",), 0, "one clip or more"), (("f2", "f2"), 1, "twice")],
)
def test_a_size_that_speaks_nothing_is_refused(variants, per_voice, message):
    with pytest.raises(UserError, match=message):
        CorpusSize(variants, per_voice)


def test_the_command_prints_problems_and_fails(tmp_path, capsys):
    assert command.check("sl") == DONE
    assert "espeak-ng speaks 33 of 37 examples as expected" in capsys.readouterr().out
    text = (command.shipped()["sl"]).read_text(encoding="utf-8")
    (tmp_path / "a.yaml").write_text(text.replace("voice: sl", "voice: xx"), encoding="utf-8")
    assert command.check(str(tmp_path / "a.yaml")) == FAILED
    assert "sl: 1 problems" in capsys.readouterr().out
    with pytest.raises(UserError, match="1 problems, first voice: espeak-ng has no voice 'xx'"):
        command.synthesize(str(tmp_path / "a.yaml"), tmp_path / "new", SIZE)


def test_the_command_refuses_data_raw_before_the_language_is_connected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    with pytest.raises(UserError, match="the stages refuse language 'mk'"):
        command.synthesize("mk", tmp_path / "data/raw/mk_espeak", SIZE)
    command.synthesize("mk", tmp_path / "elsewhere", CorpusSize(("f2",), 1))
    assert (tmp_path / "elsewhere/metadata.csv").is_file()
    with pytest.raises(UserError, match="exists already"):
        command.synthesize("mk", tmp_path / "elsewhere", CorpusSize(("f2",), 1))
