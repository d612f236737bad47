"""Write an aligned text as a file in each of the formats.

Text is made printable first, see `printable`. Files are UTF-8 with newlines alone at the ends of
lines, and are renamed to their names when they are complete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fonoteka.alignment.aligned_text import AlignedText, broken_into_lines
from fonoteka.alignment.formats.alignment_json import alignment_json
from fonoteka.alignment.formats.ass import ass
from fonoteka.alignment.formats.ctm import ctm
from fonoteka.alignment.formats.lrc import lrc, lrc_words
from fonoteka.alignment.formats.options import SubtitleOptions
from fonoteka.alignment.formats.phone_times import check_phones
from fonoteka.alignment.formats.printable import printable, printable_text
from fonoteka.alignment.formats.subtitles import srt, vtt
from fonoteka.alignment.formats.textgrid import textgrid
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text


@dataclass(frozen=True)
class AlignmentFormat:
    """A format of files.

    Attributes:
        suffix: the usual end of a file's name.
        render: returns a printable text in the format, from the text, the recording's name and the
            options.
    """

    suffix: str
    render: Callable[[AlignedText, str, SubtitleOptions], str]


FORMATS = {
    "json": AlignmentFormat(".json", lambda text, _name, _options: alignment_json(text)),
    "textgrid": AlignmentFormat(".TextGrid", lambda text, _name, _options: textgrid(text)),
    "ctm": AlignmentFormat(".ctm", lambda text, name, _options: ctm(text, name)),
    "srt": AlignmentFormat(".srt", lambda text, _name, _options: srt(text)),
    "vtt": AlignmentFormat(".vtt", lambda text, _name, options: vtt(text, options.vtt_style)),
    "ass": AlignmentFormat(".ass", lambda text, name, options: ass(text, name, options.ass_tag)),
    "lrc": AlignmentFormat(".lrc", lambda text, _name, _options: lrc(text)),
    "lrc_words": AlignmentFormat(".lrc", lambda text, _name, _options: lrc_words(text)),
}
DEFAULT_OPTIONS = SubtitleOptions()
OUTPUTS, OUTPUT_JSON, OUTPUT_TEXT, OUTPUT_LYRICS = (
    "outputs", "transcription_base.json", "transcription_base.txt", "karaoke.lrc",
)  # fmt: skip


def render(
    text: AlignedText,
    format_name: str,
    recording_name: str,
    options: SubtitleOptions = DEFAULT_OPTIONS,
) -> str:
    """Return the contents of a file.

    Args:
        text: the words with their times.
        format_name: a key of `FORMATS`.
        recording_name: the first field of CTM and the title of ASS; the other formats have none.
        options: how lines are broken and coloured.

    Raises:
        UserError: the format is not one of `FORMATS`, or phones overlap or leave their word.
    """
    if format_name not in FORMATS:
        raise UserError(f"format {format_name!r} is not one of {', '.join(FORMATS)}")
    return FORMATS[format_name].render(_prepared(text, options), recording_name, options)


def write_alignment(
    text: AlignedText, format_name: str, path: Path, options: SubtitleOptions = DEFAULT_OPTIONS
) -> None:
    """Write a text to a file; the recording's name is the file's name without its suffix.

    Raises:
        UserError: as in `render`, or the file cannot be written.
    """
    _write(path, render(text, format_name, path.stem, options))


def write_outputs(
    text: AlignedText,
    folder: Path,
    file_id: str,
    options: SubtitleOptions = DEFAULT_OPTIONS,
) -> Path:
    """Write the JSON, the lines as plain text and the karaoke lyrics of one recording.

    The files are `transcription_base.json`, `transcription_base.txt` and `karaoke.lrc`.

    Args:
        text: the words with their times.
        folder: contains `outputs`, which is created if it is missing.
        file_id: name of the folder in `outputs`.
        options: how lines are broken.

    Returns:
        The folder `outputs/<file_id>`.

    Raises:
        UserError: `file_id` is not the name of a folder, or a file cannot be written.
    """
    is_name = file_id == printable(file_id) and not {*"/\\"} & {*file_id}
    if not is_name or file_id in ("", ".", ".."):
        raise UserError(
            f"file_id {file_id!r} must be the name of one folder: characters without a path "
            "separator or control character, and neither '.' nor '..'"
        )
    target = folder / OUTPUTS / file_id
    contents = {
        OUTPUT_JSON: render(text, "json", file_id, options),
        OUTPUT_TEXT: "".join(f"{line.text}\n" for line in _prepared(text, options).lines),
        OUTPUT_LYRICS: render(text, "lrc_words", file_id, options),
    }
    for name, content in contents.items():
        _write(target / name, content)
    return target


def _prepared(text: AlignedText, options: SubtitleOptions) -> AlignedText:
    clean = printable_text(text)
    for word in clean.words:
        check_phones(word)
    if options.line_letters is not None:
        clean = broken_into_lines(clean, options.line_letters, options.line_pause_s)
    return clean


def _write(path: Path, content: str) -> None:
    try:
        write_text(path, content)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written: {error.strerror or error}; choose another folder"
        ) from error
