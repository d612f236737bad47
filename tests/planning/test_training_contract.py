"""docs/contract.md has the limits of params.yaml: each number of the gate, and no other."""

import re

from dvc_yaml import TOP
from dvc_yaml import params as sections

PAGE = TOP / "docs/contract.md"
ROW = re.compile(r"^\| `([\w.]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", re.M)
FAMILIES = {
    "All families: corpus and phone times": ("corpus.", "alignment."),
    "Phone recognisers": ("mlp.", "wav2vec2_ctc.", "wavlm_ctc.", "whisper_ctc.", "ensemble."),
    "Recogniser for streams": ("streaming.", "endpoints."),
    "Causal models": ("realtime.",),
    "Whisper": ("words.",),
}


def page():
    return PAGE.read_text(encoding="utf-8")


def test_each_number_of_the_gate_is_in_the_page_with_its_limit():
    gate = sections()["gate"]
    wanted = {
        name: (
            "" if spec["direction"] == "higher" else f"{spec['limit']:g}",
            "" if spec["direction"] == "lower" else f"{spec['limit']:g}",
            f"{spec['tolerance']:g}",
        )
        for name, spec in (gate["each_model"] | gate["numbers"]).items()
    }
    rows = ROW.findall(page())
    assert len(rows) == len(wanted)
    listed = {name: tuple(cell.strip() for cell in cells) for name, *cells in rows}
    assert listed == wanted


def test_each_number_is_in_the_section_of_its_family():
    common = {*sections()["gate"]["each_model"]}
    for heading, prefixes in FAMILIES.items():
        section = page().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        names = {name for name, *_ in ROW.findall(section)} - common
        assert names, heading
        assert all(name.startswith(prefixes) for name in names), heading


def test_each_model_of_the_pipeline_is_in_the_table_of_families():
    named = {*re.findall(r"`(\w+)`", page().partition("| family |")[2].partition("\n## ")[0])}
    realtime = {*sections()["train_realtime"]["models"]}
    assert named == {*sections()["recognisers"], "stream_ctc", "tuned"} | realtime


def test_the_stages_of_whisper_have_the_limits_of_params():
    rows = dict(re.findall(r"^\| (\w+) \| (.*) % \|$", page(), re.M))
    limits = sections()["package_whisper"]
    assert rows == {
        "experimental": f"above {100 * limits['staging_wer']:g}",
        "staging": f"at most {100 * limits['staging_wer']:g}",
        "production": f"at most {100 * limits['production_wer']:g}",
    }
    # The refusals in words.
    assert sections()["evaluate_whisper"]["max_loss"] == 0.01
    assert sections()["export_whisper"]["max_error"] == 0.001
    assert sections()["export_whisper"]["int8"]["max_wer_loss"] == 0.005


def test_every_parameter_that_the_page_names_exists():
    names = re.findall(r"`((?:onnx|package|export|evaluate|train)\w*(?:\.\w+)+)`", page())
    names = [name for name in names if not name.endswith((".json", ".onnx"))]
    assert {"onnx.max_error", "onnx.int8.max_per_loss", "package_realtime.max_bytes"} <= {*names}
    for name in names:
        section = sections()
        for key in name.split("."):
            assert key in section, name
            section = section[key]
