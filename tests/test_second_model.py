"""A model is declared once: an entry in params.yaml makes, compares and gates it."""

import json
import re

import pytest
from clones import PYTHON, committed

pytestmark = pytest.mark.pipeline

NEW = {
    "encoders": "  wavlm_b: {kind: wavlm, hub: microsoft/wavlm-base@none}",
    "models": "  wavlm_b_ctc:\n"
    "    {encoder: wavlm_b, head: ctc, targets: data/splits/train.jsonl, seconds: 9}",
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A built clone in which a second wavlm is declared under another name, and built."""
    clone = committed(tmp_path_factory, tmp_path_factory.mktemp("second") / "fonoteka")
    text = (clone / "params.yaml").read_text(encoding="utf-8")
    for section, entry in NEW.items():
        text, count = re.subn(rf"^{section}:.*$", rf"\g<0>\n{entry}", text, flags=re.MULTILINE)
        assert count == 1
    text = text.replace("wavlm_ctc]", "wavlm_ctc, wavlm_b_ctc]", 1)
    (clone / "params.yaml").write_text(text, encoding="utf-8")
    (clone.folder.parent / "output.txt").write_text(clone.repro())
    return clone


def test_its_stages_run_and_the_comparison_and_no_other(clone):
    output = (clone.folder.parent / "output.txt").read_text()
    ran = re.findall(r"^\[ *\d+/\d+\] (\S+): done in ", output, re.MULTILINE)
    stages = ("train", "onnx", "posteriors", "evaluate", "package")
    own = {f"{stage}@wavlm_b_ctc" for stage in stages}
    assert {*ran} == own | {"encoder@wavlm_b", "embed@wavlm_b", "compare"}


def test_it_is_compared_and_has_the_numbers_of_its_twin(clone):
    # Seeds are drawn from parameters and ids, not from names: the same kind gives the same bytes.
    models = json.loads((clone / "reports/comparison.json").read_text())["models"]
    assert models["wavlm_b_ctc"] == models["wavlm_ctc"]
    assert "| wavlm_b_ctc |" in (clone / "reports/comparison.md").read_text(encoding="utf-8")


def test_it_is_gated(clone):
    done = clone.call(*PYTHON, "fonoteka.pipeline.diff.gate", "--base", "HEAD", "--json")
    rows = {row["number"]: row for row in json.loads(done.stdout)}
    for metric in ("accuracy", "ece", "per"):
        assert rows[f"wavlm_b_ctc.{metric}"]["base"] == "new"
    assert rows["data/models/wavlm_b_ctc"]["verdict"] == "pass"
