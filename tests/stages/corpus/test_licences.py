"""Every recording that is used is on the page of licences, under the terms that hold for it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest
from corpus_maker import CARD

from fonoteka.core.files import read_json, write_json
from fonoteka.corpus.clip_terms import AS_THE_CORPUS, ClipTerms, own_terms
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS, read_card
from fonoteka.pseudonyms import PrivacyParams
from fonoteka.tables import write_table
from stages.corpus.licences import stage as licences
from stages.corpus.licences.page import encoder_section, plain, weights_section
from stages.corpus.licences.terms import MACHINE, NOTHING, NOTICE, UNKNOWN, conditions

UNNAMED, NAMED = PrivacyParams(name_people=False), PrivacyParams(name_people=True)


def corpus(raw, rows, header="path,licence,source", **card):
    card = CARD | {"licence": "CC BY 4.0", "source": "a field trip"} | card
    (raw / card["name"]).mkdir(parents=True)
    (raw / card["name"] / "corpus.json").write_text(json.dumps(card))
    table = raw / card["name"] / "metadata.csv"
    table.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return raw / card["name"]


def accept(tmp_path, *paths, seconds=90):
    """Write what the stages before write of the corpora and of these clips."""
    folders = {path.name: path for path in (tmp_path / "raw").iterdir()}
    cards = {name: read_card(folder) for name, folder in folders.items()}
    own = {name: own_terms(folder) for name, folder in folders.items()}
    rows = []
    for path in paths:
        name, _, inner = path.partition("/")
        terms = own[name].get(inner, AS_THE_CORPUS).within(cards[name])
        values = {"id": path, "corpus": name, "path": path, "duration_s": f"{seconds}"}
        rows.append(dict.fromkeys(ACCEPTED_COLUMNS, "") | values | asdict(terms))
    write_table(tmp_path / "accepted.csv", ACCEPTED_COLUMNS, rows)
    write_json(tmp_path / "corpora.json", [asdict(card) for card in cards.values()])


def provenance(folder, **values):
    """Write the record of weights as the stage whisper_base does."""
    record = {
        "source": "package", "fetched": "part1==1.0.0", "licence": "MIT",
        "packed_by": "a third party", "sha256": "ab" * 32,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    write_json(folder / "provenance.json", record | values)


def written(tmp_path, privacy=UNNAMED):
    out = tmp_path / "page.md"
    provenance(tmp_path / "weights")
    provenance(tmp_path / "voices", fetched="encoder==2.0", licence="Apache-2.0")
    licences.run(
        tmp_path / "accepted.csv", tmp_path / "corpora.json", tmp_path / "weights",
        tmp_path / "voices", out, privacy,
    )  # fmt: skip
    # A cell is as wide as its column; only its text matters here.
    return re.sub(" +", " ", out.read_text(encoding="utf-8"))


def test_each_corpus_that_is_used_is_named_with_its_conditions(tmp_path):
    corpus(tmp_path / "raw", ["a.wav,,", "b.wav,,", "gone.wav,,"])
    corpus(tmp_path / "raw", ["x.wav,,"], name="robot", licence="CC0", synthetic=True, source="")
    corpus(tmp_path / "raw", ["x.wav,,"], name="unused", licence="secret")
    accept(tmp_path, "mine/a.wav", "mine/b.wav", "robot/x.wav")
    page = written(tmp_path)
    assert "| mine | people | 2 | 3.0 min | CC BY 4.0 |" in page
    assert "| robot | a machine | 1 | 1.5 min | CC0 |" in page
    assert "- Conditions: name the source and the licence, and state the changes" in page
    assert "- Source: a field trip\n- Spoken by people; 2 clips, 3.0 min" in page
    assert "- Conditions: none\n- Source: not stated" in page
    assert "unused" not in page
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


def test_clips_under_other_terms_are_grouped_and_a_person_they_come_from_is_not_named(tmp_path):
    rows = [
        "a.wav,,",
        "b.wav,CC0,from Ana",
        "c.wav,CC0,from Ivo",
        "d.wav,CC BY-SA 3.0,",
        "e.wav,,x",
    ]
    corpus(tmp_path / "raw", rows)
    accept(tmp_path, *(f"mine/{name}.wav" for name in "abcde"))
    page = written(tmp_path)
    assert "| mine | people | 5 | 0.12 h | CC BY 4.0 and 2 more |" in page
    assert "| CC0 | 2 of their own, in metadata.csv | 2 | 3.0 min | none |" in page
    assert "| CC BY-SA 3.0 | a field trip | 1 | 1.5 min | name the source and the licence" in page
    assert "| CC BY 4.0 | one of their own, in metadata.csv | 1 |" in page
    assert "Ana" not in page
    named = written(tmp_path, NAMED)
    assert "| CC0 | from Ana | 1 | 1.5 min | none |\n| CC0 | from Ivo | 1 |" in named


def test_terms_equal_to_those_of_the_corpus_are_not_listed(tmp_path):
    corpus(tmp_path / "raw", ["a.wav,CC BY 4.0,a field trip"])
    accept(tmp_path, "mine/a.wav")
    assert "Clips under their own terms" not in written(tmp_path)


def test_the_page_has_the_same_bytes_whatever_the_order_of_the_rows(tmp_path):
    corpus(tmp_path / "raw", ["a.wav,,", "b.wav,CC0,y", "c.wav,CC0,x"])
    pages = []
    for names in ("abc", "cba"):
        accept(tmp_path, *(f"mine/{name}.wav" for name in names))
        pages.append(written(tmp_path, NAMED))
    assert pages[0] == pages[1]


def test_text_of_others_is_shown_and_never_obeyed(tmp_path):
    odd = "<script>|[x](y)`*\x1b[2J"
    corpus(tmp_path / "raw", ["a.wav,,"], licence=odd, source=f"a\n# b{odd}")
    accept(tmp_path, "mine/a.wav")
    page = written(tmp_path)
    assert "\x1b" not in page
    assert "<script>" not in page
    assert "\n# b" not in page
    assert f"- Licence: {plain(odd)}" in page


def test_terms_are_read_under_either_spelling_if_the_table_has_them(tmp_path):
    folder = corpus(tmp_path, ["./a.wav,  CC0 ", "b.wav,"], "path,license")
    assert own_terms(folder) == {"a.wav": ClipTerms("CC0", "")}
    assert own_terms(corpus(tmp_path, ["a.wav,hr"], "path,language", name="other")) == {}
    twice = corpus(tmp_path, ["a.wav,CC0,MIT"], "path,license,licence", name="twice")
    with pytest.raises(ValueError, match=r"csv: has the columns \['licence', 'license'\], which"):
        own_terms(twice)


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC0 1.0", NOTHING),
        ("Public Domain", NOTHING),
        ("cc-by-sa-4.0", "name the source and the licence, and state the changes; share "
         "adaptations under the same licence"),
        ("https://creativecommons.org/licenses/by/4.0/", "name the source and the licence, and "
         "state the changes"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International",
         "name the source and the licence, and state the changes; no commercial use; do not share "
         "adaptations"),
        ("Apache-2.0", NOTICE),
        ("synthetic: spoken by espeak-ng (espeakng-loader 0.2.4) from sentences composed for this "
         "project", MACHINE),
        ("CC BY 4.0, but not for children", UNKNOWN),
        ("CC SA", UNKNOWN),
        ("for this experiment alone", UNKNOWN),
    ],
)  # fmt: skip
def test_the_conditions_of_common_licences_are_listed(licence, expected):
    assert conditions(licence) == expected


def test_the_command_line_reads_params_and_paths(tmp_path, monkeypatch):
    corpus(tmp_path / "raw", ["a.wav,,"])
    accept(tmp_path, "mine/a.wav")
    provenance(tmp_path / "weights")
    provenance(tmp_path / "voices")
    (tmp_path / "params.yaml").write_text("privacy: {name_people: false}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sys.argv",
        ["licences", "accepted.csv", "corpora.json", "weights", "voices", "DATA_LICENSES.md"],
    )
    licences.main()
    assert (tmp_path / "DATA_LICENSES.md").read_text().startswith("# Data licences\n")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "- Licence: MIT"),
        ({}, "- Source: part1==1.0.0"),
        ({}, "- Trained by OpenAI."),
        ({"source": "hub", "licence": None}, "- Licence: not stated"),
        ({"source": "folder", "fetched": None, "packed_by": None}, "- Source: folder"),
    ],
)
def test_the_weights_of_others_are_on_the_page(values, line, tmp_path):
    corpus(tmp_path / "raw", ["a.wav,,"])
    accept(tmp_path, "mine/a.wav")
    provenance(tmp_path / "weights", **values)
    text = weights_section(read_json(tmp_path / "weights" / "provenance.json"))
    assert f"\n{line}" in text
    assert f"- SHA-256 of model.safetensors: `{'ab' * 32}`" in text


def test_the_weights_of_the_speaker_encoder_have_a_section_of_their_own(tmp_path):
    corpus(tmp_path / "raw", ["a.wav,,"])
    accept(tmp_path, "mine/a.wav")
    section = written(tmp_path).partition("## Weights of the speaker encoder\n")[2]
    assert "- Licence: Apache-2.0\n" in section
    assert f"- Conditions: {NOTICE}\n" in section
    assert "- Source: encoder==2.0\n" in section
    record = {"source": "untrained", "fetched": None, "licence": None, "sha256": "ab" * 32}
    assert "- Licence: not stated\n" in encoder_section(record)
    assert "Resemble" not in encoder_section(record)
