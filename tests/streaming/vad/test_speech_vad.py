"""The model `speech` as a voice activity detector, with toy models of the stage."""

from __future__ import annotations

import numpy as np
import pytest
from stream_maker import HOP_S, small

from fonoteka.core.files import read_json
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.streaming.vad.detector import open_scorer

pytestmark = pytest.mark.torch
HOP = round(HOP_S * 16_000)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = small(tmp_path_factory)
    return folder / "export/speech/speech.onnx", folder / "toy/frontend.json"


@pytest.mark.parametrize("sizes", [(1,), (0, 7, 2_000), (159, 481, 513)])
def test_scores_of_the_exported_model_are_bitwise_equal_for_any_chunks(files, sizes):
    scorer, sound = open_scorer("speech", speech_model=files), synthetic_sound(1.0)
    expected, start = scorer.push(sound), 0
    scorer.reset()
    scores = []
    for number in range(len(sound)):
        scores.append(scorer.push(sound[start : start + sizes[number % len(sizes)]]))
        start += sizes[number % len(sizes)]
    assert np.ptp(expected) > 0.01
    assert np.array_equal(np.concatenate(scores), expected)


def test_a_score_is_the_mean_of_two_hops_of_the_whole_sound(files):
    graph, frontend = files
    scorer, sound = open_scorer("speech", speech_model=files, delay_hops=3), synthetic_sound(1.0)
    frames = FrontEnd.from_json(read_json(frontend))(sound)
    hops = StatefulSession(open_model(graph)).run(frames)[:, 0]
    assert (scorer.frame, scorer.delay) == (2 * HOP, 3 * HOP)
    # One call for all hops sums in another order; float32 keeps 7 digits of a probability.
    assert scorer.push(sound) == pytest.approx(hops.reshape(-1, 2).mean(axis=1), abs=1e-5)
