"""Streams of toy speech, in which the level of a sample names its phone."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import yaml
from clip_maker import noise, save_clips
from onnx_maker import shipped
from streaming_maker import FRAME, LEVELS, SourceEngine, ToySource, posteriors_of

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.onnx_export.session import open_model, session_posteriors
from fonoteka.realtime.joined_streams import JoinParams
from fonoteka.streaming.confidence import MEASURES, ConfidenceCalibration
from fonoteka.streaming.interfaces import StreamUpdate
from stages.streaming.evaluate_streaming import stage, streamed_model
from stages.streaming.evaluate_streaming.phone_confidence import (
    ConfidenceParams,
    MeasuredPhone,
    compare_measures,
    measured_phones,
)
from stages.streaming.evaluate_streaming.stage import EvaluateStreamingParams, limited, run
from stages.streaming.evaluate_streaming.streamed_model import StreamedModel, speaker_of

JOIN = JoinParams(
    seed=1, seconds=1.0, pause_min_s=0.1, pause_max_s=0.2, gain_min_db=0.0, gain_max_db=0.0,
    noise_min_db=60.0, noise_max_db=60.0,
)  # fmt: skip
PARAMS = EvaluateStreamingParams(
    streams=JOIN, streams_per_speaker=2, chunk_ms=40.0, decoder="greedy",
    policies={"toy": ("exact", "late")}, confidence=ConfidenceParams("logistic", 5), resamples=50,
    seed=1, digits=4, dpi=40,
)  # fmt: skip
VOICES = {"valid": ("mine/eva", "mine/ivo"), "test": ("mine/ana", "other/una")}


class LateEngine(SourceEngine):
    """Holds its first phone back until the end, and shows one wrong phone meanwhile."""

    def feed(self, samples):
        """Show what is committed otherwise."""
        update = super().feed(samples)
        self.held = [*getattr(self, "held", []), *update.committed]
        shown = tuple(replace(phone, symbol="d") for phone in self.held)
        return StreamUpdate(update.audio_s, (), shown + update.provisional)

    def finish(self):
        """Commit everything."""
        held, self.held = self.held, []
        update = super().finish()
        return replace(update, committed=tuple(held) + update.committed)


def toy_model(name="toy"):
    engines = {"exact": SourceEngine, "late": LateEngine}
    return StreamedModel(
        name, lambda policy: engines[policy](ToySource()), posteriors_of, ToySource.labels
    )


def spoken(frames):
    """Return samples of frames, each at the level of its label."""
    return np.repeat(np.array([LEVELS[label] for label in frames], np.float32), FRAME)


def corpus(folder, lost=()):
    """Write clips of d, a, d, manifests and segments; the times of `lost` are unknown.

    The last phone of a clip is longer by its number, so that clips differ.
    """
    rows = []
    for part, speakers in VOICES.items():
        utterances = []
        for speaker in speakers:
            name = speaker.replace("/", "-")
            signals = {f"{name}-{n}": spoken([1] * 5 + [2] * 5 + [1] * (5 + n)) for n in range(6)}
            for u in save_clips(folder / "audio" / name, signals):
                source = speaker.split("/")[0]
                utterances.append(replace(
                    u, speaker=speaker, source=source, synthetic=source == "mine",
                    audio=f"{name}.tar/{u.id}.flac",
                ))  # fmt: skip
                if u.id not in lost:
                    rows += [
                        (u.id, "phone", "d", 0.0, 0.1), (u.id, "phone", "a", 0.1, 0.2),
                        (u.id, "phone", "d", 0.2, u.duration_s), (u.id, "word", "dad", 0.0, 0.3),
                    ]  # fmt: skip
            (folder / "audio" / name / "shard-00.tar").rename(folder / "audio" / f"{name}.tar")
        manifest.write(folder / f"{part}.jsonl", utterances)
    table = pd.DataFrame(rows, columns=["utterance", "kind", "symbol", "start_s", "end_s"])
    table.to_parquet(folder / "segments.parquet", index=False)
    return folder


def made_of(folder, out, models=None, params=PARAMS):
    splits = {part: folder / f"{part}.jsonl" for part in VOICES}
    run(
        models or [toy_model()], splits, folder / "audio", folder / "segments.parquet",
        out / "logs", out / "confidence", out / "streaming.json", out / "streaming.md",
        out / "streaming.png", params,
    )  # fmt: skip
    return read_json(out / "streaming.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"), lost=("mine-ana-0",))


@pytest.fixture(scope="module")
def outputs(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    made_of(folder, out)
    return out


@pytest.fixture(scope="module")
def report(outputs):
    return read_json(outputs / "streaming.json")


def test_an_exact_policy_equals_offline_and_takes_nothing_back(report):
    entry = report["models"]["toy"]["exact"]
    assert (entry["equal_to_offline"], entry["per"], entry["offline_per"]) == (1.0, 0.0, 0.0)
    assert (entry["committed_changed"], entry["matched"]) == (0, 1.0)
    # A run is known to be over one frame after its end, in a chunk of two frames.
    assert 0 < entry["commit_lag_ms"]["p50"] <= entry["commit_lag_ms"]["p90"] <= 60.1
    assert entry["speakers"] == 2


def test_a_late_policy_has_the_same_phones_later_and_takes_some_back(report):
    exact, late = (report["models"]["toy"][policy] for policy in ("exact", "late"))
    assert late["equal_to_offline"] == 1.0
    assert late["per"] == exact["per"]
    assert late["commit_lag_ms"]["p50"] > 5 * exact["commit_lag_ms"]["p50"]
    assert late["erasure"] > exact["erasure"]
    # What is shown first does not depend on when it is committed.
    assert late["first_provisional_ms"] == exact["first_provisional_ms"]


def test_each_corpus_has_its_own_entry_and_is_labelled(report):
    sources = report["models"]["toy"]["exact"]["sources"]
    assert sorted(sources) == ["mine (synthetic)", "other"]
    assert sum(entry["streams"] for entry in sources.values()) == 4
    assert all(entry["speakers"] == 1 and entry["per_low"] is None for entry in sources.values())


def test_logs_have_the_updates_of_each_stream(outputs, report):
    assert sorted(path.name for path in (outputs / "logs").iterdir()) == [
        "toy.exact.jsonl", "toy.late.jsonl",
    ]  # fmt: skip
    lines = (outputs / "logs" / "toy.late.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    deleted = sum(len(record.get("deleted_tokens", [])) for record in records)
    final = sum(len(record.get("generated_tokens", [])) for record in records) - deleted
    assert deleted / final == pytest.approx(report["models"]["toy"]["late"]["erasure"], abs=5e-5)
    assert sum("metadata" in record for record in records) == 4


def test_the_chosen_calibration_is_written_and_marked(outputs, report):
    calibration = ConfidenceCalibration.from_json(read_json(outputs / "confidence/toy.json"), "toy")
    chosen = [name for name, entry in report["confidence"]["toy"].items() if entry["chosen"]]
    assert chosen == [calibration.measure]
    assert sorted(report["confidence"]["toy"]) == sorted(MEASURES)


def test_the_page_has_a_row_per_policy_and_corpus(outputs):
    page = (outputs / "streaming.md").read_text(encoding="utf-8")
    for text in ("4 streams of 2 unseen speakers", "exact, mine (synthetic)", "late, other",
                 "(chosen)", "100.0 %"):  # fmt: skip
        assert text in page
    assert (outputs / "streaming.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_two_runs_are_equal_byte_for_byte(folder, outputs, tmp_path):
    made_of(folder, tmp_path)
    names = [path.relative_to(outputs) for path in sorted(outputs.rglob("*")) if path.is_file()]
    assert len(names) == 6
    for name in names:
        assert (tmp_path / name).read_bytes() == (outputs / name).read_bytes(), name


def test_a_clip_without_times_is_in_no_stream(outputs):
    # Five of ana's six clips have times; streams of 1 s hold two or three.
    lines = (outputs / "logs" / "toy.exact.jsonl").read_text(encoding="utf-8").splitlines()
    ana = {json.loads(line)["id"] for line in lines if "mine_ana" in line}
    phones = [
        token for line in lines if json.loads(line)["id"] in ana
        for token in json.loads(line).get("generated_tokens", [])
    ]  # fmt: skip
    assert len(phones) <= 15


def test_only_the_first_streams_of_a_speaker_are_used(folder, tmp_path):
    limited_report = made_of(folder, tmp_path, params=replace(PARAMS, streams_per_speaker=1))
    assert limited_report["models"]["toy"]["exact"]["streams"] == 2


def test_the_first_streams_of_each_speaker_are_kept_in_order():
    class Toy:
        def __init__(self, name, speaker):
            self.name, self.rows = name, [(name, "test", speaker)]

    streams = [Toy("a0", "ana"), Toy("a1", "ana"), Toy("i0", "ivo")]
    assert [stream.name for stream in limited(streams, 1)] == ["a0", "i0"]
    assert speaker_of(streams[2]) == "ivo"


def test_models_and_policies_that_differ_are_refused(folder, tmp_path):
    words = r"models \['other'\], but policies of \['toy'\]; change evaluate_streaming.policies"
    with pytest.raises(ValueError, match=words):
        made_of(folder, tmp_path, [toy_model("other")])
    assert not (tmp_path / "logs").exists()


def test_a_split_without_times_is_refused(tmp_path):
    corpus(tmp_path, lost=[f"mine-{s}-{n}" for s in ("eva", "ivo") for n in range(6)])
    with pytest.raises(ValueError, match=r"valid.jsonl: no clip whose phone times are known"):
        made_of(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("change", [{"streams_per_speaker": 0}, {"chunk_ms": 0.5}])
def test_numbers_that_make_no_streams_are_refused(change):
    with pytest.raises(ValueError, match="streams_per_speaker and chunk_ms must be at least 1"):
        replace(PARAMS, **change)


def test_a_decoded_phone_is_correct_if_it_is_aligned_with_an_equal_one():
    log_probs = posteriors_of(spoken([1, 1, 0, 2, 2, 1]))  # d a d
    phones = measured_phones(log_probs, ToySource.labels, [("d", 0, 0.1), ("d", 0.2, 0.3)], "ana")
    assert [phone.correct for phone in phones] == [True, False, True]
    assert {phone.speaker for phone in phones} == {"ana"}
    assert all(0.3 < value <= 1 for phone in phones for value in phone.measures)


def test_the_measure_that_predicts_errors_on_validation_speakers_is_chosen():
    rng = np.random.default_rng(1)

    def phones(speaker):
        for _ in range(300):
            value = rng.random()
            noise = rng.random(len(MEASURES))
            measures = [*noise[:3], value, *noise[4:]]  # the fourth alone has information
            yield MeasuredPhone(speaker, bool(rng.random() < value), tuple(measures))

    scores, calibration = compare_measures(
        [*phones("eva")], [*phones("ana"), *phones("una")], ConfidenceParams("isotonic", 5), 20, 1
    )
    assert calibration.measure == MEASURES[3]
    assert scores[MEASURES[3]]["chosen"]
    assert scores[MEASURES[3]]["nce"]["value"] > scores[MEASURES[0]]["nce"]["value"] + 0.1


def test_streams_without_a_decoded_phone_have_no_scores_of_confidence():
    phone = MeasuredPhone("ana", True, (0.5,) * len(MEASURES))
    for valid, test in (([phone], []), ([], [phone])):
        scores, calibration = compare_measures(valid, test, ConfidenceParams("logistic", 5), 10, 1)
        assert scores == {}
        assert calibration.apply(np.array([0.25])) == 0.25


def test_a_folder_becomes_a_model_with_its_frames_and_its_engines(monkeypatch, tmp_path):
    policies = []

    def toy_source(folder, policy):
        policies.append(policy)
        return ToySource()

    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "step.onnx").touch()
    monkeypatch.setattr(streamed_model, "frame_source", toy_source)
    model = streamed_model.model_in(tmp_path / "toy", "greedy")
    assert (model.name, model.labels) == ("toy", ToySource.labels)
    signal = spoken([1, 2, 0])
    assert np.array_equal(model.offline(signal), posteriors_of(signal))
    engine = model.open("late")
    assert [phone.symbol for phone in (*engine.feed(signal).committed,
                                       *engine.finish().committed)] == ["d", "a"]  # fmt: skip
    assert policies == ["exact", "late"]


@pytest.mark.torch
def test_a_recogniser_of_whole_clips_is_scored_offline_on_the_whole_stream(tmp_path_factory):
    folder = shipped(tmp_path_factory, "wavlm_ctc") / "out"
    model = streamed_model.model_in(folder, "greedy")
    signal = noise(0.5)
    expected = session_posteriors(open_model(folder / "model.onnx"), signal[None])[0]
    assert np.array_equal(model.offline(signal), expected)
    assert model.open("hold-4").feed(signal).audio_s == 0.5


def test_the_command_reads_its_section_and_its_paths(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"evaluate_streaming": json.loads(
        json.dumps(asdict(replace(PARAMS, policies={"toy": ("exact",)})))
    )}))  # fmt: skip
    monkeypatch.setattr(stage, "model_in", lambda path, decoder: toy_model(path.name))
    inputs = [str(folder / name) for name in ("audio", "valid.jsonl", "test.jsonl",
                                              "segments.parquet")]  # fmt: skip
    out = ["logs", "confidence", "report.json", "page.md", "figure.png"]
    monkeypatch.setattr(sys, "argv", ["stage", *inputs, *out, "--models", "models/toy"])
    stage.main()
    assert read_json(tmp_path / "report.json")["models"]["toy"]["exact"]["per"] == 0.0
