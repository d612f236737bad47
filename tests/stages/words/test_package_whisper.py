"""A packaged Whisper is described by its reports, and its program decodes what the project does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import whisper_onnx_maker
import yaml
from corpus_maker import utterance
from whisper_onnx_maker import CLIPS

from fonoteka import manifest
from fonoteka.core.files import read_json, sha256_file, write_json
from fonoteka.lineage import PackageParams
from fonoteka.packaging import CARD, PACKAGE, check_package
from fonoteka.whisper.decode import recognise
from fonoteka.whisper.onnx_session import open_whisper
from stages.words.package_whisper.program import PROGRAM
from stages.words.package_whisper.stage import PackageWhisperParams, contract, run

pytestmark = pytest.mark.torch
PARAMS = PackageWhisperParams(staging_wer=0.3, production_wer=0.2)
LICENCES = PackageParams("Apache-2.0", ("synthetic: *", "MIT"))
BASE = {"source": "package", "fetched": "wheel==1.0.0", "licence": "MIT", "sha256": "0" * 64}


def rate(value):
    return {"rate": value, "low": value - 0.02, "high": value + 0.02}


def scores(wer):
    units = {"as_written": rate(wer + 0.3), "within_script": rate(wer), "canonical": rate(wer)}
    counts = {"clips": 40, "loops": 1, "speakers": 4, "words": 200, "empty_hypotheses": 0}
    return {"wer": units, "cer": units | {"canonical": rate(wer / 2)}} | counts


def difference(value):
    return {"wer": {"canonical": {"difference": value, "low": value - 0.1, "high": value + 0.1}}}


EVALUATION = {
    "base": scores(0.9) | {"languages": {"en": scores(0.8), "sr": scores(0.95)}},
    "tuned": scores(0.14) | {"languages": {"en": scores(0.11), "sr": scores(0.172)}},
    "tuned_minus_base": difference(-0.76)
    | {"languages": {"en": difference(-0.69), "sr": difference(-0.778)}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return whisper_onnx_maker.exported(tmp_path_factory)


def sources(place: Path, folder: Path, base=BASE, evaluation=EVALUATION):
    """Write what the stage reads beside the exported files, and return its arguments."""
    write_json(place / "base" / "provenance.json", base)
    for number, part in enumerate(("train", "valid", "test")):
        rows = [
            utterance(
                f"embedded/{part}", 10 * number + n, language, licence="synthetic: of espeak-ng",
                synthetic=True,
            )
            for n, language in enumerate(("en", "sr"))
        ]  # fmt: skip
        manifest.write(place / "splits" / f"{part}.jsonl", rows)
    write_json(place / "words.json", evaluation)
    return {
        "name": "embedded", "model": folder / "onnx", "base": place / "base",
        "tuned": folder / "tiny", "splits": place / "splits", "scored": place / "words.json",
        "exported": folder / "report.json", "out": place / "package",
        "package_params": LICENCES, "params": PARAMS,
    }  # fmt: skip


def packaged(place: Path, folder: Path, **more) -> Path:
    arguments = sources(place, folder, **more)
    run(**arguments)
    return arguments["out"]


@pytest.fixture
def package(tmp_path, folder):
    return packaged(tmp_path, folder)


def test_every_file_is_recorded_and_the_package_is_sound(package, folder):
    assert check_package(package) == []
    files = read_json(package / PACKAGE)["files"]
    assert {*files} == {path.name for path in (folder / "onnx").iterdir()} | {CARD}
    assert files["decoder.onnx"]["sha256"] == sha256_file(folder / "onnx" / "decoder.onnx")


def test_the_card_contains_the_scores_of_the_reports(package):
    card = (package / CARD).read_text(encoding="utf-8")
    assert "Stage: **production**. The highest canonical WER of a language is 17.2 % (sr)" in card
    for cell in ("14.0 % (12.0 to 16.0)", "95.0 % (93.0 to 97.0)", "-77.8 % (-87.8 to -67.8)"):
        assert cell in card
    assert "4 unseen speakers, 40 clips, 200 words" in card
    assert f"```python\n{PROGRAM}```" in card
    front = yaml.safe_load(card.split("---\n")[1])
    values = {
        m["type"]: m["value"] for r in front["model-index"] for m in r["results"][0]["metrics"]
    }
    assert values == {"wer": 0.14, "cer": 0.07}
    assert (front["language"], front["license"]) == (["en", "sr"], "apache-2.0")


def test_the_card_states_which_file_was_not_tried_in_int8(tmp_path, folder):
    report = read_json(folder / "report.json")
    del report["int8"]["decoder"]
    arguments = sources(tmp_path, folder)
    write_json(tmp_path / "report.json", report)
    run(**arguments | {"exported": tmp_path / "report.json"})
    card = (arguments["out"] / CARD).read_text(encoding="utf-8")
    assert "- decoder in int8: not tried (export_whisper.int8.parts)" in card
    assert "- encoder in int8, all products: " in card


def test_the_package_contains_no_date_and_no_path_of_this_machine(package, tmp_path):
    for name in (CARD, PACKAGE):
        assert str(tmp_path) not in (package / name).read_text(encoding="utf-8")


def test_equal_inputs_give_equal_bytes(package, folder, tmp_path):
    again = packaged(tmp_path / "again", folder)
    for name in (CARD, PACKAGE):
        assert (package / name).read_bytes() == (again / name).read_bytes()


@pytest.mark.parametrize(
    ("wer", "expected"),
    [(0.2, "production"), (0.201, "staging"), (0.3, "staging"), (0.301, "experimental")],
)
def test_the_stage_follows_the_language_with_the_highest_rate(wer, expected):
    tuned = {"languages": {"hr": scores(0.01), "sr": scores(wer), "en": scores(0.05)}}
    result = contract(tuned, PARAMS)
    assert (result["stage"], result["language"], result["wer"]) == (expected, "sr", wer)


@pytest.mark.parametrize("limits", [(0.2, 0.3), (0.3, 0.0)])
def test_limits_out_of_order_are_refused(limits):
    with pytest.raises(ValueError, match="expected 0 < production_wer <= staging_wer"):
        PackageWhisperParams(*limits)


@pytest.mark.parametrize(
    "base",
    [
        BASE | {"licence": "CC BY-NC 4.0"},
        BASE | {"licence": None, "fetched": None, "source": "folder"},
    ],
)
def test_a_base_under_another_licence_leaves_the_weights_without_one(base, tmp_path, folder):
    package = packaged(tmp_path, folder, base=base)
    licence = read_json(package / PACKAGE)["licence"]
    assert licence["weights"] is None
    name = base["fetched"] or "folder"
    assert licence["to_be_read"] == [name]
    assert licence["fetched_weights"] == {name: base["licence"]}
    assert "No licence is stated for these weights" in (package / CARD).read_text(encoding="utf-8")


def test_a_base_without_provenance_is_refused(tmp_path, folder):
    arguments = sources(tmp_path, folder)
    (tmp_path / "base" / "provenance.json").unlink()
    with pytest.raises(ValueError, match=r"provenance\.json: missing, so the licence"):
        run(**arguments)


def test_files_of_another_export_are_refused(tmp_path, folder):
    arguments = sources(tmp_path, folder)
    report = read_json(folder / "report.json")
    report["bytes"]["encoder.onnx"] += 1
    write_json(tmp_path / "report.json", report)
    message = r"report\.json: states \d+ bytes for .*encoder\.onnx, found \d+; run dvc repro"
    with pytest.raises(ValueError, match=message):
        run(**(arguments | {"exported": tmp_path / "report.json"}))
    assert not arguments["out"].exists()


def test_the_program_of_the_card_prints_the_text_that_the_project_decodes(
    package, tmp_path, folder
):
    card = (package / CARD).read_text(encoding="utf-8")
    program = tmp_path / "program.py"
    program.write_text(card.split("```python\n")[1].split("```")[0], encoding="utf-8")
    assert len(program.read_text(encoding="utf-8").splitlines()) <= 80
    models = whisper_onnx_maker.torch_model(folder), open_whisper(package)
    texts = []
    for language, signal in zip(("sr", "en"), [*CLIPS.values()][1:3], strict=True):
        soundfile.write(tmp_path / "clip.wav", signal, 16_000, subtype="FLOAT")
        expected = [recognise(m, [signal], [language])[0].text for m in models]
        texts.append(expected[0])
        assert printed(program, package, tmp_path / "clip.wav", language) == expected[0]
        assert expected[1] == expected[0]
    assert len({*texts}) == 2
    assert all(texts)


def printed(program, *arguments):
    # -I: neither this project nor the current folder is on the path.
    command = [sys.executable, "-I", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    return done.stdout.removesuffix("\n")


@pytest.mark.parametrize(
    ("samples", "rate_hz", "language", "message"),
    [
        (8_000, 8_000, "sr", "expected mono at 16000 Hz and at most 29 s"),
        (16_000 * 30, 16_000, "sr", "expected mono at 16000 Hz and at most 29 s"),
        (16_000, 16_000, "xx", "xx is not one of af, am,"),
    ],
)
def test_the_program_refuses_what_it_cannot_decode(
    samples, rate_hz, language, message, package, tmp_path
):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    soundfile.write(tmp_path / "clip.wav", [0.0] * samples, rate_hz)
    command = [
        sys.executable,
        "-I",
        tmp_path / "program.py",
        package,
        tmp_path / "clip.wav",
        language,
    ]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert message in done.stderr
