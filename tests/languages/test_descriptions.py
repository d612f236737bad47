"""The shipped descriptions are right, and each mistake in one is reported."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from fonoteka.core.errors import UserError
from fonoteka.languages.canonical_text import UnreadableError, canonical
from fonoteka.languages.check import NUMBERS, problems
from fonoteka.languages.description import described, keys, read_description, shipped
from fonoteka.languages.number_reading import number_words
from fonoteka.languages.pronunciation import Pronunciation, UnspelledError

MK, SL = described("mk"), described("sl")
CODES = sorted(shipped())


@pytest.mark.parametrize("code", CODES)
def test_a_shipped_description_has_no_problem(code):
    assert [str(problem) for problem in problems(described(code))] == []


@pytest.mark.parametrize("code", CODES)
def test_a_shipped_description_has_twenty_examples_and_all_numbers(code):
    description = described(code)
    assert len(description.examples) >= 20
    words = {number_words(number, description.numbers) for number in NUMBERS}
    assert len(words) == len({*NUMBERS})


def without(table, key):
    return {name: value for name, value in table.items() if name != key}


@pytest.mark.parametrize(
    ("description", "changes", "expected"),
    [
        pytest.param(
            SL, {"letters": without(SL.letters, "ž")},
            "letters: letter 'ž' has no phones; add it", id="letter",
        ),
        pytest.param(
            MK, {"new_phones": without(MK.new_phones, "dz")},
            "letters.ѕ: phone 'dz' is not in the inventory; name it in new_phones", id="phone",
        ),
        pytest.param(
            MK, {"new_phones": MK.new_phones | {"a": "a"}},
            "new_phones.a: the inventory has it; remove it", id="known phone",
        ),
        pytest.param(
            MK, {"new_phones": MK.new_phones | {"q": "x"}},
            "new_phones.q: no table uses it; remove it", id="unused phone",
        ),
        pytest.param(
            MK, {"new_phones": MK.new_phones | {"c": "y"}},
            "new_phones.c: the nearest phone 'y' is not in the inventory", id="nearest phone",
        ),
        pytest.param(
            SL, {"digraphs": {}},
            "digraphs.dž: 'dž' is also d and ž; list the stems in which it is two letters, such "
            "as nad|živ, or an empty text if the language has none", id="digraph",
        ),
        pytest.param(
            SL, {"digraphs": {"dž": "nadživ"}},
            "digraphs.dž: stem 'nadživ' does not contain 'd|ž'", id="stem",
        ),
        pytest.param(
            MK, {"digraphs": MK.digraphs | {"gj": ""}},
            "digraphs.gj: no table has this spelling; remove it", id="needless digraph",
        ),
        pytest.param(
            SL, {"examples": SL.examples | {"grad": "ɡ r a d"}},
            "examples.grad: expected 'ɡ r a d', found 'ɡ r a t'", id="example",
        ),
        pytest.param(
            SL, {"examples": SL.examples | {"quark": "k"}},
            "examples.quark: 'q' in 'quark' is in neither rules nor letters", id="foreign",
        ),
        pytest.param(
            SL, {"examples": {"pes": "p ə s"}},
            "examples: 1 words, expected 20 or more", id="few examples",
        ),
        pytest.param(
            SL, {"examples": without(SL.examples, "konj")},
            "rules.nj: no example uses the rule for '$|[^aeiou]'; add a word", id="unused rule",
        ),
        pytest.param(
            MK, {"examples": without(MK.examples, "фотелја")},
            "letters.ф: no example has this letter; add a word", id="unused letter",
        ),
        pytest.param(
            SL, {"texts": {"Imam 3.": "imam štiri"}},
            "texts.Imam 3.: expected 'imam štiri', found 'imam tri'", id="text",
        ),
        pytest.param(
            SL, {"numbers": replace(SL.numbers, hundreds=("sto",) * 9)},
            "numbers: 200 and 100 are both read 'sto'; correct a word", id="equal numbers",
        ),
        pytest.param(
            SL, {"abbreviations": {"x.": "Xaver"}},
            "abbreviations.Xaver: outside the alphabet of sl: 'x' (U+0078)", id="abbreviation",
        ),
        pytest.param(
            SL, {"signs": {"%": "Procent"}},
            "signs.Procent: 'Procent' is not canonical; write words in small letters", id="sign",
        ),
        pytest.param(
            MK, {"transliteration": without(without(MK.transliteration, "ć"), "ḱ")},
            "transliteration: nothing becomes ['ќ']; add a spelling for each", id="script",
        ),
        pytest.param(
            SL, {"alphabet": SL.alphabet + "a"},
            "alphabet: a letter occurs twice; remove one", id="alphabet",
        ),
        pytest.param(
            SL, {"exceptions": {"quo": "k"}},
            "exceptions.quo: ['q'] are not letters of the alphabet", id="foreign letter",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_key(description, changes, expected):
    assert expected in [str(problem) for problem in problems(replace(description, **changes))]


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("sl", "Prof. dr. Novak, itd.", "profesor doktor novak in tako dalje"),
        ("sl", "Star je 99 let + 1.", "star je devetindevetdeset let plus ena"),
        ("sl", "999999", "devetsto devetindevetdeset tisoč devetsto devetindevetdeset"),
        ("mk", "Njiva i kuḱa", "њива и куќа"),
        ("mk", "21000", "дваесет и една илјада"),
        ("mk", "100", "сто"),
        ("mk", "2002", "две илјади и два"),
        ("mk", "’Рж", "рж"),
    ],
)
def test_a_text_becomes_canonical(code, text, expected):
    read = canonical(text, described(code))
    assert read == expected
    assert canonical(read, described(code)) == read


@pytest.mark.parametrize(
    ("text", "reason", "shown"),
    [
        ("Xaver", "character", "'x'"),
        ("12.5.2020", "number", "12.5.2020"),
        ("1000000", "number", "whole number up to 999999"),
        ("A4", "number", "write words"),
        ("...", "no word", "no word in"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_reason(text, reason, shown):
    with pytest.raises(UnreadableError, match=shown) as refused:
        canonical(text, SL)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("code", "word", "phones"),
    [
        ("sl", "nadživim", "n a d ʒ i v i m"),  # two letters, and nothing is assimilated across
        ("sl", "džip", "dʒ i p"),
        ("sl", "sladka", "s l a t k a"),
        ("mk", "нож", "n o ʃ"),
        ("mk", "свет", "s v e t"),
    ],
)
def test_a_word_has_the_phones_of_its_context(code, word, phones):
    assert Pronunciation(described(code)).phones(word) == tuple(phones.split())


def test_a_letter_outside_the_tables_is_refused():
    with pytest.raises(UnspelledError, match="'q' in 'quo' is in neither rules nor letters"):
        Pronunciation(SL).phones("quo")


def written(tmp_path, **changes):
    values = yaml.safe_load(shipped()["sl"].read_text(encoding="utf-8")) | changes
    path = tmp_path / "sl.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": "slv"}, "code must be two letters of ISO 639-1, found 'slv'"),
        ({"g2p": "guess"}, "g2p must be table or espeak, found 'guess'"),
        ({"vowels": "a"}, r"unknown \['vowels'\]"),
        ({"letters": {"a": True}}, "letters.a: expected str, found True"),
        (
            {"rules": [{"spelling": "l", "left": "(", "right": "", "phones": "w"}]},
            "rules: left of 'l' is not a regular expression",
        ),
        (
            {"rules": [{"spelling": "", "left": "", "right": "", "phones": "w"}]},
            "rules: a spelling is empty",
        ),
    ],
)
def test_a_file_that_is_not_a_description_is_refused(changes, message, tmp_path):
    with pytest.raises(UserError, match=message) as refused:
        read_description(written(tmp_path, **changes))
    assert str(refused.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("units", ["nič"], "numbers.units must have 20 words, found 1"),
        ("compound", "{unit}in", "numbers.compound must contain {unit} and {tens}"),
    ],
)
def test_numbers_that_are_not_complete_are_refused(key, value, message, tmp_path):
    numbers = yaml.safe_load(shipped()["sl"].read_text(encoding="utf-8"))["numbers"]
    with pytest.raises(UserError, match=message):
        read_description(written(tmp_path, numbers=numbers | {key: value}))


def test_a_folder_with_one_description_is_read(tmp_path):
    written(tmp_path)
    assert read_description(tmp_path) == SL
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(UserError, match="2 descriptions"):
        read_description(tmp_path)


@pytest.mark.parametrize(
    ("contents", "message"), [(b"a: [", "not valid YAML"), (b"\xff\xff", "not valid YAML")]
)
def test_a_file_that_is_not_yaml_is_refused(contents, message, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(contents)
    with pytest.raises(UserError, match=message):
        read_description(path)
    with pytest.raises(UserError, match="no such description; shipped ones are mk, sl"):
        read_description(tmp_path / "b.yaml")


def test_the_page_explains_every_key():
    from dvc_yaml import TOP

    page = (TOP / "docs/new-language.md").read_text(encoding="utf-8")
    cells = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    assert [key for key in keys() if f"`{key}`" not in "".join(cells)] == []
