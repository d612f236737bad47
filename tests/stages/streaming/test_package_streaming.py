"""The package of the streaming recogniser: its files, its page and the reports agree."""

from __future__ import annotations

import copy
import re
import sys
from dataclasses import asdict

import numpy as np
import pytest
import yaml
from corpus_maker import utterance
from streaming_maker import ToyEngine

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, write_json
from fonoteka.lineage import PackageParams
from fonoteka.manifest import PARTS
from fonoteka.models.provenance import write_provenance
from fonoteka.packaging import CARD, PACKAGE, check_package, recorded, verified
from fonoteka.phones import LABELS
from fonoteka.scoring.error_rate import Errors
from fonoteka.streaming.chunked import stream_updates
from fonoteka.streaming.stream_metrics import score_stream
from stages.streaming.evaluate_streaming.policy_report import PolicyResult, policy_report
from stages.streaming.package_streaming import stage
from stages.streaming.package_streaming.card import CONTENTS, card
from stages.streaming.package_streaming.stage import metrics_of, run

PARAMS = PackageParams("Apache-2.0", ("CC0",))
PHONES = [("d", 0.1, 0.2), ("a", 0.2, 0.35), ("d", 0.35, 0.5)]
SHAPE = {"layers": 4, "chunk": 2, "look_ahead": 3, "history": 48}


def policy(delay_s):
    """Return the entry of a policy in the report, from two streams of two speakers."""
    results = []
    for speaker in ("ana", "una"):
        engine = ToyEngine(PHONES, delay_s)
        updates = stream_updates(engine, np.zeros(12_800, dtype=np.float32), 640)
        score = score_stream(updates, [*PHONES[:2], ("a", 0.35, 0.5)], speaker)
        results.append(PolicyResult("mine", score, Errors(1, 1, 0, 3), equal=True))
    return policy_report(results, 20, 1)


def measure(ece, nce, chosen):
    values = {"ece": ece, "nce": nce, "auc_roc": 0.7, "auc_pr": 0.4}
    scores = {key: {"value": value, "low": None, "high": None} for key, value in values.items()}
    return {"phones": 6, "accuracy": 0.67, "chosen": chosen, **scores}


def streaming_report():
    return {
        "chunk_ms": 40.0,
        "decoder": "greedy",
        "seconds": 1.6,
        "offline": {"stream_ctc": 0.333},
        "models": {"stream_ctc": {"exact": policy(0.06)}, "wavlm_ctc": {"hold-8": policy(0.3)}},
        "confidence": {
            "stream_ctc": {
                "gibbs_mean": measure(0.0213, 0.41, chosen=True),
                "max_probability_min": measure(0.5, 0.1, chosen=False),
            },
            "wavlm_ctc": {"gibbs_mean": measure(0.9, 0.2, chosen=True)},
        },
    }


def sources(folder, fetched=None, corpus=None):
    """Write all that the stage reads and return its arguments but `params`."""
    names = ("step", "confidence", "ngram", "model", "splits")
    for name in names:
        (folder / name).mkdir(parents=True)
    (folder / "step" / "step.onnx").write_text("one step")
    write_json(folder / "confidence" / "stream_ctc.json", {"measure": "gibbs_mean"})
    # The folder has a calibration per model, and only one of them belongs in the package.
    write_json(folder / "confidence" / "wavlm_ctc.json", {"measure": "of another model"})
    (folder / "ngram" / "phones.arpa").write_text("n-grams")
    write_json(folder / "model" / "config.json", {"encoder_layers": 4, "stream": SHAPE})
    write_json(
        folder / "model" / "model.json",
        {
            "name": "stream_ctc",
            "kind": "stream",
            "labels": list(LABELS),
            "sample_rate_hz": 16_000,
            "frames_per_second": 50,
            "training_data_sha256": "5" * 64,
            "weights_sha256": {"encoder": "6" * 64, "head": "7" * 64},
        },
    )
    write_provenance(folder / "model", "package" if fetched else "folder", fetched)
    for number, part in enumerate(PARTS):
        spoken = [
            utterance(f"mine/{part}", n + 10 * number, language, **(corpus or {}))
            for n, language in enumerate(("en", "hr", "hr"))
        ]
        manifest.write(folder / "splits" / f"{part}.jsonl", spoken)
    write_json(folder / "streaming.json", streaming_report())
    size = (folder / "step" / "step.onnx").stat().st_size
    write_json(
        folder / "step.json",
        {"bytes": size, "clips": 24, "max_error_below": 1e-4, "parameters": 4_321_234},
    )
    return {name: folder / name for name in names} | {
        "name": "stream_ctc",
        "scored": folder / "streaming.json",
        "exported": folder / "step.json",
        "out": folder / "out",
    }


def packaged(folder, params=PARAMS, **more):
    run(**sources(folder, **more), params=params)
    return folder / "out"


