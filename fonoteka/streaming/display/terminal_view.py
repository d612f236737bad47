"""Updates of a stream on a terminal: a live line; or as plain text, for files and pipes.

Committed phones are shown by their confidence, provisional ones are dimmed. An endpoint starts a
new line. Rows that are full are printed once and never drawn again, so that the cost of an update
does not grow with the length of an utterance.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.text import Text

from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate

SURE, UNSURE = 0.8, 0.5
"""Confidence from which a phone is shown as sure, and below which it is underlined as well."""

SURE_STYLE, DOUBTED_STYLE, UNSURE_STYLE, PROVISIONAL_STYLE = "", "yellow", "underline red", "dim"
REFRESH_S = 1 / 30  # between two drawings; one takes 0.15 ms here, and a slow terminal takes longer


def phone_style(phone: StreamedPhone, provisional: bool) -> str:
    """Return the style of a phone, as rich names it.

    >>> phone_style(StreamedPhone("a", 0.0, 0.1, 0.7), provisional=False)
    'yellow'
    """
    if provisional:
        return PROVISIONAL_STYLE
    if phone.confidence >= SURE:
        return SURE_STYLE
    return DOUBTED_STYLE if phone.confidence >= UNSURE else UNSURE_STYLE


def row_text(committed: Sequence[StreamedPhone], provisional: Sequence[StreamedPhone] = ()) -> Text:
    """Return phones with their styles, with spaces between.

    >>> row_text([StreamedPhone("d", 0.0, 0.1, 1.0)], [StreamedPhone("a", 0.1, 0.2, 1.0)]).plain
    'd a'
    """
    styled = [(phone.symbol, phone_style(phone, provisional=False)) for phone in committed]
    styled += [(phone.symbol, phone_style(phone, provisional=True)) for phone in provisional]
    return Text(" ").join(Text(symbol, style) for symbol, style in styled)


class PhoneRows:
    """The rows of a stream on a screen of a given width."""

    def __init__(self, width: int) -> None:
        """Start a stream.

        Args:
            width: in cells of the terminal.
        """
        self.width = width
        self._committed: list[StreamedPhone] = []
        self._provisional: tuple[StreamedPhone, ...] = ()

    def add(self, update: StreamUpdate) -> list[Text]:
        """Return the rows that an update completes; they do not change any more."""
        self._committed += update.committed
        self._provisional = update.provisional
        rows = []
        while (count := self._fitting()) < len(self._committed):
            rows.append(row_text(self._committed[:count]))
            del self._committed[:count]
        if update.endpoint and self._committed:
            rows.append(row_text(self._committed))
            self._committed.clear()
        return rows

    def current(self) -> Text:
        """Return the row that is not complete, with the provisional phones."""
        return row_text(self._committed, self._provisional)

    def _fitting(self) -> int:
        """Return how many committed phones fit into a row, at least 1 if there is one."""
        used = -1  # the first phone has no space before it
        for count, phone in enumerate(self._committed):
            used += 1 + cell_len(phone.symbol)
            if used > self.width and count:
                return count
        return len(self._committed)


class TerminalView:
    """Draws a stream on a terminal."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Start a line on a console.

        Args:
            console: of the terminal.
            clock: returns seconds.
        """
        self._console = console
        self._clock = clock
        self._rows = PhoneRows(console.width)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()
        self._drawn_s = -1.0
        self._drawn = Text()

    def show(self, update: StreamUpdate) -> None:
        """Print complete rows, and draw the current one at most 30 times per second."""
        complete, current = self._rows.add(update), self._rows.current()
        now_s = self._clock()
        changed = current != self._drawn and now_s - self._drawn_s >= REFRESH_S
        if not complete and not changed:
            return
        with self._console:  # writes all at once, so that no row is visible twice
            for row in complete:
                self._print(row)
            self._live.update(current, refresh=True)
        self._drawn, self._drawn_s = current, now_s

    def close(self) -> None:
        """Leave the current row on the terminal."""
        with self._console:
            self._live.stop()
            if current := self._rows.current():
                self._print(current)

    def _print(self, row: Text) -> None:
        self._console.print(row, soft_wrap=True)


class PlainView:
    """Writes committed phones to a file as they come, one line per utterance."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._started = False

    def show(self, update: StreamUpdate) -> None:
        """Write the phones that are new."""
        for phone in update.committed:
            self._file.write(f" {phone.symbol}" if self._started else phone.symbol)
            self._started = True
        if update.endpoint:
            self._end_line()
        if update.committed or update.endpoint:
            self._file.flush()

    def close(self) -> None:
        """End the line."""
        self._end_line()
        self._file.flush()

    def _end_line(self) -> None:
        if self._started:
            self._file.write("\n")
        self._started = False
