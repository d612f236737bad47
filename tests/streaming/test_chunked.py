"""A signal is fed chunk by chunk, and nothing of it is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streaming_maker import ToyEngine

from fonoteka.streaming.chunked import chunks_of, stream_updates


@given(st.integers(0, 50), st.integers(1, 20))
def test_the_chunks_of_a_signal_are_the_signal(length, size):
    signal = np.arange(length, dtype=np.float32)
    chunks = chunks_of(signal, size)
    assert np.concatenate([signal[:0], *chunks]).tolist() == signal.tolist()
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(len(chunk) for chunk in chunks)


def test_there_is_one_update_per_chunk_and_one_of_the_end():
    updates = stream_updates(ToyEngine([]), np.zeros(1600, np.float32), 640)
    assert [update.audio_s for update in updates] == pytest.approx([0.04, 0.08, 0.1, 0.1])


def test_a_chunk_of_no_samples_is_refused():
    with pytest.raises(ValueError, match="expected chunks of at least 1 sample, found 0"):
        chunks_of(np.zeros(4, np.float32), 0)
