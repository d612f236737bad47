"""The parts of the bench: operations counted, padding, the crew, and the machine described."""

from __future__ import annotations

import platform
from dataclasses import replace

import numpy as np
import pytest
import torch
from bench_maker import ENCODER, tiny_config
from clip_maker import noise
from crew_work import adding, unprepared
from torch.utils.flop_counter import FlopCounterMode
from transformers import Wav2Vec2Model

from fonoteka.bench import encoder as bench_encoder
from fonoteka.bench.encoder import EncoderParams
from fonoteka.bench.encoder_report import differences, padded_flops
from fonoteka.bench.encoder_variants import PlainLoop
from fonoteka.bench.flops import encoder_flops, total
from fonoteka.bench.worker_pool import Crew
from fonoteka.core.params import build
from fonoteka.models.encoders import feature_extractor
from fonoteka.reporting import machine as timing
from fonoteka.reporting.machine import Demand, machine

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("samples", [4000, 16_000, 23_456])
@pytest.mark.parametrize("more", [{}, {"num_conv_pos_embeddings": 15}])
def test_operations_are_those_that_torch_counts(samples, more):
    # eager: torch doesn't count those of its fused attention on a CPU
    config = tiny_config(attn_implementation="eager", **more) if not more else odd(**more)
    model = Wav2Vec2Model(config).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, samples))
    assert total(encoder_flops(config, samples)) == counter.get_total_flops()


def odd(**more):
    config = tiny_config(attn_implementation="eager")
    for key, value in more.items():
        setattr(config, key, value)
    return config


def test_padding_costs_what_the_longest_clip_costs():
    clips = [noise(0.2), noise(0.5), noise(0.3)]
    each = [total(encoder_flops(tiny_config(), len(clip))) for clip in clips]
    assert padded_flops(tiny_config(), clips, 2) == 2 * each[1] + each[2]
    assert padded_flops(tiny_config(), clips, 1) == sum(each)


def test_noise_is_always_the_same_and_as_long_as_it_may_be():
    params = build(ENCODER, EncoderParams, "bench.encoder")
    clips = bench_encoder.sounds(replace(params, clips=200, sigma=2.0))
    assert {len(clip) for clip in clips} >= {1600, 9600}  # 0.1 and 0.6 s
    assert all(1600 <= len(clip) <= 9600 for clip in clips)
    again = bench_encoder.sounds(replace(params, clips=200, sigma=2.0))
    assert all(np.array_equal(a, b) for a, b in zip(clips, again, strict=True))


def test_the_plain_loop_gives_each_clip_its_own_frames():
    torch.manual_seed(0)
    model = Wav2Vec2Model(tiny_config()).eval()
    clips = [noise(0.5, 1), noise(0.2, 2), noise(0.3, 3)]
    before = torch.get_num_threads()
    loop = PlainLoop(model, feature_extractor(), 2)
    said, calls, _ = loop.hear(clips, 2, say=True)
    assert (len(said), len(calls), torch.get_num_threads()) == (3, 2, before)
    with torch.no_grad():
        alone = feature_extractor()([clips[0]], sampling_rate=16_000, return_tensors="pt")
        theirs = model(**alone).last_hidden_state[0].numpy()
    assert said[0].shape == theirs.shape
    assert np.abs(said[0] - theirs).max() < 1e-4  # the longest of its batch isn't padded
    assert loop.hear(clips, 2, say=False)[0] == []


def test_differences_are_those_counted_by_hand():
    ones, twos = [np.ones((2, 3), dtype=np.float32)], [np.full((2, 3), 2, dtype=np.float32)]
    said = {
        "plain_batch_2": twos, "plain_batch_1": ones, "torch_alone": ones, "onnx_fp32": twos,
        "onnx_int8": ones,
    }  # fmt: skip
    assert differences(said, (2, 1)) == {
        "padding_rms_share": {"plain_batch_2": 1.0}, "onnx_fp32_max": 1.0, "int8_rms_share": 0.5,
    }  # fmt: skip


def test_a_crew_answers_in_the_order_of_the_jobs():
    with Crew(2, adding, 40) as crew:
        answers, seconds = crew.share([1, 2, 3, 4, 5])
        assert answers == [41, 42, 43, 44, 45]
        assert seconds > 0
        assert crew.all(2)[0] == [42, 42]
        assert crew.share([]) == ([], pytest.approx(0, abs=1))


@pytest.mark.parametrize(("job", "said"), [(-1, "failed: KeyError"), (0, "ended before")])
def test_a_crew_says_that_a_process_failed(job, said):
    with Crew(1, adding, 1) as crew, pytest.raises(ValueError, match=said):
        crew.share([1, job])


def test_a_crew_that_can_not_be_prepared_is_refused():
    with pytest.raises(ValueError, match="failed: RuntimeError: no tools"):
        Crew(1, unprepared, "tools")


def test_the_machine_is_described_without_its_name_or_a_path():
    facts = machine()
    assert facts["processor"]
    assert facts["memory_gib"] > 0
    assert {"python", "numpy", "onnxruntime", "torch", "transformers"} < set(facts)
    texts = [value for value in facts.values() if isinstance(value, str)]
    assert not any(platform.node() in text or "/" in text for text in texts)


def test_a_machine_without_cpuinfo_is_described_too(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "CPUINFO", tmp_path / "none")
    assert machine()["processor"]
    assert machine()["instructions"] == []


@pytest.mark.parametrize(
    ("value", "at_most", "met"),
    [(1.0, True, True), (1.1, True, False), (1.0, False, True), (0.9, False, False),
     (float("nan"), True, False), (float("nan"), False, False)],
)  # fmt: skip
def test_a_limit_is_met_from_its_own_side(value, at_most, met):
    assert Demand("it", value, 1.0, at_most).met is met
