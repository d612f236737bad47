"""A speaker is one, however the name is spelled and in whichever script."""

from __future__ import annotations

import random
import unicodedata

import pytest
from corpus_maker import utterance

from fonoteka.erasure.find_clips import find_clips, parse_subject
from fonoteka.text.transliteration import name_key, to_latin
from stages.corpus.audit.leakage import find_leaks
from stages.corpus.split.speaker_groups import speaker_groups

SAME = [
    ("Ana", "Ана"),  # Latin, Cyrillic
    ("Ana", "АНА"),
    ("Ana", "Aна"),  # a Latin A in a Cyrillic word
    ("Ana", "Anа"),  # a Cyrillic а in a Latin word
    ("Petar", "Пeтap"),  # Latin e, a, p in a Cyrillic word, where p looks like р
    ("Petar", "ПETAP"),
    ("Saša", "Caшa"),  # Latin C, which looks like С
    ("Ivan", "Ivаn"),
    ("Ljiljana Njegoš", "Љиљана Његош"),
    ("Džejna", "Џејна"),
    ("LJILJANA", "ЉИЉАНА"),
    ("ǈiǉana", "Љиљана"),  # U+01C8, U+01C9: one sign for two letters
    ("Đorđe", "Ђорђе"),
    ("Žarko Šćepanović", "ЖАРКО  ШЋЕПАНОВИЋ "),
    ("c\u0301iro", "Ћиро"),  # a c and an accent
    ("Ana\u200b", "\ufeffАна"),  # signs without a width
    ("Ana\u00a0M", " Ана\tM "),  # a space that does not break
    ("Ana-Marija", "Ана-Marija"),
    ("ana2", "Ана2"),
    ("straße", "STRASSE"),
]
OTHERS = [
    ("Ana", "Anja"), ("Đura", "Djura"), ("Ана", "Ања"), ("Cana", "Ћана"), ("Ana M", "Ana N"),
    ("s1 1", "s11"), ("Юлия", "Julija"), ("Ана", "Яна"), ("Lela", "Љеља"), ("Vera", "Bepa"),
    ("", "Ana"), ("Ana/M", "AnaM"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "other"), SAME)
def test_spellings_of_one_name_are_one(name, other):
    assert name_key(name) == name_key(other)
    assert name_key(f"Mine/{name}") == name_key(f"mine / {other}")


@pytest.mark.parametrize(("name", "other"), OTHERS)
def test_other_names_stay_others(name, other):
    assert name_key(name) != name_key(other)


@pytest.mark.parametrize(
    "name", ["fsdd/george", "mine/ana m.", "librispeech251/1272", "c/đorđe-žika_2", "a/b/c"]
)
def test_the_key_of_a_plain_name_is_the_name(name):
    assert name_key(name) == name


def test_a_key_is_its_own_key_and_that_of_both_scripts():
    drawn = random.Random(7)
    letters = "абвгдђежзијклљмнњопрстћуфхцчџш"
    for _ in range(300):
        name = "".join(drawn.choice(letters) for _ in range(drawn.randint(1, 9)))
        name = drawn.choice([name, name.capitalize(), name.upper()])
        key = name_key(name)
        assert key == to_latin(name).lower()  # Serbian Latin, letter by letter
        spelled = (key, to_latin(name), unicodedata.normalize("NFD", key), f" {name} ")
        assert {name_key(other) for other in spelled} == {key}


def test_one_voice_in_two_scripts_is_tied_and_a_leak_where_it_is_parted():
    rows = [utterance("mine/Ana", 1, "sr"), utterance("mine/Ана", 2, "sr"), utterance("mine/ivo")]
    first, second = speaker_groups(rows, {})
    assert first.speakers == ("mine/Ana", "mine/Ана")
    assert first.shared == ("name mine / ana",)
    assert second.speakers == ("mine/ivo",)
    leaks = find_leaks({"train": rows[:1], "test": rows[1:]}, {})["speaker"]
    assert [leak.value for leak in leaks] == ["mine/ana"]


def test_a_session_in_two_scripts_is_one_too():
    rows = [
        utterance("mine/ivo", session="mine/Студио 1"),
        utterance("mine/eva", session="mine/studio 1"),
    ]
    (both,) = speaker_groups(rows, {})
    assert both.speakers == ("mine/eva", "mine/ivo")
    leaks = find_leaks({"train": rows[:1], "test": rows[1:]}, {})["session"]
    assert [leak.value for leak in leaks] == ["mine/studio 1"]


@pytest.mark.parametrize("requested", ["mine/Ana", "mine/Ана", "mine/ана ", "mine/Aна"])
def test_a_speaker_is_found_in_both_scripts(requested):
    names = ("Ana", "Ана", "Anja")
    rows = [{"path": f"{n}.wav", "text": "", "speaker": s} for n, s in enumerate(names)]
    assert find_clips(parse_subject(requested, ""), rows, "") == {"0.wav", "1.wav"}
