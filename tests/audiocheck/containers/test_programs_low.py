"""What ffmpeg, lame, sox and opusenc write at 8 to 12 kHz is read, and is the same sound."""

from __future__ import annotations

import shutil

import pytest
from program_checks import faults, written
from program_maker import ALL, write_files

RATES = (8000, 11025, 12000)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_every_codec_and_container_is_read_as_the_sound_it_was_made_from(rate, channels, tmp_path):
    files = written(tmp_path, rate, channels)
    assert len(files) > 40
    assert faults(files) == {}


@pytest.mark.parametrize("program", ALL)
def test_a_program_writes_its_files(program, tmp_path):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed: its recordings are not tested")
    assert len(write_files(tmp_path, 8000, 1, [program])) > 1


@pytest.mark.parametrize(("suffix", "rate"), [(".amr", 8000), (".awb", 16000)])
def test_amr_is_read(suffix, rate, tmp_path):
    if not shutil.which("sox") or not shutil.which("ffmpeg"):
        pytest.skip("sox, which may write AMR, or ffmpeg, which reads it, is not installed")
    files = [file for file in write_files(tmp_path, rate, 1, ["sox"]) if file.path.suffix == suffix]
    if not files:
        pytest.skip(f"sox has no encoder for {suffix} here")
    assert faults(files) == {}
