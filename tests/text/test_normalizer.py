"""Canonical text has one spelling per word for any script and typing habit."""

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spoken_items import SOUTH_SLAVIC_ITEMS
from spoken_parts import sentence

from fonoteka.phones import LANGUAGES, LETTERS, SOUTH_SLAVIC
from fonoteka.text import normalizer
from fonoteka.text.normalizer import RULES, explain, normalize, phones_of
from fonoteka.text.rule import SpellingError
from stages.corpus.synthesize.lines import to_cyrillic

PANGRAM = "Gojazni đačić s biciklom drži hmelj i finu vatu u džepu nošnje."
SOUTH_SLAVIC_ALPHABET = set("".join(LETTERS)) | {" "}
ALPHABETS = {
    "en": set("abcdefghijklmnopqrstuvwxyz' "),
    **dict.fromkeys(SOUTH_SLAVIC, SOUTH_SLAVIC_ALPHABET),
}
ROUGH = st.text(
    st.sampled_from("abcčdđeiorstžlj IVXDrKM0123456789.,:;-–/%°€$()[]<>'\"½²§аеорсуљЏ\u00a0\u0301")
)
WRITTEN = st.lists(
    st.sampled_from(
        ["12. 5. 2020.", "5 km", "1.234,50", "14:30", "dr.", "ulica", "br.", "žene", "2", "21",
         "-3", "10-15", "itd.", "u", "1995.", "maja", "50 %", "3.", "razredu", "džep", "ljeto",
         "kg", "100", "din.", "[smeh]", "rek'o", "90-ih", "kuća,", "dan!", "godine", "i"]
    ),
    min_size=1,
).map(" ".join)  # fmt: skip

SENTENCES = st.lists(
    st.sampled_from(
        ["Dobar dan, kako ste?", "Добар дан свима.", "Idem kući.", "Stao je u red.", "Prof. Anić",
         "Tu je g. Petrović", "itd.", "Imam 5.", "Ona je tu!", "Он је u школи", "5 mil.", "KM",
         "TV", "Bilo je ih 2. Ana", "I dan je lep.", "„Gdje si?“", "U 19. st.",
         "Bilo je i dr.", "2 km.", "U redu je, „Ana“.", "Lepo - i kratko, npr."]
    ),
    min_size=1,
    max_size=40,
).map(" ".join)  # fmt: skip


def test_the_pangram_contains_every_letter():
    assert set(phones_of(normalize(PANGRAM, "sr"), "sr")) == set(LETTERS.values())


def test_both_scripts_have_one_canonical_text():
    assert normalize(to_cyrillic(PANGRAM), "sr") == normalize(PANGRAM, "sr")


@given(WRITTEN)
def test_both_scripts_of_any_text_have_one_canonical_text(text):
    assert outcome(to_cyrillic(text), "sr") == outcome(text, "sr")


@given(st.lists(st.sampled_from(sorted(LETTERS)), min_size=1).map("".join))
def test_cyrillic_is_transliterated_to_the_same_latin_letters(latin):
    assert normalize(to_cyrillic(latin), "sr") == normalize(latin, "sr")


@pytest.mark.parametrize(
    "text", ["ЏУГАЊ", "Џугањ", "џугањ", "DŽUGANJ", "Džuganj", "džuganj", "ǅugaǌ", "ǄUGAǊ"]
)
def test_a_digraph_is_the_same_in_any_case(text):
    assert normalize(text, "sr") == "džuganj"


@pytest.mark.parametrize("language", SOUTH_SLAVIC)
def test_composed_and_decomposed_letters_are_equal(language):
    decomposed = unicodedata.normalize("NFD", PANGRAM)
    assert decomposed != PANGRAM
    assert normalize(decomposed, language) == normalize(PANGRAM, language)


def outcome(text, language):
    """Return the canonical text, or the reason of the refusal."""
    try:
        return normalize(text, language)
    except SpellingError as error:
        return error.reason


@settings(max_examples=300, deadline=2000)  # ms; the machine may be busy
@given(ROUGH | WRITTEN | st.text(), st.sampled_from(LANGUAGES))
@example("d'r.", "hr")
@example("5dr 7km", "sr")
@example("\ud800 5 km", "bs")
@example("9" * 5000 + ". maja", "hr")
@example("0/0 0:00 ½½ 1,2,3 ...5.", "sr")
def test_normalization_is_idempotent_or_refuses_the_text(text, language):
    try:
        canonical = normalize(text, language)
    except ValueError:
        return
    assert set(canonical) <= ALPHABETS[language]
    assert canonical == " ".join(canonical.split())
    assert canonical
    assert normalize(canonical, language) == canonical


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("„Gdje?“ – pitao je.", "hr", "gdje pitao je"),
        ("crno-bijelo_platno", "bs", "crno bijelo platno"),
        ("It’s 'fine', isn't it?", "en", "it's fine isn't it"),
        ("  Two\n\twords ", "en", "two words"),
        ("rek’o al’ nije", "bs", "reko al nije"),
    ],
)
def test_punctuation_separates_words_and_is_dropped(text, language, expected):
    assert normalize(text, language) == expected


