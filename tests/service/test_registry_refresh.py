"""A refresh offers what is new, drops what is gone, and says why a package is refused."""

import asyncio
import shutil
from types import SimpleNamespace

import pytest
from packaged_models import package
from started_registry import NAME, started

from fonoteka.core.errors import UserError
from fonoteka.service.interfaces import ModelKind, UnknownModelError
from fonoteka.service.registry.catalogue import Catalogue
from fonoteka.service.settings import ServiceSettings


@pytest.fixture
def watched(monkeypatch):
    """Counts how often catalogues are read, and polled."""
    counts, scan, signature = SimpleNamespace(scans=0, polls=0), Catalogue.scan, Catalogue.signature

    def counted_scan(catalogue):
        counts.scans += 1
        return scan(catalogue)

    def counted_signature(catalogue):
        counts.polls += 1
        return signature(catalogue)

    monkeypatch.setattr(Catalogue, "scan", counted_scan)
    monkeypatch.setattr(Catalogue, "signature", counted_signature)
    return counts


def test_the_old_version_stays_if_the_new_package_is_spoilt_or_cannot_be_loaded(tmp_path):
    folder = package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, workers):
            old = registry.get(NAME).version
            (folder / "model.onnx").write_text("spoilt")
            assert "its SHA-256 is" in (await registry.refresh())[NAME]
            assert "its SHA-256 is" in registry.refused()[NAME]
            assert registry.card(NAME)["newer_refused"] == registry.refused()[NAME]
            assert registry.get(NAME).version == old
            package(tmp_path, content="two")
            workers.broken.add(NAME)
            result = await registry.refresh()
            assert result == registry.refused() == {NAME: f"{NAME}/model.onnx: does not run"}
            await registry.drained()
            assert workers.versions("unload") == workers.versions("load")[1:]  # parts of it
            assert registry.get(NAME).version == old
            workers.broken.clear()
            assert await registry.refresh() == {NAME: "loaded"}
            assert registry.refused() == {}

    asyncio.run(main())


def test_a_removed_package_is_offered_until_a_refresh_and_returns_with_its_folder(tmp_path):
    folder = package(tmp_path / "models")

    async def main():
        async with started(tmp_path / "models") as (registry, workers):
            folder.rename(tmp_path / "away")
            model = registry.get(NAME)
            assert await registry.refresh() == {NAME: "removed"}
            with pytest.raises(UnknownModelError, match="no such model is offered now"):
                registry.get(NAME)
            assert await workers.compute(model, 1) == model.version
            (tmp_path / "away").rename(folder)
            assert await registry.refresh() == {NAME: "loaded"}
            assert registry.get(NAME) == model

    asyncio.run(main())


def test_models_stay_if_their_whole_folder_cannot_be_read(tmp_path):
    package(tmp_path / "models")

    async def main():
        async with started(tmp_path / "models") as (registry, _):
            shutil.rmtree(tmp_path / "models")
            assert "cannot be read" in (await registry.refresh())[NAME]
            assert [model.name for model in registry.listed()] == [NAME]

    asyncio.run(main())


def test_one_refresh_runs_at_a_time_and_calls_during_it_share_the_next_one(tmp_path, watched):
    package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, workers):
            workers.gate.clear()
            package(tmp_path, content="two")
            first = asyncio.create_task(registry.refresh())
            while len(workers.events) < 2:
                await asyncio.sleep(0)
            package(tmp_path, content="three")  # the running refresh has read the folder
            others = [asyncio.create_task(registry.refresh()) for _ in range(5)]
            for _ in range(100):
                await asyncio.sleep(0)
            assert watched.scans == 2
            others[0].cancel()  # a client that leaves does not end it for the others
            workers.gate.set()
            assert await first == {NAME: "loaded"}
            results = await asyncio.gather(*others, return_exceptions=True)
            assert results[1:] == 4 * [{NAME: "loaded"}]
            assert isinstance(results[0], asyncio.CancelledError)
            assert watched.scans == len(workers.versions("load")) == 3

    asyncio.run(main())


def test_models_for_words_streams_and_alignment_are_loaded_first_and_others_when_used(tmp_path):
    for path in (NAME, "mlp", "streaming", "whisper_package/tuned"):
        package(tmp_path, path)

    async def main():
        async with started(tmp_path) as (registry, workers):
            assert {m.name for m in workers.loaded} == {NAME, "streaming", "whisper"}
            assert [m.name for m in registry.listed()] == ["mlp", "streaming", "whisper", NAME]
            package(tmp_path, "mlp", "two")
            assert (await registry.refresh())["mlp"] == "listed"
            registry.get("mlp")
            package(tmp_path, "mlp", "three")
            assert (await registry.refresh())["mlp"] == "loaded"

    asyncio.run(main())


def test_preload_names_what_is_loaded_first_and_must_exist(tmp_path):
    for path in (NAME, "mlp"):
        package(tmp_path, path)

    async def main(**settings):
        async with started(tmp_path, **settings) as (_, workers):
            return {m.name for m in workers.loaded}

    assert asyncio.run(main(preload=("mlp",))) == {"mlp"}
    assert asyncio.run(main(preload=())) == set()
    with pytest.raises(UserError, match=f"no model 'mlpp' to load in .*; there are mlp, {NAME}"):
        asyncio.run(main(preload=("mlpp",)))


@pytest.mark.parametrize("watch_s", [-1.0, float("inf"), float("nan")])
def test_an_interval_that_is_not_possible_is_refused(tmp_path, watch_s):
    with pytest.raises(UserError, match="expected seconds, or 0 not to watch"):
        ServiceSettings(tmp_path, watch_s=watch_s)


def test_a_watched_folder_is_read_when_it_changes_even_after_a_fault(tmp_path, caplog, watched):
    package(tmp_path)

    async def main():
        async with started(tmp_path, watch_s=0.01) as (registry, workers):
            old, scans = registry.get(NAME).version, watched.scans
            for content in ("faulty", "correct"):
                workers.fault = content == "faulty"
                workers.called.clear()
                package(tmp_path, content=content)
                await asyncio.wait_for(workers.called.wait(), 30)
            while registry.get(NAME).version == old:
                await asyncio.sleep(0)
            polls = watched.polls
            while watched.polls < polls + 10:  # the folder does not change, and is not read
                await asyncio.sleep(0)
            assert 2 <= watched.scans - scans <= 4  # a poll may see each package half written

    asyncio.run(main())
    assert "our own fault" in caplog.text


def test_a_card_has_the_manifest_and_says_that_gates_were_not_checked(tmp_path):
    folder = package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, _):
            return registry.card(NAME), registry.get(NAME, ModelKind.PHONES)

    card, model = asyncio.run(main())
    assert card["files"]["model.onnx"]["bytes"] == (folder / "model.onnx").stat().st_size
    del card["files"]
    assert card == {
        "name": NAME, "version": model.version, "kind": "phones", "aliases": [],
        "created": int((folder / "package.json").stat().st_mtime),
        "description": "Recognises phones of one.", "readme": f"{NAME}/README.md",
        "languages": ["bs", "en"], "labels": ["a", "b"], "licence": "Apache-2.0",
        "gates": "not checked", "metrics": {}, "releases": [], "newer_refused": None,
    }  # fmt: skip
