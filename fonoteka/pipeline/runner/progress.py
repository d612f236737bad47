"""Show the progress of a run: a live table on a terminal, plain lines anywhere else.

Elapsed times are only printed. They are in no file that dvc hashes, because they are not results.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

REFRESH_S = 0.25


class RunningStage(Protocol):
    """The attributes of a running stage that are displayed."""

    name: str

    def elapsed_s(self) -> float:
        """Return the seconds since the start."""

    def latest_line(self) -> str:
        """Return the newest line of the stage's log."""


class ProgressDisplay:
    """The number of ended stages and, on a terminal, a table of the running ones.

    A context manager.
    """

    def __init__(self, total: int, console: Console | None = None) -> None:
        """Show `total` stages on `console`, standard output by default."""
        self.total = total
        self.console = console or Console()
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._drawn_s = 0.0

    def __enter__(self) -> ProgressDisplay:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def ended(self, done: int, name: str, text: str) -> None:
        """Print the line of a stage that ended, for example `[ 3/22] split: done in 2.1 s`."""
        width = len(str(self.total))
        self.console.print(
            f"[{done:>{width}}/{self.total}] {name}: {text}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def draw(self, done: int, running: Sequence[RunningStage]) -> None:
        """Redraw the running stages, at most four times per second and only on a terminal."""
        now_s = time.monotonic()
        if self._live.is_started and now_s - self._drawn_s >= REFRESH_S:
            self._drawn_s = now_s
            self._live.update(table(done, self.total, running), refresh=True)


def table(done: int, total: int, running: Sequence[RunningStage]) -> Group:
    """Return a table with one running stage per row: name, seconds, and the latest log line."""
    # `ratio` shortens the last column only in a table that fills the screen.
    rows = Table(box=None, show_header=False, pad_edge=False, expand=True)
    rows.add_column(no_wrap=True, style="bold")
    rows.add_column(no_wrap=True, justify="right")
    rows.add_column(no_wrap=True, overflow="ellipsis", style="dim", ratio=1)
    for stage in running:
        rows.add_row(Text(stage.name), f"{stage.elapsed_s():.0f} s", Text(stage.latest_line()))
    return Group(Text(f"{done} of {total} stages done, {len(running)} running"), rows)
