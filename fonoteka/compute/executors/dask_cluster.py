"""The executor `dask`: a cluster on this machine, or one that runs already, by its address.

Dask gives the unit of a lost worker to another one, and after some losses gives up on it.
"""

from __future__ import annotations

import logging
import time
import uuid
from concurrent.futures import CancelledError
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fonoteka.compute.clip_task import ClipTask
from fonoteka.compute.executors.interface import AHEAD_PER_WORKER, balanced_items
from fonoteka.compute.packed_task import pack, pack_unit, run_packed
from fonoteka.compute.work_unit import UnitOutcome, WorkUnit, clip_in_work
from fonoteka.core.errors import UserError

CONNECT_S = 10.0
"""Seconds until a scheduler that does not answer is given up."""

NO_WORKER_S = 60.0
"""Seconds that a cluster may be without any worker, for example while one is started again."""

LOOK_S = 5.0
"""Seconds between two looks whether the cluster still has workers."""

CLOSE_S = 30.0
"""Seconds in which a cluster that loses workers must close."""

LOSSES = 2
"""Workers of a cluster that is started here which a unit may lose; the next loss ends the run."""

SETTINGS = {"distributed.scheduler.worker-saturation": 1.0}
"""A worker keeps one unit, so that of several units only the one in work is suspected."""


class DaskWorkers:
    """A client of a cluster, and the futures of units that it has not returned."""

    def __init__(
        self, task: ClipTask[Any, Any], cache: Path | None, workers: int, scheduler: str
    ) -> None:
        self._task, self._cache, self._scheduler = task, cache, scheduler
        self._workers = workers
        self._run = uuid.uuid4().hex[:12]  # keys are shared with other clients of the scheduler
        self._packed = pack(task, cache)
        self._stack = ExitStack()
        self._client: Any = None
        self._units: dict[int, WorkUnit[Any]] = {}
        self._futures: dict[int, Any] = {}

    @property
    def ahead(self) -> int:
        """Several units per worker."""
        return AHEAD_PER_WORKER * self._workers

    def unit_items(self, shard_items: int, shards: int) -> int:
        """Return a size that balances the workers."""
        return balanced_items(shard_items, shards, self._workers)

    def submit(self, unit: WorkUnit[Any]) -> None:
        """Give the unit to the scheduler; the first one connects to it."""
        if self._client is None:
            self._client = self._connect()
        self._units[unit.number] = unit
        key = f"{self._task.name}-{self._run}-{unit.shard}-{unit.number}"
        self._futures[unit.number] = self._client.submit(
            run_packed, self._packed, pack_unit(unit), key=key, pure=False
        )

    def outcome(self, number: int) -> UnitOutcome:
        """Wait for a unit as long as the scheduler answers and has a worker."""
        from distributed.scheduler import KilledWorker

        unit, future = self._units.pop(number), self._futures.pop(number)
        lonely_since: float | None = None
        while True:
            try:
                outcome: UnitOutcome = future.result(timeout=LOOK_S)
            except KilledWorker as error:
                place = clip_in_work(self._task, self._cache, unit)
                raise UserError(
                    f"{place}: {error.allowed_failures + 1} Dask workers were "
                    "lost while they worked on it; look at the clip, and at the workers' memory"
                ) from error
            except CancelledError as error:
                raise self._lost("the connection was lost") from error
            except ModuleNotFoundError as error:  # it could not even read the unit
                raise UserError(
                    f"a Dask worker failed with {error}; start workers in the folder of this "
                    "repository, with its environment and with PYTHONPATH=."
                ) from error
            except TimeoutError:
                lonely_since = self._time_without_worker(lonely_since)
            else:
                return outcome

    def close(self, *, finished: bool) -> None:
        """Leave the cluster, or end it if it was started here."""
        if not finished and self._client is not None and self._client.status == "running":
            self._client.cancel(list(self._futures.values()))
        self._futures.clear()
        self._stack.close()

    def _connect(self) -> Any:
        """Return a client of the scheduler, and take the number of its workers if it is larger."""
        try:
            import dask
            import distributed
        except ModuleNotFoundError as error:
            raise UserError(
                "execution.executor is dask, but the package distributed is not installed; "
                "run `pip install distributed`, or choose another executor in params.yaml"
            ) from error
        address: Any = self._scheduler
        if not address:
            self._stack.enter_context(dask.config.set(SETTINGS))
            cluster = distributed.LocalCluster(
                n_workers=self._workers, threads_per_worker=1, processes=True,
                dashboard_address="127.0.0.1:0",  # another port for each run of a machine
                scheduler_kwargs={"allowed_failures": LOSSES}, silence_logs=logging.CRITICAL,
            )  # fmt: skip
            self._stack.callback(close_cluster, cluster)
            address = cluster
        try:
            client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:  # TimeoutError is one of the former
            raise self._lost(" ".join(str(error).split()) or "it does not answer") from error
        self._stack.enter_context(client)
        try:
            client.wait_for_workers(1, timeout=NO_WORKER_S)
        except TimeoutError as error:
            raise self._lost(f"it has had no worker for {NO_WORKER_S:.0f} s") from error
        self._workers = max(self._workers, len(client.scheduler_info(n_workers=-1)["workers"]))
        return client

    def _time_without_worker(self, since: float | None) -> float | None:
        """Return since when the cluster has no worker, or None if it has one.

        Raises:
            UserError: that is `NO_WORKER_S` ago.
        """
        if self._client.status != "running" or self._client.nthreads():
            return None
        now = time.monotonic()
        if since is not None and now - since > NO_WORKER_S:
            raise self._lost(f"it has had no worker for {NO_WORKER_S:.0f} s")
        return since or now

    def _lost(self, state: str) -> UserError:
        place = self._scheduler or "of this machine"
        return UserError(
            f"Dask scheduler {place}: {state}; results of finished clips are kept, and the next "
            "run continues with them"
        )


def close_cluster(cluster: Any) -> None:
    """Close a LocalCluster, even while some of its workers end or start.

    The scheduler of distributed 2026.8 raises KeyError if it retires a worker whose connection is
    closed already or not open yet. The cluster is half closed then, and would wait for itself if it
    was closed again. A worker that was killed is started again, so that there is more than one
    such moment.

    Raises:
        KeyError: the scheduler raises it for longer than `CLOSE_S`.
    """
    from distributed.core import Status

    until = time.monotonic() + CLOSE_S
    while True:
        try:
            cluster.close()
        except KeyError:
            if time.monotonic() > until:
                raise
        else:
            return
        cluster.status = Status.failed
        time.sleep(0.1)  # a connection opens or closes within some of these
