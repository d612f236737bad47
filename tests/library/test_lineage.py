"""What weights were learned from, counted by hand."""

from __future__ import annotations

import pytest
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.lineage import PackageParams, corpora, licence_of, read_parts

PARAMS = PackageParams("Apache-2.0", ("CC0*", "synthetic: spoken by *"))


def clips(*speakers, **more):
    return [utterance(speaker, number, **more) for number, speaker in enumerate(speakers)]


def parts(train=(), valid=(), test=()):
    return {"train": [*train], "valid": [*valid], "test": [*test]}


def test_each_corpus_is_counted_under_each_of_its_licences():
    result = corpora(
        parts(
            train=[*clips("mine/a", "mine/a", licence="CC0"), *clips("mine/b", licence="MIT")],
            test=[*clips("mine/c", licence="CC0"), *clips("tts/v", synthetic=True)],
        )
    )
    assert [(c["corpus"], c["licence"], c["synthetic"], c["clips"]) for c in result] == [
        ("mine", "CC0", False, {"train": 2, "valid": 0, "test": 1}),
        ("mine", "MIT", False, {"train": 1, "valid": 0, "test": 0}),
        ("tts", "CC0", True, {"train": 0, "valid": 0, "test": 1}),
    ]


def test_licences_of_what_was_learned_from_count_and_those_of_the_test_part_do_not():
    rows_by_part = parts(train=clips("a/x", licence="CC0 1.0"), test=clips("a/y", licence="ask me"))
    assert licence_of(rows_by_part, {}, PARAMS) == {
        "weights": "Apache-2.0", "training_data": ["CC0 1.0"], "to_be_read": [],
        "fetched_weights": {},
    }  # fmt: skip
    rows_by_part = parts(train=clips("a/x", licence="cc0"), valid=clips("a/z", licence="ask me"))
    result = licence_of(rows_by_part, {}, PARAMS)
    assert (result["weights"], result["to_be_read"]) == (None, ["ask me"])


def test_a_fetched_encoder_is_to_be_read_too():
    result = licence_of(parts(train=clips("a/x")), {"hub/encoder at 1234": None}, PARAMS)
    assert (result["weights"], result["to_be_read"]) == (None, ["hub/encoder at 1234"])


def test_fetched_weights_under_a_compatible_licence_need_no_reading():
    result = licence_of(parts(train=clips("a/x")), {"wheel==1.0.0": "CC0 1.0"}, PARAMS)
    assert (result["weights"], result["to_be_read"]) == ("Apache-2.0", [])
    assert result["fetched_weights"] == {"wheel==1.0.0": "CC0 1.0"}


def test_a_voice_in_two_parts_is_refused(tmp_path):
    rows_by_part = parts(train=clips("a/x"), valid=clips("a/y"), test=clips("a/z"))
    for part, rows in rows_by_part.items():
        manifest.write(tmp_path / f"{part}.jsonl", rows)
    assert {part: len(rows) for part, rows in read_parts(tmp_path).items()} == {
        "train": 1, "valid": 1, "test": 1
    }  # fmt: skip
    manifest.write(tmp_path / "test.jsonl", clips("a/z", "a/y"))
    with pytest.raises(ValueError, match="voice 'a/y' is in valid and in test; run dvc repro"):
        read_parts(tmp_path)