def changed(path, change):
    """Apply a change to the JSON in a file."""
    document = read_json(path)
    change(document)
    write_json(path, document)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return packaged(tmp_path_factory.mktemp("package"))


@pytest.fixture
def package(out):
    return read_json(out / PACKAGE)


@pytest.fixture
def text(out):
    """The card; in its tables one space is around each cell."""
    return re.sub(" {2,}", " ", (out / CARD).read_text(encoding="utf-8"))


def test_every_file_is_recorded_and_is_that_of_its_stage(out):
    assert check_package(out) == []
    assert sorted(recorded(out)) == sorted([CARD, *CONTENTS])
    folder = out.parent
    for name, source in (
        ("step.onnx", "step/step.onnx"),
        ("phones.arpa", "ngram/phones.arpa"),
        ("confidence.json", "confidence/stream_ctc.json"),
    ):
        assert verified(out, name).read_bytes() == (folder / source).read_bytes()


@pytest.mark.parametrize("name", [CARD, *CONTENTS])
def test_one_changed_byte_is_found(name, tmp_path):
    out = packaged(tmp_path)
    data = bytearray((out / name).read_bytes())
    data[-1] ^= 1  # the size stays
    (out / name).write_bytes(data)
    with pytest.raises(UserError, match=f"{re.escape(name)}: its SHA-256 is .* records"):
        verified(out, name)


def test_the_metrics_are_those_of_the_exact_policy_of_this_model(package):
    entry = streaming_report()["models"]["stream_ctc"]["exact"]
    metrics = package["metrics"]
    assert {name: metrics[name] for name in stage.METRICS} == {
        name: entry[name] for name in stage.METRICS
    }
    assert metrics["chunk_ms"] == 40.0
    assert metrics["confidence"] == {"measure": "gibbs_mean", "ece": 0.0213, "nce": 0.41}


def test_lineage_has_the_data_and_the_weights(out, package):
    lineage = package["lineage"]
    assert lineage["corpora"] == [
        {
            "corpus": "mine",
            "licence": "CC0",
            "synthetic": False,
            "clips": {"train": 3, "valid": 3, "test": 3},
        }
    ]
    splits = out.parent / "splits"
    assert lineage["manifests"] == {
        f"{part}.jsonl": sha256_file(splits / f"{part}.jsonl") for part in PARTS
    }
    assert lineage["weights_sha256"] == {"encoder": "6" * 64, "head": "7" * 64}
    assert package["languages"] == ["en", "hr"]
    assert package["stream"] == SHAPE


def test_the_card_has_the_values_of_the_package(package, text):
    metrics = package["metrics"]
    for line in (
        "# stream_ctc",
        "Recognises phones in en, hr while they are spoken. 4 layers of Whisper's encoder, "
        "fine-tuned to see 48 frames of the past and at most 100 ms from the start of a frame. A "
        "step takes 2 frames. A final frame never changes. Parameters: 4,321,234.",
        f"| phone error rate | {100 * metrics['per']:.1f} % |",
        "| phone error rate of whole recordings | 66.7 % |",
        "| streams equal to whole recordings | 100.0 % |",
        "| committed phones that changed | 0 |",
        f"| shown phones taken back, per final phone | {metrics['erasure']:.3f} |",
        "| calibration error of the confidence | 2.1 % |",
        "| mine | CC0 | no | 3 | 3 | 3 |",
        "Weights: Apache-2.0.",
    ):
        assert line in text.splitlines(), line
    for title, key in (("commit lag", "commit_lag_ms"), ("first phone", "first_emission_ms")):
        p50, p90 = (metrics[key][name] for name in ("p50", "p90"))
        assert f"| {title} p50, p90 | {p50:.0f} ms, {p90:.0f} ms |" in text
    assert "2 streams of 2 speakers that no weight was learned from" in text
    assert "fed in chunks of 40 ms" in text


def test_the_card_lists_every_file_with_its_size(out, text):
    for name, content in CONTENTS.items():
        size = (out / name).stat().st_size
        assert f"{size} | {content} |" in text


def test_the_card_contains_only_values_of_package_json(package):
    files = {name: entry for name, entry in package["files"].items() if name != CARD}
    document = {"files": files} | {key: value for key, value in package.items() if key != "files"}
    before = card(document)
    places = [
        ("parameters",),
        ("stream", "layers"),
        ("stream", "history"),
        ("stream", "chunk"),
        ("stream", "look_ahead"),
        ("metrics", "per"),
        ("metrics", "offline_per"),
        ("metrics", "equal_to_offline"),
        ("metrics", "committed_changed"),
        ("metrics", "erasure"),
        ("metrics", "streams"),
        ("metrics", "speakers"),
        ("metrics", "chunk_ms"),
        ("metrics", "commit_lag_ms", "p50"),
        ("metrics", "commit_lag_ms", "p90"),
        ("metrics", "first_emission_ms", "p50"),
        ("metrics", "first_emission_ms", "p90"),
        ("metrics", "confidence", "ece"),
        ("sample_rate_hz",),
        ("files", "step.onnx", "bytes"),
    ]
    # A value that the card has from elsewhere would not change with the package.
    for *path, key in places:
        other = copy.deepcopy(document)
        place = other
        for name in path:
            place = place[name]
        place[key] += 7
        assert card(other) != before, (*path, key)


