r"""Make the picture of `listen` on a terminal that the README shows: an SVG that moves.

    python -m fonoteka listen --wav clip.wav --jsonl --fast \
      | python docs/make_terminal_picture.py OUT.svg --command "fonoteka listen --wav clip.wav"

Reads   standard input: the JSON lines of a stream
Writes  OUT.svg, at most 150 KB; equal lines give equal bytes

Each phone is shown from the time of the update that has it until that of the update that has it no
more, in a loop. A program that shows no animation shows the last screen.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

sys.path.append(str(Path(__file__).resolve().parents[1]))

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text
from fonoteka.streaming.display.json_lines import read_json_line
from fonoteka.streaming.display.terminal_view import PhoneRows
from fonoteka.streaming.interfaces import StreamUpdate

LARGEST_BYTES = 150_000
HOLD_S = 2.0  # for which the last screen stays
FONT_PX, ROW_PX, MARGIN_PX = 16, 24, 16
CELL_PX = 9.6  # of a monospaced font, whose letters are 0.6 em wide
BACKGROUND, FOREGROUND, DIMMED = "#0d1117", "#e6edf3", "#848d97"
COLOURS = {"yellow": "#d29922", "red": "#ff7b72"}
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Token(NamedTuple):
    """A word on a screen.

    Attributes:
        row: from 0, the line of the command.
        column: in cells.
        text: without spaces.
        style: attributes of SVG.
    """

    row: int
    column: int
    text: str
    style: str


class Appearance(NamedTuple):
    """A token from one time to another, in seconds; an end of None is that of the picture."""

    token: Token
    start_s: float
    end_s: float | None


def svg_style(style: Style) -> str:
    """Return the attributes of SVG for a style of rich."""
    colour = COLOURS[style.color.name] if style.color else DIMMED if style.dim else FOREGROUND
    line = ' text-decoration="underline"' if style.underline else ""
    return f'fill="{colour}"{line}'


def tokens_of(rows: Sequence[Text], console: Console, first: int) -> list[Token]:
    """Return the words of rows, the first of which has the number `first`."""
    return [
        Token(
            first + number,
            cell_len(row.plain[: word.start()]),
            word.group(),
            svg_style(row.get_style_at_offset(console, word.start())),
        )
        for number, row in enumerate(rows)
        for word in re.finditer(r"\S+", row.plain)
    ]


def screens(updates: Iterable[StreamUpdate], width: int) -> Iterator[tuple[float, list[Token]]]:
    """Yield the time of each update and what the terminal shows after it.

    Args:
        updates: of one stream.
        width: of the terminal, in cells.
    """
    console = Console(file=io.StringIO(), width=width)
    rows, printed, count = PhoneRows(width), list[Token](), 1
    for update in updates:
        complete = rows.add(update)
        printed += tokens_of(complete, console, count)
        count += len(complete)
        current = [*rows.current().wrap(console, width)]
        yield update.audio_s, [*printed, *tokens_of(current, console, count)]


def appearances(states: Iterable[tuple[float, list[Token]]]) -> list[Appearance]:
    """Return when each token appears and disappears, in the order of reading."""
    visible: dict[Token, float] = {}
    ended: list[Appearance] = []
    for time_s, tokens in states:
        removed = visible.keys() - {*tokens}
        ended += [Appearance(token, visible.pop(token), time_s) for token in removed]
        for token in tokens:
            visible.setdefault(token, time_s)
    left = [Appearance(token, start_s, None) for token, start_s in visible.items()]
    return sorted(ended + left, key=lambda shown: (shown.token, shown.start_s))


def picture(shown: Sequence[Appearance], command: str, width: int, duration_s: float) -> str:
    """Return an SVG of all appearances in a loop.

    Args:
        shown: the appearances.
        command: the first line, after a prompt.
        width: of the terminal, in cells.
        duration_s: of the stream.
    """
    rows = 1 + max((item.token.row for item in shown), default=1)
    size = f"{2 * MARGIN_PX + width * CELL_PX:g}", f"{2 * MARGIN_PX + rows * ROW_PX}"
    last = " ".join(item.token.text for item in shown if item.end_s is None)
    prompt = Token(0, 0, f"$ {command}", f'fill="{FOREGROUND}"')
    elements = [f"{_text(prompt)}</text>"]
    elements += [_animated(item, duration_s + HOLD_S) for item in shown]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
            f'width="{size[0]}" height="{size[1]}" role="img">',
            f"<title>{escape(command)}: {escape(last)}</title>",
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
            f'<g font-family="{FONTS}" font-size="{FONT_PX}" xml:space="preserve">',
            *elements,
            "</g>",
            "</svg>",
        ]
    )


def _text(token: Token, attributes: str = "") -> str:
    x, y = MARGIN_PX + token.column * CELL_PX, MARGIN_PX + token.row * ROW_PX + FONT_PX
    return f'<text x="{x:g}" y="{y}" {token.style}{attributes}>{escape(token.text)}'


def _animated(shown: Appearance, loop_s: float) -> str:
    """Return the element of a token, which is visible from its start to its end in each loop."""
    start, end = shown.start_s / loop_s, (shown.end_s or loop_s) / loop_s
    steps = [(0.0, 0)] * (start > 0) + [(start, 1)] + [(end, 0)] * (shown.end_s is not None)
    values = ";".join(str(value) for _, value in steps)
    times = ";".join(f"{time:.4f}".rstrip("0").rstrip(".") for time, _ in steps)
    hidden = "" if shown.end_s is None else ' opacity="0"'
    return (
        f'{_text(shown.token, hidden)}<animate attributeName="opacity" calcMode="discrete" '
        f'dur="{loop_s:g}s" repeatCount="indefinite" values="{values}" keyTimes="{times}"/></text>'
    )


def write_picture(updates: Sequence[StreamUpdate], command: str, width: int, out: Path) -> None:
    """Write the picture of a stream.

    Raises:
        UserError: there is no update, or the picture is above `LARGEST_BYTES`.
    """
    if not updates:
        raise UserError("standard input: contains no JSON lines; pipe those of listen --jsonl")
    shown = appearances(screens(updates, width))
    text = picture(shown, command, width, updates[-1].audio_s)
    if len(text.encode()) > LARGEST_BYTES:
        raise UserError(
            f"{out}: {len(text.encode())} bytes are above the limit of {LARGEST_BYTES}; use a "
            "shorter recording"
        )
    write_text(out, text)


def main() -> None:
    """Read the command line and standard input."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT.svg")
    parser.add_argument("--command", default="fonoteka listen --wav clip.wav", help="first line")
    parser.add_argument("--width", type=int, default=72, help="of the terminal; default 72")
    args = parser.parse_args()
    try:
        updates = [read_json_line(line) for line in sys.stdin.buffer.read().decode().splitlines()]
        write_picture(updates, args.command, args.width, args.out)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
