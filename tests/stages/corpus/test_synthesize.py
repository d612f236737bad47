"""The embedded corpus: unique sentences, honest phones, the same bytes every time."""

import csv
import dataclasses
import json
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile

from fonoteka.core import params
from fonoteka.core.files import sha256_file
from fonoteka.g2p.espeak import variants
from fonoteka.phones import LANGUAGES, LETTERS, SOUTH_SLAVIC
from fonoteka.text.normalizer import normalize, phones_of
from stages.corpus.synthesize import grammar as grammars
from stages.corpus.synthesize.grammar import SENTENCE, SHORT, parse
from stages.corpus.synthesize.lines import Amounts, Line, assign, to_cyrillic
from stages.corpus.synthesize.stage import WORDS, SynthesizeParams, run, speak_lines
from stages.corpus.synthesize.voices import VARIANTS, Ranges, Voice, voice_of

PARAMS = params.load("synthesize", SynthesizeParams, Path(__file__).parents[3] / "params.yaml")
AMOUNTS = Amounts(dict.fromkeys(LANGUAGES, 4), 4, 0.2, 0.2, 0.5)
# Two voices: each is a process, and the corpus is made twice.
TINY = dataclasses.replace(PARAMS, voices=2, sentences=AMOUNTS)
GRAMMARS = {language: grammars.read(WORDS / f"{language}.txt") for language in LANGUAGES}
PLAIN = Voice("f2", 170, 50, 50)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "embedded"
    run(folder, WORDS, TINY, workers=2)
    return folder


def records(corpus):
    return [json.loads(line) for line in (corpus / "phones.jsonl").read_text().splitlines()]