def test_a_card_has_a_dash_for_a_lag_that_was_not_measured(package):
    package["files"].pop(CARD)
    nothing = {"p50": None, "p90": None}
    package["metrics"] |= {"commit_lag_ms": nothing, "first_emission_ms": nothing}
    text = re.sub(" {2,}", " ", card(package))
    assert "| commit lag p50, p90 | -, - |" in text


def test_a_hub_s_own_reader_understands_the_card(out):
    from huggingface_hub import ModelCard

    read = ModelCard.load(out / CARD).data
    assert (read.license, read.language, read.library_name) == ("apache-2.0", ["en", "hr"], "onnx")


@pytest.mark.parametrize(
    "more",
    [{"corpus": {"licence": "unknown"}}, {"fetched": "wheel==1.0.0"}],
    ids=["corpus", "base"],
)
def test_weights_of_unread_terms_have_no_licence(more, tmp_path):
    out = packaged(tmp_path, **more)
    package = read_json(out / PACKAGE)
    assert package["licence"]["weights"] is None
    (term,) = package["licence"]["to_be_read"]
    text = (out / CARD).read_text(encoding="utf-8")
    assert f"read the terms of their sources: {term}." in text
    assert "license: other" in text


def test_two_packages_are_equal_byte_for_byte(out, tmp_path):
    again = packaged(tmp_path)
    for path in out.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_a_step_file_of_another_size_than_the_report_is_refused(tmp_path):
    arguments = sources(tmp_path)
    (arguments["step"] / "step.onnx").write_text("another build")
    with pytest.raises(UserError, match=r"step\.json: states 8 bytes for .*step\.onnx, found 13"):
        run(**arguments, params=PARAMS)
    assert not arguments["out"].exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report["models"].pop("stream_ctc"),
        lambda report: report["models"]["stream_ctc"].pop("exact"),
    ],
    ids=["model", "policy"],
)
def test_a_report_without_the_policy_is_refused(change, tmp_path):
    arguments = sources(tmp_path)
    changed(arguments["scored"], change)
    with pytest.raises(UserError, match=r"no policy 'exact' of stream_ctc; run dvc repro"):
        run(**arguments, params=PARAMS)
    assert not arguments["out"].exists()


def test_metrics_have_the_chosen_measure_and_not_the_first():
    report = streaming_report()
    for name, entry in report["confidence"]["stream_ctc"].items():
        entry["chosen"] = name == "max_probability_min"
    assert metrics_of(report, "stream_ctc")["confidence"]["measure"] == "max_probability_min"


def test_an_empty_file_is_not_packaged(tmp_path):
    arguments = sources(tmp_path)
    (arguments["ngram"] / "phones.arpa").write_text("")
    with pytest.raises(UserError, match=r"phones\.arpa: empty, so it cannot be recorded"):
        run(**arguments, params=PARAMS)
    assert not arguments["out"].exists()


def test_a_voice_in_two_parts_is_not_packaged(tmp_path):
    arguments = sources(tmp_path)
    manifest.write(arguments["splits"] / "test.jsonl", [utterance("mine/train", 30)])
    with pytest.raises(UserError, match="voice 'mine/train' is in train and in test"):
        run(**arguments, params=PARAMS)


def test_a_refused_package_leaves_the_old_one(tmp_path):
    arguments = sources(tmp_path)
    run(**arguments, params=PARAMS)
    before = {path.name: path.read_bytes() for path in arguments["out"].iterdir()}
    changed(arguments["exported"], lambda report: report.update(bytes=1))
    with pytest.raises(UserError, match="states 1 bytes"):
        run(**arguments, params=PARAMS)
    assert {path.name: path.read_bytes() for path in arguments["out"].iterdir()} == before


def test_the_command_reads_its_section_and_its_paths(out, tmp_path, monkeypatch):
    arguments = sources(tmp_path)
    sections = {"package": asdict(PARAMS)}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.chdir(tmp_path)
    order = ("name", "step", "confidence", "ngram", "model", "splits", "scored", "exported", "out")
    words = [str(arguments[name]) for name in order]
    monkeypatch.setattr(sys, "argv", ["package_streaming", *words])
    stage.main()
    assert (arguments["out"] / PACKAGE).read_bytes() == (out / PACKAGE).read_bytes()
