"""Several trainings side by side, as processes that one loop starts and waits for.

The order in which they end has no effect: the outcomes are returned in the order of the trainings.
A loop and not a pool of threads, because Linux sends the signal by which a training ends with its
parent when the thread that started it ends.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from fonoteka.sweep.space import Space
from fonoteka.sweep.training import Training, TrainingOutcome, finished, record, start, stop

POLL_S = 0.05  # a training takes seconds


def run_batch(trainings: Sequence[Training], space: Space, workers: int) -> list[TrainingOutcome]:
    """Run the trainings that are not finished, at most `workers` at a time.

    Returns:
        One outcome per training, in their order.
    """
    earlier = map(finished, trainings)
    outcomes = {number: outcome for number, outcome in enumerate(earlier) if outcome}
    waiting = [number for number in range(len(trainings)) if number not in outcomes]
    running: dict[int, subprocess.Popen[bytes]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                number = waiting.pop(0)
                running[number] = start(trainings[number], space)
            for number, process in [*running.items()]:
                if (code := process.poll()) is None:
                    continue
                del running[number]
                outcomes[number] = record(trainings[number], space, code)
                _print(trainings[number], outcomes[number], space)
            time.sleep(POLL_S)
    finally:
        for process in running.values():
            stop(process)
    return [outcomes[number] for number in range(len(trainings))]


def _print(training: Training, outcome: TrainingOutcome, space: Space) -> None:
    result = outcome.reason or f"{space.objective.key} {outcome.error:.4f}"
    print(f"{training.name}: {result}", flush=True)
