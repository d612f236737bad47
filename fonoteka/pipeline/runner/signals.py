"""Handle the signals that stop a build."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any, NoReturn


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)


def stoppable() -> AbstractContextManager[None]:
    """Raise KeyboardInterrupt inside the block on SIGTERM and if the terminal closes."""
    return on_signals(_interrupt, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def on_signals(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals with `handler` inside the block, and restore the old handlers after it."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
