"""What ffmpeg, lame, sox and opusenc write at 16 to 24 kHz is read, and is the same sound."""

from __future__ import annotations

import pytest
from program_checks import faults, written

RATES = (16000, 22050, 24000)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_every_codec_and_container_is_read_as_the_sound_it_was_made_from(rate, channels, tmp_path):
    files = written(tmp_path, rate, channels)
    assert len(files) > 40
    assert faults(files) == {}
