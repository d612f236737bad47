"""Mixtures of corpora: the right clips are trained on, and each corpus is scored apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import run_fonoteka
from dvc_yaml import TOP

from fonoteka import manifest
from fonoteka.bench.mixtures import command
from fonoteka.bench.mixtures.parts import check_parts, parse_mixture
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.params import load
from fonoteka.manifest import Utterance
from fonoteka.phones import INVENTORY, LABELS, NUMBER
from fonoteka.shards import write_arrays
from stages.training.train import stage as training
from stages.training.train.tasks import CtcParams

pytestmark = pytest.mark.torch
# Two corpora without a common phone: a head of one is wrong on the other.
PHONES = {"digits": INVENTORY[:4], "books": INVENTORY[4:8]}
SPEAKERS = {"train": "ab", "valid": "c", "test": "de"}


def clips(corpus, speaker, count):
    """Return utterances and embeddings that show their phones: one-hot frames with noise."""
    rng = np.random.default_rng([*map(ord, corpus + speaker)])
    pairs = []
    for number in range(count):
        phones = tuple(rng.choice(PHONES[corpus], 3, replace=False).tolist())
        frames = 0.3 * rng.standard_normal((16, len(LABELS))).astype(np.float32)
        for place, phone in enumerate(phones):
            frames[2 + 5 * place : 5 + 5 * place, NUMBER[phone]] += 4
        language = ("hr", "en")[number % 2]
        row = Utterance(
            f"{corpus}-{speaker}-{number}", "", f"{corpus}/{speaker}", language, "da", "da", phones,
            1.0, corpus, "CC0", False,
        )  # fmt: skip
        pairs.append((row, frames))
    return pairs


def in_process(name, embeddings, targets, valid, out, top):
    """Train in this process: a program would import torch for 4 CPU seconds."""
    params = load("ctc", CtcParams, top / "params.yaml")
    paths = (out / name, out / f"{name}-curves", out / f"{name}-checkpoint")
    training.run(name, embeddings, targets, valid, *paths, params)
    return out / name


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "train_head", in_process)
    Path("data/splits").mkdir(parents=True)
    Path("data/embeddings/whisper").mkdir(parents=True)
    arrays = {}
    for part, speakers in SPEAKERS.items():
        pairs = [pair for c in PHONES for speaker in speakers for pair in clips(c, speaker, 12)]
        manifest.write(Path(f"data/splits/{part}.jsonl"), [row for row, _ in pairs])
        arrays |= {row.id: frames for row, frames in pairs}
    write_arrays(Path("data/embeddings/whisper"), arrays, 2)
    params = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))
    params["ctc"] |= {"epochs": 40, "patience": 40, "learning_rate": 0.01, "mask_fraction": 0.0}
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def test_a_head_knows_the_corpora_of_its_mixture(project, capsys):
    run_fonoteka("bench", "mixtures", "digits", "digits+books/en", "books+digits")
    report = read_json(Path("reports/bench/mixtures.json"))
    names = ("digits", "digits+books/en", "books+digits")
    rows = {name: report["mixtures"][name] for name in names}
    assert report["base"] == "digits"
    assert [row["clips"] for row in rows.values()] == [24, 36, 48]
    assert rows["digits"]["hours"] == pytest.approx(24 / 3600, abs=1e-4)
    assert report["test"] == {name: {"clips": 24, "speakers": 2} for name in ("books", "digits")}
    alone, some, both = (row["test"] for row in rows.values())
    # No phone of the other corpus is ever right; a mixture of both reaches both.
    assert alone["books"]["per"] >= 1
    assert max(alone["digits"]["per"], both["digits"]["per"], both["books"]["per"]) < 0.3
    assert some["books"]["per"] < 0.5
    for scores in (alone, some, both):
        for corpus, values in scores.items():
            assert values["low"] <= values["per"] <= values["high"]
            change = values["per"] - alone[corpus]["per"]
            assert values["difference"] == pytest.approx(change, abs=2e-4)
    assert (alone["books"]["difference_low"], alone["books"]["difference_high"]) == (0, 0)
    assert both["books"]["difference_high"] < 0
    printed = capsys.readouterr().out
    assert "books, digits" in printed
    assert "PER books" in printed


def test_a_corpus_with_one_test_speaker_has_no_interval(project, capsys):
    rows = [u for u in manifest.read(Path("data/splits/test.jsonl")) if u.speaker != "books/e"]
    manifest.write(Path("data/splits/test.jsonl"), rows)
    run_fonoteka("bench", "mixtures", "books")
    values = read_json(Path("reports/bench/mixtures.json"))["mixtures"]["books"]["test"]["books"]
    assert (values["low"], values["difference_low"]) == (None, None)
    assert "books" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "digits+", "digits+digits", "+"])
def test_a_mixture_that_cannot_be_read_is_refused(text):
    with pytest.raises(UserError, match=r"expected corpora joined by \+, each once"):
        parse_mixture(text)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), "give at least one"),
        (("digits", "digits"), "'digits' is given twice"),
        (("digits+letters",), "no clip of 'letters'; there are books, books/en, digits, digits/hr"),
        (("digits/en",), "no clip of 'digits/en'"),
    ],
)
def test_mixtures_without_a_clip_are_refused(names, sentence):
    rows = [clips("digits", "a", 1)[0][0], clips("books", "a", 2)[1][0]]
    with pytest.raises(UserError, match=sentence):
        check_parts([parse_mixture(name) for name in names], rows, "train.jsonl")