@pytest.mark.parametrize(
    ("text", "language", "shown", "reason"),
    [
        ("Quebec", "sr", r"outside the sr alphabet: 'q' \(U\+0071\)", "character"),
        ("kuća", "en", r"outside the en alphabet: 'ć' \(U\+0107\)", "character"),
        ("samo €", "bs", r"'€' \(U\+20AC\)", "character"),
        ("ы", "sr", r"outside the sr alphabet: 'ы' \(U\+044B\)", "character"),
        ("XX dana je XY", "hr", "'x'", "character"),
        ("Glava II, strana", "bs", "'II' may be said in several ways", "roman numeral"),
        ("сtaрp", "sr", "look alike are mixed in 'сtaрp'", "mixed script"),
    ],
)
def test_a_refusal_names_the_characters_and_has_a_reason(text, language, shown, reason):
    with pytest.raises(SpellingError, match=shown) as caught:
        normalize(text, language)
    assert caught.value.reason == reason


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["", "  ", "...", "'", "[smeh]", "\u200b"])
def test_a_text_without_a_word_is_refused(text, language):
    with pytest.raises(ValueError, match="no word in the text"):
        normalize(text, language)


def test_an_unknown_language_is_named():
    with pytest.raises(ValueError, match="language 'de' is unknown; expected one of"):
        normalize("Haus", "de")


def test_english_phones_come_from_espeak():
    assert phones_of("measure", "en") == ("m", "e", "ʒ", "ɚ")


@pytest.mark.parametrize(
    ("language", "rule", "example_"),
    [
        pytest.param(language, rule, example_, id=f"{language}: {rule.name}: {example_.before}")
        for language, rules in RULES.items()
        for rule in rules
        for example_ in rule.examples
        if example_.language == language
    ],
)
def test_a_rule_gives_the_result_of_its_example(language, rule, example_):
    assert rule.change(example_.before, language)[0] == example_.after


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rule_is_never_skipped_if_it_would_change_the_text(language):
    for rule in RULES[language]:
        assert rule.examples, f"{rule.name} has no example"
        for example_ in rule.examples:
            if example_.before != example_.after and rule.needs:
                assert not rule.needs.isdisjoint(example_.before), rule.name


@settings(max_examples=60, deadline=None)
@given(ROUGH | WRITTEN | SENTENCES, st.randoms(use_true_random=False))
def test_a_prefilter_occurs_in_every_match_of_its_pattern(random_text, random):
    texts = [random_text, sentence(random, "hr", SOUTH_SLAVIC_ITEMS)[0]]
    for language in LANGUAGES:
        for rule in RULES[language]:
            for text in (*texts, *(shown.before for shown in rule.examples)):
                if rule.pattern and rule.prefilter and rule.pattern.search(text):
                    assert rule.prefilter.search(text), (rule.name, text)


def ungated(table):
    return {
        language: tuple(replace(rule, needs=frozenset()) for rule in rules)
        for language, rules in table.items()
    }


@settings(max_examples=300, deadline=None)  # without the shortcuts every rule is applied
@given(ROUGH | WRITTEN | SENTENCES, st.sampled_from(LANGUAGES))
def test_the_shortcuts_past_the_rules_change_nothing(text, language):
    with pytest.MonkeyPatch.context() as patch:
        never = re.compile("(?!)")
        plain = ("_PLAIN", "_PLAIN_CYRILLIC", "_PLAIN_ENGLISH")
        for name in (*plain, "_SENTENCE_END", "_WORD_AT_END"):
            patch.setattr(normalizer, name, never)
        for name in ("_CLEANING", "_VERBALIZING", "_FINISHING"):
            patch.setattr(normalizer, name, ungated(getattr(normalizer, name)))
        slow = outcome(text, language)
    assert outcome(text, language) == slow


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (
            "Rođen je 12. 5. 1995. (smijeh) u 14:30, 5 km od dr. Anića.", "hr",
            "rođen je dvanaestog svibnja tisuću devetsto devedeset pete u četrnaest i trideset "
            "pet kilometara od doktor anića",
        ),
        (
            "У 19. веку, 5 км од Београда, 100 дин. и 20 %.", "sr",
            "u devetnaestom veku pet kilometara od beograda sto dinara i dvadeset odsto",
        ),
        (
            "Cijena je 1.234,50 KM, tj. 2 KM više nego 1990-ih.", "bs",
            "cijena je hiljadu dvjesto trideset četiri zarez pedeset konvertibilnih maraka to jest "
            "dvije konvertibilne marke više nego hiljadu devetsto devedesetih",
        ),
        (
            "Pred 12 500 ljudi Petar II. slavio je 1945. u XX. stoljeću.", "hr",
            "pred dvanaest tisuća petsto ljudi petar drugi slavio je tisuću devetsto četrdeset "
            "pete u dvadesetom stoljeću",
        ),
        ("14-godišnja i 14-dnevni", "hr", "četrnaestogodišnja i četrnaestodnevni"),
        (
            "On May 5, 2020 Dr. Smith paid $5.50 for 3 kg & left.", "en",
            "on may fifth twenty twenty doctor smith paid five dollars fifty cents for three "
            "kilograms and left",
        ),
    ],
)  # fmt: skip
def test_rules_work_together(text, language, expected):
    assert normalize(text, language) == expected


def test_a_long_text_equals_its_sentences_read_one_by_one():
    sentences = ["Imam 5. razred i 3 km.", "Prof. Anić je tu npr. 2 puta.", "Bilo je 5 mil. KM."]
    alone = " ".join(normalize(sentence, "bs") for sentence in sentences * 10)
    assert normalize(" ".join(sentences * 10), "bs") == alone


def test_the_changes_of_each_rule_are_counted():
    result = explain("дoбaр [smeh] дан, 5 km i dr Anić (buka)", "sr")
    assert result.text == "dobar dan pet kilometara i doktor anić"
    assert result.rules == {
        "annotations": 2, "homoglyphs": 1, "cyrillic": 1, "units": 1, "abbreviations": 1
    }  # fmt: skip
    assert result.language == "sr"


def test_plain_words_need_no_rule():
    assert explain("Dobar dan, kako ste?", "hr").rules == {}
    assert explain("Добар дан, како сте?", "sr").rules == {"cyrillic": 1}
