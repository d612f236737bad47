"""Commands about the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fonoteka.core.run_stage import FAILED, run_command

app = typer.Typer()

ResultFormat = Literal["json", "text", "srt", "vtt", "verbose_json"]


@app.command()
def client(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", show_default=False, help="recordings, and folders of them"),
    ] = None,
    live: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False,
                     help="a recording that is streamed as if it were spoken now"),
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="stream the microphone")] = False,
    align: Annotated[
        Path | None,
        typer.Option(metavar="TEXTFILE", show_default=False,
                     help="the words of the recording, to be placed in time"),
    ] = None,
    url: Annotated[str, typer.Option(help="of the service")] = "http://127.0.0.1:8080",
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="whose first line is an API key"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False,
                     help="see /v1/models  [default: whisper-1, streaming for a stream]"),
    ] = None,
    result_format: Annotated[
        ResultFormat | None,
        typer.Option("--format", show_default=False,
                     help="of the results  [default: json; a stream: as lines]"),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(metavar="CODE", show_default=False, help="bs, en, hr, sr  [default: found]"),
    ] = None,
    script: Annotated[
        str | None,
        typer.Option(metavar="SCRIPT", show_default=False,
                     help="of the words: latin or cyrillic  [default: as the model writes]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", show_default=False,
                     help="of the results  [default: beside the recordings]"),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option(min=1, help="longest wait for the answer to a recording")
    ] = 3600.0,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False,
                     help="a number or name of python -m sounddevice  [default: the system's]"),
    ] = None,
) -> None:  # fmt: skip
    """Send recordings, folders or a live stream to the service, and write the results."""

    def run() -> int:
        from fonoteka.service.client.client_request import ClientRequest
        from fonoteka.service.client.command import run as send

        return send(
            ClientRequest(
                tuple(files or ()), live, mic, align, url, key_file, model, result_format, language,
                script, out, timeout_s, device,
            )
        )  # fmt: skip

    run_command(run, undecided=FAILED)
