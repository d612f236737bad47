"""Offer models to requests, and replace them while the service runs.

    scan the folder -> load beside the old version -> swap -> unload the old version when unused

Only the swap, an assignment, is visible to requests, so each of them sees the old version or the
new one. A package that is refused changes nothing: its older version stays. A package whose folder
is gone is offered until the next refresh.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.service.interfaces import JobError, ModelKind, ModelVersion, Workers
from fonoteka.service.registry.card import card_of
from fonoteka.service.registry.catalogue import Catalogue, CatalogueScan, CheckedModel
from fonoteka.service.registry.leases import LONGEST_S, VersionLeases
from fonoteka.service.registry.names import DEFAULTS, aliases_of, find
from fonoteka.service.registry.package import Stamp
from fonoteka.service.settings import ServiceSettings

UNCHANGED, LOADED, LISTED, REMOVED = "unchanged", "loaded", "listed", "removed"
ACCEPTED = (UNCHANGED, LOADED, LISTED)
LOGGER = logging.getLogger(__name__)


@dataclass
class OfferedModel:
    """A model that requests get.

    Attributes:
        lease: see `fonoteka.service.registry.leases`.
        checked: the contents of its card.
    """

    lease: ModelVersion
    checked: CheckedModel


class ModelRegistry:
    """The packages of `settings.models`; see `fonoteka.service.interfaces.Models`.

    The models for words and for streams, and the default one for phones, are loaded before they are
    offered, or those of `settings.preload`. The others are loaded by the worker that first needs
    them, and from then on like these.
    """

    def __init__(
        self, settings: ServiceSettings, workers: Workers, lease_s: float = LONGEST_S
    ) -> None:
        self._settings, self._workers = settings, workers
        self._catalogue = Catalogue(settings.models, require_gates=settings.require_gates)
        self._leases = VersionLeases(self._unload, lease_s)
        self._models: dict[str, OfferedModel] = {}
        self._refused: dict[str, str] = {}
        self.is_loading = True  # until `start` ends, so models may be missing
        self._used: set[str] = set()  # names that a request asked for
        self._loading: ModelVersion | None = None
        self._lock = asyncio.Lock()
        self._next: asyncio.Task[dict[str, str]] | None = None
        self._refreshes: set[asyncio.Task[dict[str, str]]] = set()
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the models; `workers` must run. Watch the folder if `settings.watch_s` is not 0.

        Raises:
            UserError: `settings.preload` names a package that does not exist.
        """
        signature = await asyncio.to_thread(self._signature)
        results = await self.refresh()
        if missing := sorted(set(self._settings.preload or ()) - set(results)):
            raise UserError(
                f"no model {missing[0]!r} to load in {self._settings.models}; there are "
                f"{', '.join(results) or 'none'}"
            )
        self.is_loading = False
        if self._settings.watch_s:
            self._watcher = asyncio.create_task(self._watch(signature))

    async def stop(self) -> None:
        """End the watch, refreshes, and waits for versions that are in use."""
        tasks = [*self._refreshes, *([self._watcher] if self._watcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._leases.stop()

    async def drained(self) -> None:
        """Wait until each version that was replaced is unloaded."""
        await self._leases.finish()

    def listed(self) -> list[ModelVersion]:
        """Return the versions that new requests get, sorted by name."""
        return [self._models[name].lease for name in sorted(self._models)]

    def get(self, name: str, kind: ModelKind | None = None) -> ModelVersion:
        """Return the current version of a name or alias; "" is the default of the kind.

        The version stays loaded as long as the returned object is referenced; a copy of it does
        not count.

        Raises:
            UnknownModelError: no such model is listed, or it is of another kind.
        """
        model = find(name, kind, self._versions())
        self._used.add(model.name)
        return model

    def refused(self) -> dict[str, str]:
        """Return why packages are not listed, by name; an older version of them may be."""
        return dict(self._refused)

    def card(self, name: str) -> dict[str, object]:
        """Return the card of a listed model, by its name or an alias.

        Raises:
            UnknownModelError: no such model is listed.
        """
        versions = self._versions()
        model = find(name, None, versions)
        aliases = aliases_of(model, versions)
        return card_of(self._models[model.name].checked, aliases, self._refused.get(model.name))

    async def refresh(self) -> dict[str, str]:
        """Read the packages again, load what is new, swap it in, drain and free what it replaces.

        One refresh runs at a time. Calls during it share the next one, because the running one may
        have read a package before it was replaced. Old versions are freed in the background.

        Returns:
            What happened to each package: `unchanged`, `loaded`, `listed` (it will be loaded when
            it is needed), `removed`, or why it was refused.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._refresh_next())
            self._refreshes.add(self._next)
            self._next.add_done_callback(self._refreshes.discard)
        return dict(await asyncio.shield(self._next))

    async def _refresh_next(self) -> dict[str, str]:
        async with self._lock:
            self._next = None  # a call from here on needs another scan
            try:
                scan = await asyncio.to_thread(self._catalogue.scan)
            except OSError as error:
                reason = f"the folder of models cannot be read: {error.strerror}"
                scan = CatalogueScan(refused=dict.fromkeys(self._models, reason))
            results = dict(scan.refused)
            for name, checked in scan.accepted.items():
                results[name] = await self._offer(name, checked)
            self._refused = {n: text for n, text in results.items() if text not in ACCEPTED}
            for name in self._models.keys() - results.keys():
                self._leases.retire(self._models.pop(name).lease)
                results[name] = REMOVED
        for name, result in sorted(results.items()):
            level = logging.WARNING if name in self._refused else logging.INFO
            LOGGER.log(level, "model %s: %s", name, result)
        return dict(sorted(results.items()))

    async def _offer(self, name: str, checked: CheckedModel) -> str:
        """Offer a package, and return what happened to it."""
        version, offered = checked.package.version, self._models.get(name)
        if offered and offered.lease == version:
            offered.checked = checked
            return UNCHANGED
        lease = self._leases.lease(version)
        result = LISTED
        if self._is_loaded_first(version):
            self._loading = version
            try:
                await self._workers.load(version)
            except JobError as error:
                self._leases.retire(lease)  # some workers may have loaded it
                return self._catalogue.without_paths(str(error))
            finally:
                self._loading = None
            result = LOADED
        self._models[name] = OfferedModel(lease, checked)
        if offered:
            self._leases.retire(offered.lease)
        return result

    def _is_loaded_first(self, version: ModelVersion) -> bool:
        if version.name in self._used:
            return True
        if self._settings.preload is not None:
            return version.name in self._settings.preload
        return version.kind != ModelKind.PHONES or version.name == DEFAULTS[ModelKind.PHONES]

    def _is_wanted(self, version: ModelVersion) -> bool:
        offered = self._models.get(version.name)
        return version == self._loading or (offered is not None and offered.lease == version)

    async def _unload(self, version: ModelVersion) -> None:
        """Free a version; if it was offered again meanwhile, load it again."""
        try:
            await self._workers.unload(version)
            LOGGER.info("model %s %s: unloaded", version.name, version.version)
            if self._is_wanted(version):
                await self._workers.load(version)
        except JobError as error:
            LOGGER.warning("model %s %s: %s", version.name, version.version, error)

    def _versions(self) -> dict[str, ModelVersion]:
        return {name: offered.lease for name, offered in self._models.items()}

    def _signature(self) -> dict[str, Stamp]:
        try:
            return self._catalogue.signature()
        except OSError as error:
            return {str(error): ()}

    async def _watch(self, signature: dict[str, Stamp]) -> None:
        while True:
            await asyncio.sleep(self._settings.watch_s)
            current = await asyncio.to_thread(self._signature)
            if current == signature:
                continue
            signature = current
            try:
                await self.refresh()
            except Exception:  # our own fault: it must not end the watch
                LOGGER.exception("refresh of models")
