"""Commands that harvest recordings from the web, and that forget an address."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import given_path

app = typer.Typer(
    help="Download recordings that may be used, with their evidence, or forget one.",
    no_args_is_help=True,
)


@app.command()
def run(
    name: Annotated[str, typer.Option(help="folder below data/raw; letters, digits, - _")],
    urls: Annotated[
        list[str] | None, typer.Argument(metavar="URL", help="recordings", show_default=False)
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", parser=given_path, metavar="FILE", help="one address per line"),
    ] = None,
    feeds: Annotated[
        list[str] | None, typer.Option("--feed", metavar="URL", help="a podcast, RSS or Atom")
    ] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option("--list", metavar="URL", help="an index or a manifest, on a server or here"),
    ] = None,
    yt_dlp: Annotated[
        list[str] | None, typer.Option("--yt-dlp", metavar="URL", help="a page for yt-dlp")
    ] = None,
    licence: Annotated[str, typer.Option(help="of items whose source states none")] = "",
    evidence: Annotated[str, typer.Option(help="where that licence is stated")] = "",
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="licences to take, as 'CC BY*'  [default: any]"),
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="take items whose licence has changed")
    ] = False,
    language: Annotated[
        str,
        typer.Option(help="of all items: bs, en, hr or sr  [default: what the source states]"),
    ] = "",
    speaker: Annotated[str, typer.Option(help="of all items  [default: the show or host]")] = "",
    max_s: Annotated[float, typer.Option(help="longest clip, at most inventory.max_s")] = 28.0,
    max_mb: Annotated[int, typer.Option(help="MiB of a recording")] = 512,
    max_total_mb: Annotated[int, typer.Option(help="MiB of a run")] = 20_480,
    max_items: Annotated[int, typer.Option(help="recordings of a run")] = 10_000,
    rate_kb: Annotated[int, typer.Option(help="KiB per second")] = 4096,
    delay_s: Annotated[float, typer.Option(help="between requests to a host")] = 1.0,
    max_wait_s: Annotated[float, typer.Option(help="that a server may ask for")] = 120.0,
    retries: Annotated[int, typer.Option(help="of what fails or is cut")] = 3,
    contact: Annotated[
        str, typer.Option(help="address that the servers' owners see, in User-Agent")
    ] = "",
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="also ask hosts of the local network")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="also what was found too large or unreadable before")
    ] = False,
    no_dvc: Annotated[bool, typer.Option("--no-dvc", help="do not track by DVC")] = False,
) -> None:
    """Download recordings, cut them at pauses, and add them to a corpus."""
    from fonoteka.harvest import command
    from fonoteka.harvest.harvester import HarvestTerms
    from fonoteka.harvest.limits import MIB, HarvestLimits

    def harvest() -> None:
        sources = command.HarvestSources(
            urls or (), files or (), feeds or (), [_place(text) for text in lists or ()],
            yt_dlp or (),
        )  # fmt: skip
        terms = HarvestTerms(
            licence,
            evidence,
            tuple(accept or ("*",)),
            accept_changes,
            language,
            speaker,
            max_s,
            again,
        )
        options = command.HarvestOptions(
            name, terms, contact=contact, allow_private=allow_private, dvc=not no_dvc
        )
        limits = HarvestLimits(
            delay_s, max_wait_s, max_mb * MIB, max_total_mb * MIB, max_items, rate_kb * 1024.0,
            retries,
        )  # fmt: skip
        command.run(sources, options, limits)

    run_command(harvest, undecided=FAILED)


@app.command()
def forget(
    url: Annotated[str, typer.Argument(metavar="URL", help="of a recording")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print what would be removed, and change nothing")
    ] = False,
) -> None:
    """Remove everything made from an address, and keep it from coming back."""
    from fonoteka.harvest.forget import forget

    run_command(lambda: forget(url, dry_run=dry_run), undecided=FAILED)


def _place(text: str) -> str:
    """Return a list of the command line: an address as it is, or the path of a file."""
    return text if "://" in text else str(given_path(text))
