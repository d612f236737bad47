"""Commands about the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fonoteka.cli.posix_only import require_posix
from fonoteka.cli.streaming import Device
from fonoteka.core.run_stage import FAILED, run_command

app = typer.Typer()

ResultFormat = Literal["json", "text", "srt", "vtt", "verbose_json"]


@app.command()
def serve(
    models: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", show_default=False,
                     help="of the packages  [default: data/models]"),
    ] = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 lets the system choose")] = 8080,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False,
                     help="hashes of API keys, see new-key  [default: every request is admitted]"),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", show_default=False,
                     help="of pages of other hosts that may call it; may be repeated"),
    ] = None,
    gates: Annotated[
        bool,
        typer.Option("--gates/--no-gates",
                     help="offer only models whose numbers are within the limits of params.yaml"),
    ] = True,
    watch_s: Annotated[
        float, typer.Option(metavar="S", help="compare the packages every S seconds; 0 for never")
    ] = 0.0,
    body_mib: Annotated[
        int, typer.Option(metavar="MIB", min=1, help="longest body of a request")
    ] = 128,
    workers: Annotated[
        int | None,
        typer.Option(min=1, show_default=False,
                     help="processes for recordings, and as many for streams  [default: cores]"),
    ] = None,
    log_text: Annotated[
        bool, typer.Option("--log-text", help="write recognised text into the log")
    ] = False,
) -> None:  # fmt: skip
    """Answer requests over HTTP and WebSockets until a signal stops it; JSON lines on stderr."""

    def run() -> None:
        require_posix("serve", "run it in WSL or in a container")
        from fonoteka.git import project
        from fonoteka.service.server import serve as serve_until_stopped
        from fonoteka.service.settings import ServiceSettings, UploadLimits, WorkLimits

        work = WorkLimits() if workers is None else WorkLimits(workers, workers)
        settings = ServiceSettings(
            models or project() / "data/models", host, port, keys, tuple(origin or ()),
            log_text=log_text, require_gates=gates, watch_s=watch_s,
            limits=UploadLimits(body_mib), work=work,
        )  # fmt: skip
        serve_until_stopped(settings, lambda url: print(url, flush=True))

    run_command(run, undecided=FAILED)


@app.command()
def new_key(
    name: Annotated[str, typer.Argument(help="of its holder, for logs")],
    keys: Annotated[Path, typer.Option(metavar="FILE", help="that the hash is added to")] = Path(
        "keys.txt"
    ),
) -> None:
    """Print a new API key once, and add its hash to the file that `serve --keys` reads."""

    def run() -> None:
        from fonoteka.service.keys import new_key as added_key

        print(added_key(keys, name))

    run_command(run, undecided=FAILED)


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
    device: Device = None,
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
