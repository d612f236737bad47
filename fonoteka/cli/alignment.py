"""Commands that state when each word is spoken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command

app = typer.Typer()

Recording = Annotated[Path, typer.Argument(metavar="WAV", help="a recording of any rate")]
Text = Annotated[
    Path | None,
    typer.Option(
        "--text", metavar="FILE", show_default=False,
        help="the words that are spoken  [default: recognised by Whisper]",
    ),
]  # fmt: skip
Language = Annotated[
    str, typer.Option("--language", metavar="CODE", help="bs, en, hr, sr, or auto: by the text")
]
Model = Annotated[
    str, typer.Option("--model", metavar="NAME", help="a phone recogniser, or its folder")
]
Script = Annotated[
    str | None,
    typer.Option(metavar="SCRIPT", show_default=False,
                 help="of the words: latin, or cyrillic for bs, sr  [default: as written]"),
]  # fmt: skip


@app.command()
def align(
    recording: Recording,
    text: Text = None,
    language: Language = "auto",
    formats: Annotated[
        str, typer.Option("--format", metavar="NAMES", help="of the files, with commas between")
    ] = "json",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="of the files  [default: beside the recording]",
                     show_default=False),
    ] = None,
    model: Model = "whisper_ctc",
    script: Script = None,
) -> None:  # fmt: skip
    """Write when each word of a recording is spoken: json, TextGrid, subtitles, lyrics."""

    def run() -> None:
        from fonoteka.alignment.align_recording import AlignmentRequest, write_files

        request = AlignmentRequest(recording, text, language, model)
        for path in write_files(request, formats.split(","), out, script):
            print(path)

    run_command(run, undecided=FAILED)


@app.command()
def karaoke(
    recording: Recording,
    text: Text = None,
    language: Language = "auto",
    out: Annotated[
        Path | None,
        typer.Option(metavar="PAGE", show_default=False,
                     help="an HTML file  [default: the recording's name with .html]"),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(show_default=False, help="of the page  [default: the recording's name]"),
    ] = None,
    embed: Annotated[
        bool, typer.Option("--embed", help="put the recording into the page, up to 20 MB")
    ] = False,
    model: Model = "whisper_ctc",
) -> None:  # fmt: skip
    """Write a page that plays a recording and highlights the word that is spoken."""

    def run() -> None:
        from fonoteka.alignment.align_recording import AlignmentRequest, write_page

        request = AlignmentRequest(recording, text, language, model)
        print(write_page(request, out, title, embed=embed))

    run_command(run, undecided=FAILED)