def rows(corpus):
    with (corpus / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def hashes(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256_file(path) for path in files}


@cache
def default_lines(voices=PARAMS.voices):
    lines = assign(GRAMMARS, VARIANTS[:voices], PARAMS.sentences, PARAMS.seed)
    return [line for own in lines.values() for line in own]


def test_bytes_depend_neither_on_the_run_nor_on_the_workers(corpus, tmp_path):
    run(tmp_path / "again", WORDS, TINY, workers=1)
    assert hashes(tmp_path / "again") == hashes(corpus)


def test_each_voice_speaks_the_wanted_number_of_each_language(corpus):
    clips = Counter((row["speaker"], row["language"]) for row in rows(corpus))
    assert clips == {(v, language): 4 for v in VARIANTS[:2] for language in LANGUAGES}


def test_rows_and_files_are_the_same_set(corpus):
    paths = [row["path"] for row in rows(corpus)]
    assert paths == sorted(paths) == [record["path"] for record in records(corpus)]
    assert paths == sorted(str(p.relative_to(corpus)) for p in corpus.rglob("*.flac"))


def test_the_phones_of_a_clip_are_those_of_its_text(corpus):
    for row, record in zip(rows(corpus), records(corpus), strict=True):
        expected = phones_of(normalize(row["text"], row["language"]), row["language"])
        assert tuple(record["phones"]) == expected


def test_phone_times_rise_and_lie_inside_the_clip(corpus):
    for record in records(corpus):
        times = np.array(record["times_s"])
        info = soundfile.info(corpus / record["path"])
        assert times.shape == (len(record["phones"]), 2)
        assert (np.diff(times.ravel()) >= -1e-4).all()  # times are rounded to 0.1 ms
        assert times[0, 0] >= 0
        assert times[-1, 1] <= info.duration + 1e-4


def test_clips_are_sound_of_a_sensible_level_and_rate(corpus):
    for record in records(corpus):
        samples, rate = soundfile.read(corpus / record["path"])
        assert (rate, samples.ndim) == (22050, 1)
        assert (
            0.005 < np.sqrt(np.mean(samples**2)) < 0.2
        )  # -46 to -14 dBFS: neither lost nor clipped
        assert 4 < len(record["phones"]) / (len(samples) / rate) < 22  # people say 8 to 18 a second


def test_the_report_counts_what_is_there(corpus):
    report = json.loads((corpus / "report.json").read_text())
    assert (report["voices"], report["clips"]) == (2, len(rows(corpus)))
    counted = Counter(phone for record in records(corpus) for phone in record["phones"])
    assert sum(map(Counter, report["phones"].values()), Counter()) == counted
    seconds = sum(soundfile.info(corpus / row["path"]).duration for row in rows(corpus))
    assert report["seconds"] == pytest.approx(seconds, abs=0.06)  # written with one decimal


def test_the_card_states_that_the_corpus_is_synthetic(corpus):
    card = json.loads((corpus / "corpus.json").read_text())
    assert (card["name"], card["source"], card["synthetic"]) == ("embedded", "espeak-ng", True)
    assert card["licence"].startswith("synthetic: spoken by espeak-ng")


def test_a_sentence_spoken_otherwise_is_refused_counted_and_replaced(tmp_path):
    texts = ("iz kuće", "na livadi")
    lines = [Line("hr", text, text) for text in texts]
    spoken = speak_lines(PLAIN, lines, {"bs": 0, "en": 0, "hr": 1, "sr": 0}, tmp_path)
    assert [clip.text for clip in spoken.clips] == ["na livadi"]
    assert spoken.refused == {"hr: spoken otherwise than written": 1}


def test_too_few_spares_name_the_voice_and_the_way_out(tmp_path):
    lines = [Line("hr", "iz kuće", "iz kuće")]
    with pytest.raises(ValueError, match=r"'f2' has 0 of 1 sentences in 'hr'; raise .*spare"):
        speak_lines(PLAIN, lines, {"bs": 0, "en": 0, "hr": 1, "sr": 0}, tmp_path)


def test_no_sentence_occurs_twice_in_the_default_corpus():
    normalized = [line.normalized for line in default_lines()]
    assert len(normalized) == len(set(normalized)) > 2400


def test_every_letter_is_frequent_in_the_default_corpus():
    lines = [line for line in default_lines() if line.language in SOUTH_SLAVIC]
    phones = Counter(phone for line in lines for phone in phones_of(line.normalized, line.language))
    assert set(phones) == set(LETTERS.values())
    # a third to a half of the lines are spares; so 100 remain when 200 are offered
    assert min(phones.values()) >= 200


def test_every_english_phone_is_frequent_in_the_default_corpus():
    lines = [line for line in default_lines(voices=22) if line.language == "en"]
    phones = Counter(phone for line in lines for phone in phones_of(line.normalized, "en"))
    assert len(phones) == 41  # all of the inventory that espeak-ng's en-us says
    assert min(phones.values()) >= 70  # in a third of the voices, see above


def test_half_of_the_serbian_lines_are_cyrillic_and_mean_the_same():
    lines = [line for line in default_lines() if line.language == "sr"]
    cyrillic = [line for line in lines if re.search("[а-яђјљњћџ]", line.text)]
    assert 0.4 < len(cyrillic) / len(lines) < 0.6
    assert all(normalize(line.text, "sr") == line.normalized for line in lines)


def test_no_word_of_the_lists_has_a_seam_that_cyrillic_would_betray():
    rows = [row for rows in GRAMMARS["sr"].entries.values() for row in rows if "{" not in row]
    for row in rows:
        latin = normalize(row, "sr")
        assert phones_of(normalize(to_cyrillic(row), "sr"), "sr") == phones_of(latin, "sr")


def test_another_seed_is_another_corpus_and_the_same_seed_the_same():
    first, same, other = (assign(GRAMMARS, ["f2"], AMOUNTS, seed) for seed in ("a", "a", "b"))
    assert first == same
    assert {line.normalized for line in first["f2"]} != {line.normalized for line in other["f2"]}


def test_another_voice_after_it_changes_no_voice():
    few, more = assign(GRAMMARS, ["f1"], AMOUNTS, "a"), assign(GRAMMARS, ["f1", "f2"], AMOUNTS, "a")
    assert few["f1"] == more["f1"]


def test_voices_differ_in_rate_and_pitch_within_their_ranges():
    voices = [voice_of(name, PARAMS.ranges, "a") for name in VARIANTS]
    assert len({(v.rate_wpm, v.pitch, v.pitch_range) for v in voices}) == len(VARIANTS)
    assert {v.pitch for v in voices} <= set(range(30, 71))
    assert {v.rate_wpm for v in voices} <= set(range(145, 196))


def test_every_variant_comes_with_espeak_and_stands_once():
    assert list(VARIANTS) == sorted(set(VARIANTS))
    assert set(VARIANTS) <= variants()
    assert len({name.lower() for name in VARIANTS}) == len(VARIANTS)  # folders on any file system


@pytest.mark.parametrize("voices", [0, len(VARIANTS) + 1])
def test_a_wrong_number_of_voices_is_refused(voices):
    with pytest.raises(ValueError, match=rf"voices must be 1 to {len(VARIANTS)}, found {voices}"):
        dataclasses.replace(PARAMS, voices=voices)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"per_voice": {**AMOUNTS.per_voice, "hr": 0}}, r"per_voice must give each .*'hr': 0"),
        ({"per_voice": {"hr": 5}}, r"per_voice must give each of .* found \{'hr': 5\}"),
        ({"spare": -1}, "spare must be 0 or more, found -1"),
        ({"cyrillic_share": 1.5}, "cyrillic_share must be 0 to 1, found 1.5"),
        ({"short_share": 0.9}, "must sum to 1 at most, found 0.9 and 0.2"),
    ],
)
def test_amounts_of_which_no_corpus_can_be_made_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(AMOUNTS, **change)


