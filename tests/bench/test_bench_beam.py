"""The report on beam search adds up and names what is too slow; no time is asserted."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import run_fonoteka
from corpus_maker import utterance
from posterior_maker import said_as

from fonoteka import manifest
from fonoteka.bench.beam import bench_beam
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.phones import INVENTORY
from fonoteka.shards import write_arrays
from fonoteka.streaming.arpa import arpa_text
from fonoteka.streaming.phone_ngram import estimate

SECTION = {
    "model": "toy", "width": 16, "clips": 2,
    "repeats": {"rounds": 2, "repetitions": 2, "warmup": 1}, "sla": {"max_ms_per_s": 1e6},
}  # fmt: skip
REPORT = {
    "models": {"toy": {"chosen": {"lm_weight": 0.5, "insertion": 1.0, "width": 4}}},
    "threshold": 10.0, "hold_frames": {"beam": 50, "stream": 6},
}  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with all that the benchmark reads, as the current folder."""
    monkeypatch.chdir(tmp_path)
    texts = {f"u{n}": "d a n a s" if n else "d a" for n in range(3)}
    Path("data/posteriors/toy").mkdir(parents=True)
    write_arrays(Path("data/posteriors/toy"), {k: said_as(t) for k, t in texts.items()}, 1)
    rows = [utterance("mine/s", id=key, duration_s=0.06 * len(t)) for key, t in texts.items()]
    Path("data/splits").mkdir()
    manifest.write(Path("data/splits/test.jsonl"), rows)
    Path("data/models/phone_ngram").mkdir(parents=True)
    model = estimate([text.split() for text in texts.values()], INVENTORY, order=3)
    write_text(Path("data/models/phone_ngram/phones.arpa"), arpa_text(model))
    Path("reports").mkdir()
    write_json(Path("reports/beam.json"), REPORT)
    write_section()


def write_section(**changes):
    Path("params.yaml").write_text(yaml.safe_dump({"bench_beam": SECTION | changes}))


@pytest.mark.usefixtures("project")
def test_the_report_adds_up_and_is_printed():
    with redirect_stdout(StringIO()) as printed:
        run_fonoteka("bench", "beam", "--busy")
    report = read_json(Path("reports/bench/beam.json"))
    assert (report["clips"], report["audio_s"]) == (2, 0.02 * (6 + 15))
    decoders = report["decoders"]
    assert {*decoders} == {"greedy", "beam", "greedy_stream", "beam_stream"}
    for name, baseline in (("beam", "greedy"), ("beam_stream", "greedy_stream")):
        quotient = decoders[name]["ms_per_s"] / decoders[baseline]["ms_per_s"]
        assert decoders[name]["times_as_long_as"][baseline] == pytest.approx(quotient, rel=1e-3)
    assert {name: row["met"] for name, row in report["sla"].items()} == {
        "beam.ms_per_s": True, "beam_stream.ms_per_s": True
    }  # fmt: skip
    assert "16 hypotheses, one thread; ms per second of audio" in printed.getvalue()


@pytest.mark.usefixtures("project")
def test_a_missed_limit_is_named():
    write_section(sla={"max_ms_per_s": 0.0})
    with pytest.raises(ValueError, match=r"2 missed: beam\.ms_per_s is .*; beam_stream\.ms_per_s"):
        bench_beam(busy=True)


@pytest.mark.usefixtures("project")
def test_a_model_without_a_report_is_named():
    write_section(model="other")
    Path("data/posteriors/other").mkdir()
    write_arrays(Path("data/posteriors/other"), {f"u{n}": np.zeros((2, 3)) for n in range(3)}, 1)
    with pytest.raises(ValueError, match=r"bench_beam.model is 'other' .* not one of \['toy'\]"):
        bench_beam(busy=True)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "path", ["data/models/phone_ngram/phones.arpa", "reports/beam.json", "data/splits/test.jsonl"]
)
def test_a_missing_input_of_the_beam_is_named(path):
    Path(path).unlink()
    with pytest.raises(ValueError, match=f"{path}: no such file; run `make repro`"):
        bench_beam(busy=True)
