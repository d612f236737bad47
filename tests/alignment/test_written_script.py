"""Only the written words of a text change with the script."""

from dataclasses import replace

import pytest
from aligned_text_maker import aligned, aligned_texts
from hypothesis import given

from fonoteka.alignment.aligned_text import AlignedText
from fonoteka.alignment.written_script import in_script
from fonoteka.core.errors import UserError

LATIN = aligned(
    [("Njegov", 0, 1), ("džep,", 1, 2)], [("Petar", 2, 3), ("II", 3, 4)], duration_s=5.0
)
CYRILLIC = [["Његов", "џеп,"], ["Петар", "II"]]


def words(text):
    return [[word.text for word in line.words] for line in text.lines]


def without_words(text):
    lines = (tuple(replace(word, text="") for word in line.words) for line in text.lines)
    return AlignedText, text.language, text.duration_s, text.model, tuple(lines)


def test_serbian_is_written_in_either_script():
    assert words(cyrillic := in_script(LATIN, "cyrillic")) == CYRILLIC
    assert words(in_script(cyrillic, "latin")) == words(LATIN)


@pytest.mark.parametrize("script", ["latin", "cyrillic"])
@given(text=aligned_texts())
def test_nothing_but_the_written_words_changes(text, script):
    assert without_words(in_script(text, script)) == without_words(text)


def test_an_unknown_script_is_refused_with_the_list():
    with pytest.raises(UserError, match=r"^script 'glagolitic' is not one of latin, cyrillic$"):
        in_script(LATIN, "glagolitic")


@pytest.mark.parametrize("language", ["en", "hr"])
def test_cyrillic_is_for_bosnian_and_serbian_alone(language):
    with pytest.raises(UserError, match=f"^language {language} is not written in Cyrillic here"):
        in_script(replace(LATIN, language=language), "cyrillic")
    assert words(in_script(replace(LATIN, language="bs"), "cyrillic")) == CYRILLIC
