"""The project is written in the language of docs/style.md."""

from __future__ import annotations

import ast
import textwrap

import language
import pytest
from language import Passage


def test_all_of_the_project_follows_the_rules():
    items = language.violations()
    assert not items, "docs/style.md\n" + "\n".join(map(str, items[:200]))


def test_no_two_classes_share_a_name():
    assert not language.shared_class_names(), "give each class a name of its own"


def test_no_folder_has_more_than_twenty_python_files():
    assert not language.crowded_folders(), "split the folder"


@pytest.mark.parametrize("phrase", language.rules().phrases, ids=lambda phrase: phrase.name)
def test_a_pattern_matches_its_bad_sentence_and_not_its_good_one(phrase):
    assert phrase.pattern.search(phrase.bad)
    assert not phrase.pattern.search(phrase.good)
    assert phrase.plain


def test_plain_names_are_not_banned_themselves():
    for table in language.rules()[1:4]:
        plain = {name for text in table.values() for name in text.split(", ")}
        assert not plain & {*table}


def test_a_phrase_is_found_across_a_line_break_with_its_line():
    lines = ("the table", "has a row", "a file")
    (item,) = language.phrases_in("a.py", [Passage(10, "\n".join(lines))])
    assert (item.path, item.line, item.rule) == ("a.py", 11, "x a y")
    assert str(item).startswith(f"a.py:11: x a y: {' '.join(lines)} -> one ... per")


def test_paths_options_and_addresses_are_not_prose():
    text = "see stages/corpus/heard.py, heard.json, --told and https://example.org/said"
    assert not [*language.phrases_in("a.md", [Passage(1, text)])]


SOURCE = textwrap.dedent('''
    """First line.

    Second."""
    # one comment
    # on two lines
    def test_a_name_is_text(first, *rest):
        value = f"a {first} b"  # beside code
        for item, other in rest:
            item.attribute = "plain"
''').lstrip()


def test_comments_docstrings_strings_and_test_names_are_read():
    texts = language.passages(language.parsed(SOURCE))
    assert {*texts} == {
        Passage(4, "one comment\non two lines"),
        Passage(7, "beside code"),
        Passage(1, "First line.\n\nSecond."),
        Passage(6, "a name is text"),
        Passage(7, "a {} b"),
        Passage(9, "plain"),
    }


def test_strings_and_examples_of_quoted_folders_are_left_out():
    source = SOURCE.replace("Second.", ">>> f()\n    'it'")
    texts = language.passages(language.parsed(source), strings=False)
    assert {text.text for text in texts} == {
        "one comment\non two lines",
        "beside code",
        "First line.\n\n\n",
        "a name is text",
    }


def test_names_are_those_that_a_module_binds():
    names = [(kind, name) for _, kind, name in language.bound_names(ast.parse(SOURCE), "made")]
    assert sorted(names) == [
        ("attribute", "attribute"),
        ("function", "test_a_name_is_text"),
        ("module", "made"),
        ("parameter", "first"),
        ("parameter", "rest"),
        ("variable", "item"),
        ("variable", "other"),
        ("variable", "value"),
    ]


@pytest.mark.parametrize(
    ("lines", "comment", "reported"),
    [(24, "", False), (25, "", True), (25, "  # a reason", False)],
)
def test_a_long_function_needs_a_comment(lines, comment, reported):
    source = "def function():\n" + "    value = 1\n" * lines
    source = source.replace("value = 1", f"value = 1{comment}", 1)
    assert bool([*language.without_comment(language.parsed(source))]) == reported


def test_a_docstring_does_not_make_a_function_long():
    source = 'def function():\n    """Title.\n' + "    text\n" * 30 + '    """\n    value = 1\n'
    assert not [*language.without_comment(language.parsed(source))]


def test_messages_of_other_programs_are_not_prose():
    assert not [*language.phrases_in("a.py", [Passage(1, "Stage 'a' didn't change, skipping")])]
    (contraction,) = (phrase for phrase in language.rules().phrases if phrase.name == "contraction")
    assert [*language.phrases_in("a.py", [Passage(1, contraction.bad)])]
