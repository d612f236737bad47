"""Packages are replaced while requests use them: none fails, and old versions are unloaded once."""

import asyncio
import gc

import pytest
from packaged_models import package
from started_registry import NAME, started

from fonoteka.service.interfaces import ModelKind, ModelVersion
from fonoteka.service.registry.leases import VersionLeases


async def request(registry, workers, decoded, turns=1):
    """Get a model, wait as if a recording were decoded, and compute; return both versions."""
    model = registry.get(NAME)
    await decoded.wait()
    return model.version, await workers.compute(model, turns)


def test_200_requests_over_10_swaps_all_answer_with_the_version_that_they_got(tmp_path):
    package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, workers):
            current, tasks = [registry.get(NAME).version], []
            swapped = [asyncio.Event() for _ in range(13)]
            for swap in range(10):
                for n in range(20):  # a recording is decoded before, during or after other swaps
                    decoded = swapped[swap + n % 4]
                    tasks.append(asyncio.create_task(request(registry, workers, decoded, n)))
                    await asyncio.sleep(0)
                swapped[swap].set()
                package(tmp_path, content=f"build {swap}")
                assert await registry.refresh() == {NAME: "loaded"}
                current.append(registry.get(NAME).version)
            for event in swapped:
                event.set()
            answers = await asyncio.gather(*tasks)
            await registry.drained()
            return current, answers, workers

    current, answers, workers = asyncio.run(main())
    assert answers == [(version, version) for version in current[:-1] for _ in range(20)]
    assert workers.versions("load") == current
    assert sorted(workers.versions("unload")) == sorted(current[:-1])
    assert [model.version for model in workers.loaded] == current[-1:]


def test_a_version_stays_loaded_until_the_last_request_that_got_it_submits(tmp_path):
    package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, workers):
            model = registry.get(NAME)
            package(tmp_path, content="two")
            await registry.refresh()
            assert registry.get(NAME).version != model.version
            assert workers.versions("unload") == []
            assert await workers.compute(model, 5) == model.version
            old, model = model.version, None
            await registry.drained()
            assert workers.versions("unload") == [old]

    asyncio.run(main())


def test_a_version_that_is_never_dropped_is_unloaded_after_the_longest_lease(tmp_path):
    package(tmp_path)

    async def main():
        async with started(tmp_path, lease_s=0.01) as (registry, workers):
            model = registry.get(NAME)
            package(tmp_path, content="two")
            await registry.refresh()
            await registry.drained()
            assert workers.versions("unload") == [model.version]

    asyncio.run(main())


def test_a_version_that_returns_while_it_is_in_use_is_not_unloaded(tmp_path):
    package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, workers):
            model = registry.get(NAME)
            for content in ("two", "one"):
                package(tmp_path, content=content)
                await registry.refresh()
            assert registry.get(NAME) is model
            two = workers.versions("load")[1]
            await registry.drained()
            assert workers.versions("unload") == [two]
            assert model in workers.loaded

    asyncio.run(main())


@pytest.mark.parametrize("turns", range(6))
def test_a_version_that_returns_as_its_lease_ends_is_unloaded_before_or_never(tmp_path, turns):
    async def main():
        unloaded = []

        async def unload(version):
            unloaded.append(version)

        leases = VersionLeases(unload)
        version = ModelVersion(NAME, "0123456789ab", ModelKind.PHONES, tmp_path)
        leases.retire(leases.lease(version))
        for _ in range(turns):
            await asyncio.sleep(0)
        before = len(unloaded)
        lease = leases.lease(version)
        await leases.finish()
        assert len(unloaded) == before
        assert lease == version
        return before

    assert asyncio.run(main()) in ((0,) if turns == 0 else (0, 1))


def test_a_version_that_returns_while_it_is_being_unloaded_is_loaded_again(tmp_path):
    package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, workers):
            workers.unload_gate.clear()
            package(tmp_path, content="two")
            await registry.refresh()
            while not workers.versions("unload"):
                await asyncio.sleep(0)
            package(tmp_path, content="one")
            await registry.refresh()
            workers.unload_gate.set()
            await registry.drained()
            assert registry.get(NAME) in workers.loaded

    asyncio.run(main())


def test_the_old_version_answers_while_the_new_one_is_loaded(tmp_path):
    package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, workers):
            old = registry.get(NAME).version
            package(tmp_path, content="two")
            workers.gate.clear()
            refresh = asyncio.create_task(registry.refresh())
            while len(workers.events) < 2:
                await asyncio.sleep(0)
            assert await workers.compute(registry.get(NAME), 1) == old
            workers.gate.set()
            assert (await refresh)[NAME] == "loaded"
            assert registry.get(NAME).version != old

    asyncio.run(main())


def test_a_lease_that_ends_after_the_loop_is_closed_has_no_effect(tmp_path):
    package(tmp_path)

    async def main():
        async with started(tmp_path) as (registry, _):
            model = registry.get(NAME)
            package(tmp_path, content="two")
            await registry.refresh()
            return model

    model = asyncio.run(main())
    del model
    gc.collect()
