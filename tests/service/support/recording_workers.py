"""Workers that compute nothing, and record which versions they have and had."""

from __future__ import annotations

import asyncio
from collections import Counter

from fonoteka.service.interfaces import ModelVersion, UnavailableError


class RecordingWorkers:
    """Loads and unloads in no time, unless a test stops it.

    Attributes:
        loaded: versions that are loaded.
        events: `load` and `unload` with the version, in order.
        jobs: of each version that run; `unload` waits for them, as the contract demands.
        called: set by each `load`.
        fault: whether `load` fails in a way that no worker should.
        broken: names of models that cannot be loaded.
        gate: set while `load` may proceed.
        unload_gate: the same for `unload`.
    """

    def __init__(self) -> None:
        self.loaded: set[ModelVersion] = set()
        self.events: list[tuple[str, ModelVersion]] = []
        self.jobs: Counter[ModelVersion] = Counter()
        self.broken: set[str] = set()
        self.fault = False
        self.called, self.gate, self.unload_gate = (asyncio.Event() for _ in range(3))
        self.gate.set()
        self.unload_gate.set()
        self._freed = asyncio.Condition()

    async def load(self, model: ModelVersion) -> None:
        self.events.append(("load", model))
        self.called.set()
        if self.fault:
            raise RuntimeError("our own fault")
        await self.gate.wait()
        if model.name in self.broken:
            raise UnavailableError(f"{model.folder}/model.onnx: does not run")
        self.loaded.add(model)

    async def unload(self, model: ModelVersion) -> None:
        self.events.append(("unload", model))
        await self.unload_gate.wait()
        async with self._freed:
            await self._freed.wait_for(lambda: not self.jobs[model])
        self.loaded.discard(model)

    async def compute(self, model: ModelVersion, turns: int) -> str:
        """Run a job of some turns of the loop; return the version that answered.

        Raises:
            UnavailableError: the version is not loaded.
        """
        version = ModelVersion(**vars(model))  # as a worker process has it: no lease
        del model
        if version not in self.loaded:
            raise UnavailableError(f"{version.name} {version.version} is not loaded")
        self.jobs[version] += 1
        for _ in range(turns):
            await asyncio.sleep(0)
        assert version in self.loaded, "unloaded while a job ran"
        self.jobs[version] -= 1
        async with self._freed:
            self._freed.notify_all()
        return version.version

    def versions(self, event: str) -> list[str]:
        return [model.version for name, model in self.events if name == event]
