"""The page with audio has the worst clips whose licence allows it, within limits."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from clip_maker import noise
from dashboard_files import PARAMS, inputs_of, privacy_in, save_project

from fonoteka.audiocheck.containers.ogg import ogg
from fonoteka.core.errors import UserError
from fonoteka.reporting.dashboard.clip_audio import page_audio, vorbis_bytes, with_serial
from fonoteka.reporting.dashboard.document import document_of


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    top = tmp_path_factory.mktemp("sounds")
    save_project(top)
    return top


def sounds_of(project, privacy=None, **limits):
    privacy = privacy or privacy_in(project)
    _, clips, errors = document_of(inputs_of(project), PARAMS.document, privacy)
    return page_audio(clips, errors, project / "audio", replace(PARAMS.audio, **limits))


def test_equal_samples_give_equal_bytes_that_decode_to_the_sound():
    signal = noise(0.7)
    data = vorbis_bytes(signal)
    assert data == vorbis_bytes(signal)
    assert ogg(data, 0).notes == ()  # every page has its checksum and its number
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32")
    assert (len(samples), rate_hz) == (len(signal), 16_000)
    # Vorbis at this quality keeps white noise to a fifth of its power.
    assert np.mean((samples - signal) ** 2) < 0.5 * np.mean(signal**2)
    assert with_serial(data, 1) == data != with_serial(data, 2)


def test_the_worst_licensed_clips_of_each_model_have_audio(project):
    # The MLP's worst are clips 4 (both phones), 1 (2 of 3), of which 1 has another licence.
    sounds = sounds_of(project)
    assert set(sounds.urls) == {"3", "4"}
    assert sounds.note == (
        "Audio of the 2 worst clips of each model (2 clips); left out: 2 because of their licence."
    )
    for url in sounds.urls.values():
        head, _, content = url.partition(",")
        assert head == "data:audio/ogg;base64"
        assert base64.b64decode(content).startswith(b"OggS")
    assert sounds.urls == sounds_of(project).urls


def test_names_of_people_do_not_change_which_audio_may_be_copied(tmp_path):
    save_project(tmp_path, name_people=True)
    assert set(sounds_of(tmp_path, privacy_in(tmp_path, name_people=True)).urls) == {"3", "4"}


def test_limits_of_size_leave_clips_out_and_say_so(project):
    size = sounds_of(project).bytes
    assert len(sounds_of(project, bytes=size).urls) == 2
    fewer = sounds_of(project, bytes=size - 1)
    assert len(fewer.urls) == 1
    assert fewer.note.endswith("2 because of their licence, 1 because of the limits of size.")
    assert sounds_of(project, clip_bytes=10).urls == {}
    assert sounds_of(project, clips=0).note == "Audio of the 0 worst clips of each model (0 clips)."


def test_a_missing_clip_is_named(project, tmp_path):
    _, clips, errors = document_of(inputs_of(project), PARAMS.document, privacy_in(project))
    with pytest.raises(UserError, match=r"shard-00\.tar: no such shard; run the stage preprocess"):
        page_audio(clips, errors, tmp_path, PARAMS.audio)
