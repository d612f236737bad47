"""Read a text file line by line: an invalid line is refused and does not affect the others.

The file is UTF-8, or UTF-16 if it begins with its byte-order mark, as spreadsheets and Notepad
write it.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from fonoteka.corpus.importers.layouts.base import RefusedError

FIRST_BYTES = 65536
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_UNDECODED = re.compile(r"[\ud800-\udfff]")  # "surrogateescape" turns undecodable bytes into these
_LINE_ENDS = re.compile(r"\r\n|\n|\r")


def read_lines(path: Path, refused: list[RefusedError]) -> list[tuple[int, str]]:
    """Return the lines of a file that are not blank, stripped, with their numbers from 1.

    Args:
        path: the file.
        refused: errors of lines that are not text are appended here, with the line's first word.

    Raises:
        RefusedError: the file cannot be opened, or it is UTF-16 that ends within a character.
    """
    lines = []
    # `splitlines` would also split at U+2028 and other rare characters.
    for number, line in enumerate(decoded(path).replace("\r\n", "\n").split("\n"), start=1):
        if problem := problem_of(line):
            word = (line.split(maxsplit=1) or [""])[0]
            refused.append(RefusedError("wrong row", f"{path}:{number}: {problem}", word))
        elif line.strip():
            lines.append((number, line.strip()))
    return lines


def lines_with_ends(path: Path) -> list[str]:
    r"""Return all lines of a table with their ends, which are \n, \r\n or \r.

    Raises:
        RefusedError: as `read_lines`.
    """
    text = decoded(path)
    ends = [match.end() for match in _LINE_ENDS.finditer(text)]
    starts = [0, *ends]
    lines = [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
    return lines if lines[-1] else lines[:-1]


def first_lines(path: Path) -> list[str]:
    """Return the complete lines among the first bytes of a file, for detection; never raises."""
    try:
        with path.open("rb") as file:
            data = file.read(FIRST_BYTES + 1)
    except OSError:
        return []
    lines = _LINE_ENDS.split(_decode(data, "replace"))
    return lines[:-1] if len(data) > FIRST_BYTES and len(lines) > 1 else lines


def decoded(path: Path) -> str:
    """Return the text of a file without its byte-order mark; `problem_of` finds undecoded bytes.

    Raises:
        RefusedError: as `read_lines`.
    """
    try:
        return _decode(path.read_bytes(), "surrogateescape")
    except OSError as error:
        sentence = f"{path}: cannot be read: {error.strerror}"
        raise RefusedError("no access", sentence) from error
    except UnicodeDecodeError as error:
        sentence = f"{path}: not UTF-16 at byte {error.start}; save it as UTF-8"
        raise RefusedError("wrong row", sentence) from error


def problem_of(line: str) -> str:
    r"""Return why a line is not text; empty if it is text.

    >>> problem_of("čaša"), problem_of("\udc9aaša").partition(";")[0]
    ('', 'not UTF-8 at byte 0')
    """
    if undecoded := _UNDECODED.search(line):
        byte = len(line[: undecoded.start()].encode())
        return (
            f"not UTF-8 at byte {byte}; save it as UTF-8 "
            "(older texts with č and š are often Windows-1250)"
        )
    if "\0" in line:
        return f"contains the character '\\x00' at {line.index(chr(0))}; save the file as UTF-8"
    return ""


def _decode(data: bytes, errors: str) -> str:
    if data.startswith(UTF_16):
        errors = "surrogatepass" if errors == "surrogateescape" else errors
        return data.decode("utf-16", errors)
    return data.decode("utf-8-sig", errors)
