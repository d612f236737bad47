"""Results of clips travel through the remote in packs, and damage in them is never taken."""

from __future__ import annotations

import json
import shutil

import pytest
from command_line import run_fonoteka
from toy import empty_repository, entered_copy

from fonoteka.compute.clip_cache import ClipCache, entry_key
from fonoteka.compute.clip_results import results_of
from fonoteka.pipeline.remote import results

pytestmark = pytest.mark.dvc
CACHE = ".fonoteka/cache"


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository whose remote is the folder `store` beside it."""
    return empty_repository(tmp_path_factory)


@pytest.fixture
def repo(origin, tmp_path, monkeypatch):
    """A copy of it with results of 30 clips, which is the current folder."""
    monkeypatch.delenv("FONOTEKA_CACHE", raising=False)
    folder = entered_copy(origin, tmp_path, monkeypatch)
    run_fonoteka("remote", "--url", str(tmp_path / "store"))
    fill(folder, range(30))
    return folder


@pytest.fixture
def colleague(repo, tmp_path, monkeypatch):
    """Return a function that changes into a repository of another machine, without results."""
    folder = shutil.copytree(repo, tmp_path / "colleague")
    shutil.rmtree(folder / CACHE)

    def enter():
        monkeypatch.chdir(folder)
        return folder

    return enter


def fill(folder, numbers):
    for number in numbers:
        clip = f"mine-{number}"
        ClipCache(folder / CACHE, "embed").put(key(clip), clip, clip.encode() * 1000)


def key(clip):
    return entry_key("code", clip, "samples")


def entries(folder):
    return {p.name: p.read_bytes() for p in (folder / CACHE / "embed").rglob("*") if p.is_file()}


def packs(folder):
    return sorted((folder.parent / "store" / results.REMOTE_FOLDER).glob("*.tar"))


@pytest.fixture
def ask(capsys):
    """Call the command line and return its output."""
    capsys.readouterr()

    def call(*words):
        run_fonoteka("cache", *words)
        return capsys.readouterr().out

    return call


def test_results_are_the_same_on_another_machine(repo, colleague, ask, monkeypatch):
    monkeypatch.setattr(results, "PACK_BYTES", 50_000)
    assert ask("push").startswith(f"pushed 30 results to storage ({repo.parent}")
    assert len(packs(repo)) == 4  # 30 entries of 6 or 7 KB, 8 in a pack
    assert ask("push").startswith("pushed 0 results")
    other = colleague()
    assert ask("pull").startswith("pulled 30 results")
    assert entries(other) == entries(repo)
    assert ask("pull").startswith("pulled 0 results")


def test_only_what_is_new_is_sent_and_fetched(repo, colleague, ask):
    ask("push")
    first = packs(repo)
    fill(repo, range(28, 33))
    assert ask("push").startswith("pushed 3 results")
    assert len(packs(repo)) == len(first) + 1
    colleague()
    assert ask("pull").startswith("pulled 33 results")


def test_an_interrupted_push_resumes(repo, ask, monkeypatch):
    monkeypatch.setattr(results, "PACK_BYTES", 50_000)
    send, sent = results.RemotePacks.send, []

    def failing(self, pack):
        if len(sent) == 2:
            raise ConnectionError("the server is gone")
        sent.append(pack)
        return send(self, pack)

    with monkeypatch.context() as patched:
        patched.setattr(results.RemotePacks, "send", failing)
        with pytest.raises(ValueError, match="the server is gone"):
            ask("push")
    before = packs(repo)
    assert len(before) == 2
    ask("push")
    assert set(before) < set(packs(repo))
    assert len(packs(repo)) == 4


def test_a_damaged_pack_is_named_and_sent_again(repo, colleague, ask):
    ask("push")
    (pack,) = packs(repo)
    whole = pack.read_bytes()
    pack.write_bytes(whole[:-20_000] + b"x" + whole[-19_999:])
    folder = colleague()
    output = ask("pull")
    assert "pulled 0 results" in output
    assert "1 packs are damaged there, cache push --again replaces them" in output
    assert not (folder / CACHE / "embed").exists()


def test_a_damaged_pack_is_replaced_by_a_push_of_all(repo, colleague, ask, monkeypatch):
    ask("push")
    (pack,) = packs(repo)
    pack.write_bytes(b"damaged")
    ask("push", "--again")
    colleague()
    assert ask("pull").startswith("pulled 30 results")


def test_a_damaged_entry_is_not_sent(repo, ask):
    (path,) = results_of(repo / CACHE, {"mine-3"})
    path.write_bytes(b"damaged" * 10)
    output = ask("push")
    assert "damaged, not sent" in output
    assert "pushed 29 results" in output


def test_after_an_erasure_a_push_of_all_removes_the_results_in_the_remote(repo, ask):
    ask("push")
    store = repo.parent / "store"
    assert any(b"mine-3\0" in path.read_bytes() for path in store.rglob("*.tar"))
    for path in results_of(repo / CACHE, {"mine-3"}):
        path.unlink()
    assert ", and removed 1 older packs" in ask("push", "--again")
    texts = [path.read_bytes() for path in store.rglob("*") if path.is_file()]
    assert not any(b"mine-3\0" in text or key("mine-3").encode() in text for text in texts)
    assert any(b"mine-4\0" in text for text in texts)


def test_a_remote_without_results_says_how_to_send_them(repo, ask):
    with pytest.raises(ValueError, match=r"has no results of clips; .* cache push sends them"):
        ask("pull")


def test_a_damaged_index_costs_a_second_transfer(repo, ask):
    ask("push")
    index = repo.parent / "store" / results.REMOTE_FOLDER / results.INDEX
    before = json.loads(index.read_bytes())
    index.write_bytes(index.read_bytes()[:100])
    assert ask("push").startswith("pushed 30 results")
    assert json.loads(index.read_bytes()) == before
