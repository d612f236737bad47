"""A model is declared once: an entry in params.yaml makes, compares and gates it."""

import json
import re

import pytest
from clones import PYTHON, committed

pytestmark = pytest.mark.pipeline

NEW = {
    "encoders": f"  other: {{kind: wavlm, hub: microsoft/wavlm-base@{40 * '0'}}}",
    "embedded": "  other: {augmented_copies: 1, seconds: 9}",
    "models": "  other_ctc:\n"
    "    {encoder: other, head: ctc, targets: data/splits/train.jsonl, seconds: 9}",
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A built clone in which a second wavlm is declared under another name, and built."""
    clone = committed(tmp_path_factory, tmp_path_factory.mktemp("second") / "fonoteka")
    text = (clone / "params.yaml").read_text(encoding="utf-8")
    for section, entry in NEW.items():
        text, count = re.subn(rf"^{section}:.*$", rf"\g<0>\n{entry}", text, flags=re.MULTILINE)
        assert count == 1
    text = text.replace("whisper_ctc]", "whisper_ctc, other_ctc]", 1)
    (clone / "params.yaml").write_text(text, encoding="utf-8")
    (clone.folder.parent / "output.txt").write_text(clone.repro())
    return clone


def test_its_stages_run_and_the_comparison_and_no_other(clone):
    output = (clone.folder.parent / "output.txt").read_text()
    ran = re.findall(r"^\[ *\d+/\d+\] (\S+): done in ", output, re.MULTILINE)
    stages = ("train", "onnx", "posteriors", "evaluate", "package")
    own = {f"{stage}@other_ctc" for stage in stages}
    assert {*ran} == own | {"encoder@other", "embed@other", "compare", "dashboard"}


def test_it_is_compared_and_has_the_numbers_of_its_twin(clone):
    # Seeds are drawn from parameters and ids, not from names: the same kind gives the same bytes.
    # The new names are as long as the old ones, so that the ONNX files are of equal size too.
    models = json.loads((clone / "reports/comparison.json").read_text())["models"]
    assert models["other_ctc"] == models["wavlm_ctc"]
    assert "| other_ctc " in (clone / "reports/comparison.md").read_text(encoding="utf-8")
    assert '"name":"other_ctc"' in (clone / "reports/dashboard/index.html").read_text("utf-8")


def test_it_is_gated(clone):
    done = clone.call(*PYTHON, "fonoteka", "gate", "--base", "HEAD", "--json")
    rows = {row["number"]: row for row in json.loads(done.stdout)["rows"]}
    for metric in ("accuracy", "ece", "per"):
        assert rows[f"other_ctc.{metric}"]["base"] == "new"
    assert rows["data/models/other_ctc"]["verdict"] == "pass"
