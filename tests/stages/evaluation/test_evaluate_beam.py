"""The beam is tuned on validation utterances, scored once on test, and compared in pairs."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml
from corpus_maker import utterance
from posterior_maker import said_as

from fonoteka import manifest
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.phones import INVENTORY, NUMBER
from fonoteka.shards import write_arrays
from fonoteka.streaming.arpa import arpa_text
from fonoteka.streaming.phone_ngram import estimate
from stages.evaluation.evaluate_beam import stage
from stages.evaluation.evaluate_beam.stage import run
from stages.evaluation.evaluate_beam.tuning import EvaluateBeamParams

PARAMS = EvaluateBeamParams(
    widths=(1, 4), lm_weights=(0.0, 1.0), insertions=(-1.0, 0.0, 2.0), first_round=2, finalists=2,
    threshold=20.0, hold_frames=50, stream_hold_frames=2, resamples=200, seed=1, digits=4,
)  # fmt: skip
SENTENCE = "d a n a s"


def misheard(text, place=2, phone="m"):
    """Return posteriors in which one phone is a little less likely than another."""
    rows = said_as(text)
    right = NUMBER[text.split()[place]]
    for frame in (3 * place, 3 * place + 1):
        rows[frame, [right, NUMBER[phone]]] = np.log([0.44, 0.46])
    return rows


def save_inputs(folder, speakers=3, decoded=misheard):
    """Write what the stage reads: the best path has a wrong phone in each utterance."""
    posteriors = folder / "posteriors" / "toy"
    posteriors.mkdir(parents=True)
    arrays = {}
    for part in ("valid", "test"):
        rows = [
            utterance(f"{part}/s{n}", n, phones=tuple(SENTENCE.split())) for n in range(speakers)
        ]
        arrays |= {u.id: decoded(SENTENCE) for u in rows}
        manifest.write(folder / f"{part}.jsonl", [*rows, utterance(f"{part}/mute", phones=())])
    write_arrays(posteriors, arrays, 2)
    ngram = folder / "ngram"
    ngram.mkdir()
    model = estimate([SENTENCE.split()] * 5, INVENTORY, order=3)
    write_text(ngram / "phones.arpa", arpa_text(model))
    write_json(ngram / "ngram.json", {"order": 3})
    names = ("valid.jsonl", "test.jsonl", "beam.json", "beam.md")
    return [posteriors], ngram, *(folder / name for name in names)


def report_of(folder, params=PARAMS, **changes):
    run(*save_inputs(folder, **changes), params)
    return read_json(folder / "beam.json")


def test_a_beam_that_corrects_every_speaker_is_shipped(tmp_path):
    report = report_of(tmp_path)
    model = report["models"]["toy"]
    assert (model["greedy"]["per"], model["greedy"]["substitutions"]) == (0.2, 3)
    for kind in ("beam", "stream"):
        row = model[kind]
        assert (row["per"], row["difference"], row["shipped"]) == (0.0, -0.2, True)
        assert (row["difference_low"], row["difference_high"]) == (-0.2, -0.2)
    assert model["languages"] == {"hr": {"greedy": 0.2, "beam": 0.0}}
    assert model["sources"] == {"test": {"greedy": 0.2, "beam": 0.0}}
    assert model["valid_per"] == 0.0
    assert report["parts"]["test"] == {
        "utterances": 3, "phones": 15, "speakers": 3, "empty_references": 1,
    }  # fmt: skip
    assert report["phone_ngram"] == {"order": 3}
    assert report["hold_frames"] == {"beam": 50, "stream": 2}


def test_the_smallest_settings_that_are_as_good_are_chosen(tmp_path):
    # the weight is needed; one hypothesis is enough, because the weight decides at once
    chosen = report_of(tmp_path)["models"]["toy"]["chosen"]
    assert chosen == {"width": 1, "lm_weight": 1.0, "insertion": 0.0}


def test_a_beam_without_a_gain_is_not_shipped(tmp_path):
    model = report_of(tmp_path, decoded=said_as)["models"]["toy"]
    assert model["beam"]["difference"] == 0.0
    assert model["beam"]["shipped"] is False
    assert model["chosen"] == {"width": 1, "lm_weight": 0.0, "insertion": 0.0}


def test_one_speaker_has_no_interval_and_ships_nothing(tmp_path):
    row = report_of(tmp_path, speakers=1)["models"]["toy"]["beam"]
    assert (row["difference"], row["difference_high"], row["shipped"]) == (-0.2, None, False)
    assert row["interval"] == "one speaker: no interval over speakers"


def test_a_stream_commits_a_phone_within_its_hold(tmp_path):
    lags = report_of(tmp_path)["models"]["toy"]["stream"]["commit_lag_ms"]
    assert 20.0 <= lags["p50"] <= lags["p90"] <= 40.0


def test_the_command_line_reads_params_and_writes_equal_bytes(tmp_path, monkeypatch):
    posteriors, ngram, valid, test, out, table = save_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    section = {k: [*v] if isinstance(v, tuple) else v for k, v in asdict(PARAMS).items()}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"beam": section}))
    options = {"ngram": ngram, "valid": valid, "test": test, "report": out, "table": table}
    arguments = [*posteriors, *(x for name, path in options.items() for x in (f"--{name}", path))]
    monkeypatch.setattr(sys, "argv", ["evaluate_beam", *map(str, arguments)])
    stage.main()
    first = out.read_bytes()
    run(posteriors, ngram, valid, test, out, table, PARAMS)
    assert out.read_bytes() == first
    assert "| toy" in table.read_text()


def test_posteriors_that_cannot_be_decoded_are_named(tmp_path):
    def broken(text):
        return np.full_like(said_as(text), np.nan)

    with pytest.raises(ValueError, match=r"toy: '.*': posteriors are NaN, first in frame 0"):
        report_of(tmp_path, decoded=broken)


def test_a_part_without_references_is_named(tmp_path):
    places = save_inputs(tmp_path)
    manifest.write(places[2], [utterance("valid/mute", phones=())])
    with pytest.raises(ValueError, match=r"valid\.jsonl: no utterance has a phone to score"):
        run(*places, PARAMS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": ()}, "widths, lm_weights and insertions need a value each"),
        ({"lm_weights": ()}, "widths, lm_weights and insertions need a value each"),
        ({"finalists": 0}, "first_round and finalists must be at least 1"),
    ],
)
def test_a_search_of_nothing_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PARAMS, **change)
