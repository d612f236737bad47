"""A worker loads a package if it is whole and of the version that was asked for."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from service_packages import phone_package, stream_package, words_package, written_phones

from fonoteka.core.errors import UserError
from fonoteka.service.work.compute import loaded_models
from fonoteka.service.work.compute.loaded_models import LoadedModels, opened
from fonoteka.service.work.compute.shared_sessions import twin
from fonoteka.transcribe import transcribe

MAKERS = {"words": words_package, "phones": phone_package, "stream": stream_package}


@pytest.fixture(params=MAKERS)
def version(request, tmp_path):
    return MAKERS[request.param](tmp_path / "toy")


@pytest.fixture
def phones(tmp_path):
    return phone_package(tmp_path / "toy")


def test_a_package_of_each_kind_is_loaded_and_freed(version):
    models = LoadedModels()
    models.load(version)
    get = getattr(models, version.kind.value)
    assert get(version) is get(version)
    models.unload(version)
    with pytest.raises(KeyError, match="toy"):
        get(version)


def test_a_model_is_loaded_once(phones):
    models = LoadedModels()
    models.load(phones)
    first = models.phones(phones)
    models.load(phones)
    assert models.phones(phones) is first


def test_two_versions_are_loaded_side_by_side(phones):
    models = LoadedModels()
    models.load(phones)
    newer = phone_package(phones.folder, sure=0.5)
    assert newer.version != phones.version
    models.load(newer)
    samples = written_phones("d a")
    for version, sure in ((phones, 0.9), (newer, 0.5)):
        model = models.phones(version)
        assert len(transcribe(model.session, model.labels, samples)) == 2
        log_probs = loaded_models.posteriors(model.session, samples)
        assert np.exp(log_probs.max()) == pytest.approx(sure)


def test_another_version_is_refused(version):
    other = dataclasses.replace(version, version="0123456789ab")
    match = f"is of version {version.version}, expected 0123456789ab; reload the models"
    with pytest.raises(UserError, match=match):
        opened(other)


def test_a_damaged_file_is_refused(version):
    path = next(path for path in version.folder.iterdir() if path.suffix == ".onnx")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"onnx: its SHA-256 is .*, but package\.json records"):
        opened(version)


def test_a_folder_that_was_removed_is_one_sentence(version):
    shutil.rmtree(version.folder)
    with pytest.raises(UserError, match=r"model toy: .*package\.json is missing; put the folder"):
        opened(version)


def test_a_folder_that_changes_while_it_is_loaded_is_refused(phones, monkeypatch):
    real = loaded_models._opened

    def swapped(model, live):
        result = real(model, live)
        phone_package(model.folder, sure=0.5)
        return result

    monkeypatch.setattr(loaded_models, "_opened", swapped)
    with pytest.raises(UserError, match="changed while it was loaded; load it again"):
        opened(phones)


def test_a_model_with_another_number_of_frames_is_refused(phones, monkeypatch):
    monkeypatch.setattr(loaded_models, "FRAMES_PER_SECOND", 100)
    with pytest.raises(UserError, match="50 frames of a second, expected 100"):
        opened(phones)


def test_twins_share_their_session_and_not_their_state(tmp_path):
    fresh = opened(stream_package(tmp_path / "toy")).source
    first, second = twin(fresh), twin(fresh)
    assert first._session is second._session is fresh._session
    first.push(written_phones("d a"))
    samples = written_phones("n")
    alone = twin(fresh).push(samples)
    assert all(np.array_equal(*pair) for pair in zip(second.push(samples), alone, strict=True))
