"""The catalogue is complete, and profiles and the page of documentation fit it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from command_line import run_fonoteka
from dvc_yaml import TOP

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch.catalogue import chosen_files, find_corpus, read_catalogue
from fonoteka.corpus_fetch.planned_fetch import plan_folders
from fonoteka.pipeline.overrides import PROFILES

CORPORA = read_catalogue()
PAGE = (TOP / "docs/public-corpora.md").read_text(encoding="utf-8")


def folders_of(corpus, tmp_path):
    """Return the names of the corpora that a fetch with default options writes."""
    languages = ["sr"] if corpus.archive else [*corpus.languages]
    planned = plan_folders(corpus, languages, corpus.default_parts, None, tmp_path, tmp_path)
    return [folder.out.name for folder in planned]


def profile_of(name):
    return yaml.safe_load((PROFILES / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_a_corpus_has_terms_and_a_fixed_revision(name):
    corpus = CORPORA[name]
    assert re.match(r"CC(0| BY)", corpus.licence)
    assert len(corpus.citation) > 30
    assert re.match("https?://", corpus.page)
    if corpus.hub or "github" in corpus.base:
        assert re.fullmatch("[0-9a-f]{40}", corpus.revision)
    else:
        assert corpus.archive or corpus.revision


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_each_part_has_a_file_of_its_own(name):
    corpus = CORPORA[name]
    if not corpus.archive:
        for part in corpus.parts:
            files = chosen_files(corpus, [*corpus.languages], [part])
            assert [file for file in files if file.part == part or corpus.parts == ("all",)]


def test_hashes_have_the_length_of_their_kind():
    files = [file for corpus in CORPORA.values() for file in corpus.files]
    for file in files:
        assert re.fullmatch("([0-9a-f]{64})?", file.sha256), file
        assert re.fullmatch("([0-9a-f]{32})?", file.md5), file
    assert sum(bool(file.sha256) for file in files) == 7  # LibriSpeech's


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_the_profile_uses_the_folders_that_a_fetch_writes(name, tmp_path):
    profile = profile_of(name)
    assert profile["inventory"]["corpora"] == sorted(folders_of(CORPORA[name], tmp_path))
    assigned = profile["split"].get("assigned", {})
    assert {key.split("/")[0] for key in assigned} <= set(profile["inventory"]["corpora"])
    if CORPORA[name].folder_per_part and not CORPORA[name].archive:
        assert sorted(assigned.values()) == ["test", "train", "valid"]


def test_the_page_names_every_corpus_with_its_licence():
    for name, corpus in CORPORA.items():
        assert f"| `{name}` |" in PAGE
        assert corpus.licence in PAGE


def test_the_list_shows_each_corpus_without_a_network(capsys):
    run_fonoteka("corpus", "fetch", "--list")
    printed = capsys.readouterr().out
    assert all(f"{name} " in printed for name in CORPORA)
    assert "7.07 GB by default" in printed  # LibriSpeech's three default parts


def test_a_file_of_all_languages_and_parts_is_fetched_once():
    corpus = replace(CORPORA["parlaspeech-hr"])
    files = chosen_files(corpus, ["hr"], ["part1", "part6"])
    assert [file.name.split(".", 3)[-1] for file in files] == ["jsonl.gz", "part1.tgz", "part6.tgz"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lisence": "CC0"}, r"missing \[\], unknown \['lisence'\]"),
        ({"shape": "kaldi"}, "shape 'kaldi' is unknown"),
        ({"languages": {"mk": "mk"}}, r"languages \['mk'\] are unknown"),
        ({"hub": "a/b"}, "exactly one of hub, base and archive"),
        ({"default_parts": ["x"]}, r"default_parts has \['x'\]"),
        ({"files": [{"name": "a", "md5": 10}]}, "md5 10 is a number; put it in quotes"),
        ({"files": [{"nam": "a"}]}, r"missing \['name'\], unknown \['nam'\]"),
    ],
    ids=["key", "shape", "language", "place", "parts", "number", "file"],
)
def test_a_wrong_entry_is_one_sentence(tmp_path, change, sentence):
    entry = {
        "title": "t", "page": "p", "licence": "CC0", "citation": "c", "shape": "fsdd",
        "languages": {"en": "en"}, "parts": ["all"], "speakers": "s", "base": "http://x/",
    }  # fmt: skip
    path = tmp_path / "catalogue.yaml"
    path.write_text(yaml.safe_dump({"toy": entry | change}))
    with pytest.raises(UserError, match=sentence):
        find_corpus("toy", path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a: [", "not valid YAML"), ("- a", "expected a mapping"), (None, "cannot be read")],
    ids=["yaml", "list", "missing"],
)
def test_a_catalogue_that_cannot_be_read_is_one_sentence(tmp_path, text, sentence):
    path = Path(tmp_path / "catalogue.yaml")
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_catalogue(path)
