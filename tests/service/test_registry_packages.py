"""Packages are listed if they are what was packaged, and refused with a reason if not."""

import json
import os
import shutil

import pytest
from packaged_models import package

from fonoteka.packaging import PACKAGE, record
from fonoteka.service.interfaces import ModelKind
from fonoteka.service.registry import catalogue
from fonoteka.service.registry.catalogue import Catalogue
from fonoteka.service.registry.package import read_package


def scan_of(models):
    return Catalogue(models, require_gates=False).scan()


def versions(models):
    return {name: m.package.version for name, m in scan_of(models).accepted.items()}


def reason(models, name="whisper_ctc"):
    scan = scan_of(models)
    assert name not in scan.accepted
    return scan.refused[name]


def rewrite(folder, **entries):
    manifest = json.loads((folder / PACKAGE).read_text())
    (folder / PACKAGE).write_text(json.dumps(manifest | entries))


def test_packages_of_two_levels_are_named_and_their_files_decide_the_kind(tmp_path):
    for path in ("whisper_ctc", "streaming", "whisper_package/tuned", "mine/second"):
        package(tmp_path, path)
    (tmp_path / "encoder" / "wavlm").mkdir(parents=True)  # is not a package
    (tmp_path / ".hidden").mkdir()
    assert {name: version.kind for name, version in versions(tmp_path).items()} == {
        "whisper_ctc": ModelKind.PHONES, "streaming": ModelKind.STREAM,
        "whisper": ModelKind.WORDS, "mine_second": ModelKind.PHONES,
    }  # fmt: skip
    assert scan_of(tmp_path).refused == {}


def test_a_version_changes_with_the_package_and_only_then(tmp_path):
    package(tmp_path)
    first = versions(tmp_path)["whisper_ctc"]
    assert versions(tmp_path)["whisper_ctc"] == first
    package(tmp_path, content="two")
    assert len({first.version, versions(tmp_path)["whisper_ctc"].version}) == 2


def test_the_bundle_for_plugins_is_refused_with_its_reason(tmp_path):
    folder = package(tmp_path, "realtime")
    (folder / "model.onnx").rename(folder / "onset.onnx")
    (folder / "frontend.json").write_text("{}")
    rewrite(folder, files=record(folder, ["onset.onnx", "frontend.json", "README.md"]))
    assert "models for plugins, which the service does not run" in reason(tmp_path, "realtime")


@pytest.mark.parametrize("names", [("weights.bin",), ("model.onnx", "step.onnx")])
def test_a_package_of_no_kind_or_of_two_is_refused(tmp_path, names):
    folder = package(tmp_path)
    (folder / "model.onnx").unlink()
    for name in names:
        (folder / name).write_text("x")
    rewrite(folder, files=record(folder, [*names, "README.md"]))
    assert "a model has one of them" in reason(tmp_path)


def test_a_changed_file_is_refused_even_if_size_and_time_are_restored(tmp_path):
    folder = package(tmp_path)
    models = Catalogue(tmp_path, require_gates=False)
    assert models.scan().refused == {}
    before = (folder / "model.onnx").stat()
    (folder / "model.onnx").write_text("onE")
    os.utime(folder / "model.onnx", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "whisper_ctc/model.onnx: its SHA-256 is " in models.scan().refused["whisper_ctc"]
    assert models.scan().accepted == {}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx: missing"),
        (lambda folder: (folder / "model.onnx").write_text(""), "model.onnx: empty"),
        (lambda folder: (folder / "more.bin").write_text("x"), "more.bin: not recorded"),
        (lambda folder: (folder / PACKAGE).unlink(), "package.json: missing"),
        (lambda folder: (folder / PACKAGE).write_text("{"), "package.json: not valid JSON"),
        (lambda folder: (folder / PACKAGE).write_bytes(b"\xff\xfe"), "not valid JSON"),
        (lambda folder: (folder / PACKAGE).write_text("[]"), "records no size"),
        (lambda folder: (folder / PACKAGE).write_text("[" * 100_000), "nested too deeply"),
        (lambda folder: rewrite(folder, files={"../a": {}}), "records no size"),
        (lambda folder: rewrite(folder, languages="en"), "languages is not a list of texts"),
        (lambda folder: rewrite(folder, labels=["\ud800"]), "labels is not a list of texts"),
        (lambda folder: rewrite(folder, licence={"weights": 3}), "licence.weights is not a list"),
    ],
)
def test_a_spoilt_package_is_refused_with_its_reason(tmp_path, spoil, expected):
    spoil(package(tmp_path))
    assert expected in reason(tmp_path)


