"""The stage estimates the n-gram model from training utterances and measures it on the others."""

from __future__ import annotations

import sys

import pytest
import yaml
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.phones import INVENTORY
from fonoteka.streaming.arpa import arpa_text, parse_arpa
from fonoteka.streaming.phone_ngram import estimate, perplexity
from stages.training import phone_ngram as stage
from stages.training.phone_ngram import PhoneNgramParams, run

TRAIN, VALID = ["d a", "d a n", ""], ["d a n a", "n a"]


def save_splits(folder, train=TRAIN, valid=VALID):
    for name, texts in (("train", train), ("valid", valid)):
        rows = [utterance(f"mine/{name}", n, phones=tuple(t.split())) for n, t in enumerate(texts)]
        manifest.write(folder / f"{name}.jsonl", rows)
    return folder / "train.jsonl", folder / "valid.jsonl", folder / "out"


def test_the_model_is_that_of_the_training_utterances_alone(tmp_path, monkeypatch):
    places = save_splits(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"phone_ngram": {"order": 3}}))
    monkeypatch.setattr(sys, "argv", ["phone_ngram", *map(str, places)])
    stage.main()
    text = (tmp_path / "out/phones.arpa").read_text(encoding="utf-8")
    model = estimate([t.split() for t in TRAIN if t], INVENTORY, 3)
    assert text == arpa_text(model)
    report = read_json(tmp_path / "out/ngram.json")
    assert report["utterances"] == {"train": 2, "valid": 2}
    assert report["phones"] == {"train": 5, "valid": 6}
    assert sum(report["ngrams"].values()) == len(parse_arpa(text, "phones.arpa").entries)
    expected = perplexity(model, [t.split() for t in VALID])
    assert report["perplexity"]["3"]["valid"] == pytest.approx(expected, abs=1e-4)
    assert {*report["perplexity"]} == {"1", "2", "3"}


def test_equal_utterances_give_equal_bytes(tmp_path):
    train, valid, out = save_splits(tmp_path)
    texts = set()
    for _ in range(2):
        run(train, valid, out, PhoneNgramParams(order=4))
        texts.add((out / "phones.arpa").read_bytes() + (out / "ngram.json").read_bytes())
    assert len(texts) == 1


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_part_without_phones_is_named(tmp_path, part):
    places = save_splits(tmp_path, **{part: [""]})
    with pytest.raises(ValueError, match=rf"{part}\.jsonl: none of 1 utterances has a phone"):
        run(*places, PhoneNgramParams(order=2))
