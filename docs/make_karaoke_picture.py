"""Make the picture of the karaoke page that the README shows.

    python docs/make_karaoke_picture.py OUT.png                 a text over tones, made here
    python docs/make_karaoke_picture.py OUT.png --dark --time-s 5
    python docs/make_karaoke_picture.py OUT.png --recording A.wav --alignment A.json

Reads   a recording and its alignment as JSON, if given
Writes  OUT.png, at most 60 KB

Needs Debian's chromium; the packages are those of the tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

sys.path.append(str(Path(__file__).resolve().parents[1]))

from page_picture import browser_page, write_picture

from fonoteka.alignment.aligned_text import (
    AlignedLine,
    AlignedPhone,
    AlignedText,
    AlignedWord,
)
from fonoteka.alignment.karaoke_page import write_karaoke
from fonoteka.core.errors import UserError
from fonoteka.phones import from_letters
from fonoteka.text.to_cyrillic import to_cyrillic

LARGEST_BYTES = 60_000
WIDTH, HEIGHT = 800, 440
SAMPLE_RATE_HZ = 16000
PHONE_S = 0.09
VERSE = (
    "Jutro miriše na kišu,",
    "grad se polako budi,",
    "na trgu golubovi pišu",
    "pisma za dobre ljude.",
)
UNSURE_WORD = "polako"  # shows the mark of a low score


def sample_text() -> AlignedText:
    """Return the verse with 90 ms per phone, 0.1 s between words and 0.5 s between lines."""
    lines: list[AlignedLine] = []
    time_s = 0.5
    for verse in VERSE:
        words = []
        for written in verse.split():
            words.append(_word(written, time_s))
            time_s = words[-1].end_s + 0.1
        lines.append(AlignedLine(tuple(words)))
        time_s += 0.4
    return AlignedText("sr", time_s, tuple(lines))


def _word(written: str, start_s: float) -> AlignedWord:
    score = 0.11 if written == UNSURE_WORD else 0.95
    phones = tuple(
        AlignedPhone(symbol, start_s + index * PHONE_S, start_s + (index + 1) * PHONE_S, score)
        for index, symbol in enumerate(from_letters(written.strip(",.").lower()))
    )
    return AlignedWord(written, start_s, phones[-1].end_s, score, phones)


def write_tones(text: AlignedText, path: Path) -> None:
    """Write a recording with one tone per word, 220 Hz and up in steps of a semitone."""
    times_s = np.arange(round(text.duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    signal = np.zeros(times_s.size)
    for index, word in enumerate(text.words):
        during = (word.start_s <= times_s) & (times_s < word.end_s)
        signal += during * 0.2 * np.sin(2 * np.pi * 220 * 2 ** (index / 12) * times_s)
    soundfile.write(path, signal, SAMPLE_RATE_HZ)


def in_cyrillic(text: AlignedText) -> AlignedText:
    """Return the text with its words in Cyrillic letters."""
    lines = tuple(
        AlignedLine(tuple(replace(word, text=to_cyrillic(word.text)) for word in line.words))
        for line in text.lines
    )
    return replace(text, lines=lines)


def screenshot(page_path: Path, time_s: float, dark: bool, phones: bool) -> bytes:
    """Return a PNG of a page at a time of its recording."""
    with browser_page(WIDTH, HEIGHT, dark=dark) as page:
        page.goto(f"{page_path.as_uri()}#t={time_s:g}")
        page.wait_for_function("document.querySelector('audio').readyState >= 2")
        if phones:
            page.click("#phones")
        page.wait_for_timeout(1000)  # the line scrolls into view
        return page.screenshot()


def run(args: argparse.Namespace) -> None:
    """Make the page in a temporary folder and take its picture."""
    with tempfile.TemporaryDirectory() as folder:
        recording, page_path = args.recording, Path(folder) / "page.html"
        if recording is None:
            text, other_script = sample_text(), in_cyrillic(sample_text())
            recording = Path(folder) / "tones.wav"
            write_tones(text, recording)
        else:
            from fonoteka.alignment.formats.alignment_json import read_alignment

            text, other_script = read_alignment(args.alignment), None
        write_karaoke(
            text, recording, page_path, embed=False, title=args.title, other_script=other_script
        )
        picture = screenshot(page_path, args.time_s, args.dark, args.phones)
        write_picture(picture, args.out, LARGEST_BYTES, "use less text")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--recording", type=Path, help="needs --alignment")
    parser.add_argument("--alignment", type=Path, help="JSON that belongs to --recording")
    parser.add_argument("--title", default="Karaoke")
    parser.add_argument("--time-s", type=float, default=4.4, help="of the recording; default 4.4")
    parser.add_argument("--dark", action="store_true", help="the dark colours of the page")
    parser.add_argument("--phones", action="store_true", help="with the phones below the words")
    args = parser.parse_args()
    if (args.recording is None) != (args.alignment is None):
        parser.error("--recording and --alignment belong together; give both or none")
    try:
        run(args)
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