def test_a_manifest_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    folder = package(tmp_path)
    os.truncate(folder / PACKAGE, 10 << 30)  # sparse: it takes no disk
    assert "has 10737418240 bytes; expected at most" in reason(tmp_path)


def test_a_reason_contains_no_folder_of_the_machine_and_is_short(tmp_path):
    folder = package(tmp_path)
    name = 10_000 * "x" + "\ud800"
    rewrite(folder, files={name: {"bytes": 1, "sha256": 64 * "0"}})
    text = reason(tmp_path)
    assert str(tmp_path) not in text
    assert len(text.encode()) < 600


def test_a_link_to_a_folder_outside_is_refused_and_one_inside_is_a_package(tmp_path):
    models = tmp_path / "models"
    package(models)
    package(tmp_path, "elsewhere")
    (models / "outside").symlink_to(tmp_path / "elsewhere")
    (models / "inside").symlink_to(models / "whisper_ctc")
    scan = scan_of(models)
    assert "outside that of the models" in scan.refused["outside"]
    assert sorted(scan.accepted) == ["inside", "whisper_ctc"]


def test_files_may_be_links_as_dvc_makes_them(tmp_path):
    folder = package(tmp_path / "models")
    shutil.move(folder / "model.onnx", tmp_path / "cached")
    (folder / "model.onnx").symlink_to(tmp_path / "cached")
    assert sorted(scan_of(tmp_path / "models").accepted) == ["whisper_ctc"]


def test_a_folder_with_a_name_that_is_not_ascii_is_refused(tmp_path):
    package(tmp_path, "wаvlm")  # its second letter is Cyrillic
    assert "not plain ASCII" in reason(tmp_path, r"'w\u0430vlm'")


def test_the_second_package_of_a_name_is_refused(tmp_path):
    for path in ("whisper", "whisper_package/tuned"):
        package(tmp_path, path)
    scan = scan_of(tmp_path)
    assert scan.accepted["whisper"].package.path == "whisper"
    assert "another package is named whisper" in scan.refused["whisper_package/tuned"]


def test_files_that_did_not_change_are_hashed_once(tmp_path, monkeypatch):
    package(tmp_path)
    package(tmp_path, "wavlm_ctc")
    read = []

    def counted(folder, path, name):
        read.append(name)
        return read_package(folder, path, name)

    monkeypatch.setattr(catalogue, "read_package", counted)
    models = Catalogue(tmp_path, require_gates=False)
    models.scan()
    models.scan()
    package(tmp_path, content="two")
    models.scan()
    assert read == ["wavlm_ctc", "whisper_ctc", "whisper_ctc"]


def test_a_package_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    folder = package(tmp_path)

    def changing(*arguments):
        result = read_package(*arguments)
        (folder / "model.onnx").write_text("other")
        return result

    monkeypatch.setattr(catalogue, "read_package", changing)
    assert "changed while it was read" in reason(tmp_path)


def test_the_signature_changes_with_every_file_of_a_package(tmp_path):
    folder = package(tmp_path)
    models = Catalogue(tmp_path, require_gates=False)
    first = models.signature()
    assert models.signature() == first
    (folder / "model.onnx").write_text("other")
    second = models.signature()
    shutil.rmtree(folder)
    assert len([*{str(first), str(second), str(models.signature())}]) == 3


def test_the_hash_of_a_folder_is_that_of_dvc(tmp_path):
    # `dvc add` of a folder with these files wrote this hash.
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "step.onnx").write_text("step")
    (folder / "README.md").write_text("b\n")
    files = record(folder, ["step.onnx", "README.md"])
    text = json.dumps({"files": files}, ensure_ascii=False, indent=2, sort_keys=True)
    (folder / PACKAGE).write_text(text + "\n")
    assert read_package(folder, "m", "m").folder_md5 == "938ec59a1a718d764b71d0555be447fb.dir"