def test_ranges_that_espeak_would_not_obey_are_refused():
    with pytest.raises(ValueError, match="pitch_max must rise within 0 to 99, found 60 and 40"):
        Ranges(150, 160, 60, 40, 50, 50)
    with pytest.raises(ValueError, match="within 80 to 450, found 20 and 160"):
        Ranges(20, 160, 40, 60, 50, 50)


SMALL = """
[templates sentence]
{pet.one} sees {pet.many}.
[templates short]
{pet.one}
[digit]
one
[pet one many]
mouse mice
"""


def test_a_list_named_twice_in_a_template_means_one_row():
    small = parse(SMALL + "cat cats\n", "g.txt")
    texts = {grammars.compose(small, SENTENCE, Random(n)) for n in range(20)}
    assert texts == {"Mouse sees mice.", "Cat sees cats."}


def test_a_grammar_without_new_sentences_is_named():
    small = dict.fromkeys(LANGUAGES, parse(SMALL, "g.txt"))
    with pytest.raises(ValueError, match=r"g\.txt: 1000 tries gave no new sentence; add words"):
        assign(small, ["f1", "f2"], AMOUNTS, "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stray", r"g\.txt:1: expected a list such as \[name\], found 'stray'"),
        (SMALL + "cat\n", r"g\.txt:10: expected 2 forms in 'cat'"),
        (SMALL + "[digit]\n", r"g\.txt:10: list 'digit' occurs twice"),
        (SMALL.replace("{pet.many}", "{dog}"), r"g\.txt: no list \[dog\] for"),
        (SMALL.replace("{pet.many}", "{pet.few}"), r"list \[pet\] has no column 'few'"),
        (SMALL.replace("{pet.many}", "{pet}"), r"list \[pet\] has no column ''"),
        (SMALL.replace("[digit]\none", ""), r"g\.txt: list \[digit\] is missing"),
        (SMALL.replace("\none", ""), r"g\.txt: list \[digit\] is empty"),
        (SMALL.replace(SHORT, "templates"), r"list \[templates short\] is missing"),
    ],
)
def test_a_broken_grammar_is_refused_with_its_place(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text, "g.txt")


def test_a_missing_word_list_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"bs\.txt: no such word list"):
        run(tmp_path / "out", tmp_path, TINY, workers=1)
    assert not (tmp_path / "out").exists()


def test_a_process_whose_parent_died_before_it_could_ask_ends_at_once():
    command = (
        "from fonoteka.core.run_stage import die_with_parent; die_with_parent(-1); print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
