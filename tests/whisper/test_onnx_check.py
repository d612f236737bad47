"""An exported model that differs from torch is refused with the clip and the difference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import whisper_onnx_maker
from clip_maker import noise

from fonoteka.whisper.onnx_check import CheckClip, batches_of, check_parity, word_error_rate
from fonoteka.whisper.onnx_session import open_whisper

pytestmark = pytest.mark.torch
CLIPS = [CheckClip(f"c{n}", "sr", "dva psa", noise(0.1 * n, n)) for n in (3, 1, 2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return whisper_onnx_maker.exported(tmp_path_factory)


@pytest.fixture
def both(folder):
    return open_whisper(folder / "onnx"), whisper_onnx_maker.torch_model(folder)


def test_batches_contain_all_clips_of_each_size_from_the_shortest_on():
    names = [[clip.id for clip in batch] for batch in batches_of(CLIPS, [1, 2])]
    assert names == [["c1"], ["c2"], ["c3"], ["c1", "c2"], ["c3"]]


def test_the_largest_difference_is_returned(both):
    error = check_parity("tiny", *both, list(batches_of(CLIPS, [1, 3])), 1e-4)
    assert 0 < error < 1e-4  # float32 sums in another order


def test_a_model_with_other_weights_is_refused(both):
    exported, reference = both
    with torch.no_grad():
        reference.model.model.decoder.layer_norm.bias += 0.05
    with pytest.raises(ValueError, match=r"tiny: c1 and 2 more: max abs error .* against torch"):
        check_parity("tiny", exported, reference, list(batches_of(CLIPS, [3])), 1e-4)


def test_a_model_whose_tokens_differ_is_refused_within_any_tolerance(both):
    exported, reference = both
    with torch.no_grad():
        reference.model.model.decoder.layer_norm.bias += 0.5
    with pytest.raises(ValueError, match="tiny: c1: its decoded tokens differ from those of torch"):
        check_parity("tiny", exported, reference, list(batches_of(CLIPS, [1])), 1e9)


def test_a_difference_that_is_not_a_number_is_refused(both):
    exported, reference = both

    class NotANumber:
        rules = exported.rules

        def start(self, signals, input_s):
            step = exported.start(signals, input_s)
            return lambda tokens: step(tokens) * np.float32("nan")

    with pytest.raises(ValueError, match="max abs error nan against torch"):
        check_parity("tiny", NotANumber(), reference, list(batches_of(CLIPS, [1])), 1.0)


def test_the_word_error_rate_is_of_canonical_texts(both):
    class OneText:
        """Decodes every clip to the same text."""

        rules = both[0].rules

        def start(self, signals, input_s):
            end = np.eye(1, self.rules.first_timestamp + 1501, self.rules.end)
            return lambda tokens: end.repeat(len(tokens), axis=0)

        def text(self, tokens):
            return "Два, psa!"

    clips = [CLIPS[0], replace(CLIPS[1], text="dva")]
    for batch in (1, 2):
        assert word_error_rate(OneText(), clips, batch) == pytest.approx(1 / 3)
