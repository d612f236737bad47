"""Commands that add recordings to the corpus, and that erase a person's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import given_path

if TYPE_CHECKING:
    from fonoteka.corpus.importers.layouts.base import ImportOptions

Folder = Annotated[
    Path, typer.Argument(parser=given_path, metavar="FOLDER", help="audio and its texts")
]
LayoutName = Literal[
    "audiofolder", "commonvoice", "kaldi", "librispeech", "ljspeech", "nemo", "sidecar", "table",
    "textgrid",
]  # fmt: skip
Layout = Annotated[LayoutName | None, typer.Option(help="the layout  [default: by its files]")]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE", help="the table, wav.scp or manifest, if not all are read; may be repeated"
    ),
]
RawFolder = Annotated[
    Path | None,
    typer.Option(
        parser=given_path, metavar="FOLDER", help="where corpora are  [default: data/raw]"
    ),
]
NoDvc = Annotated[bool, typer.Option("--no-dvc", help="do not track the copy by DVC")]
Column = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="this column of the table, its number for ljspeech"),
]
Tier = Annotated[str | None, typer.Option(metavar="TIER", help="this tier of the TextGrids")]
Speaker = Annotated[str | None, typer.Option(help="the speaker of all clips")]
Language = Annotated[str | None, typer.Option(help="the language of all clips: bs, en, hr or sr")]
Pattern = Annotated[
    str | None,
    typer.Option(
        help="values in paths without suffix, as '{speaker}/{session}_{}'; {} is anything"
    ),
]
AllowUntranscribed = Annotated[
    bool, typer.Option("--allow-untranscribed", help="add clips without text")
]
LeaveOut = Annotated[bool, typer.Option("--leave-out", help="add what is right, and no more")]

app = typer.Typer(
    help="Add recordings, show what would be added, or erase a person's.", no_args_is_help=True
)


@app.command()
def look(
    context: typer.Context,
    folder: Folder,
    layout: Layout = None,
    table: Tables = None,
    path_column: Column = None,
    text_column: Column = None,
    speaker_column: Column = None,
    language_column: Column = None,
    session_column: Column = None,
    sex_column: Column = None,
    parent_column: Column = None,
    licence_column: Column = None,
    source_column: Column = None,
    words_tier: Tier = None,
    phones_tier: Tier = None,
    speaker: Speaker = None,
    language: Language = None,
    pattern: Pattern = None,
    allow_untranscribed: AllowUntranscribed = False,
    leave_out: LeaveOut = False,
) -> None:
    """Show how a folder is understood, and copy nothing."""
    # Imported here: the importers take longer to load than `--help` takes to print.
    from fonoteka.corpus.importers.add import look

    run_command(
        lambda: look(folder, _import_options(context), allow_untranscribed, leave_out),
        undecided=FAILED,
    )


@app.command()
def transcribe(
    folder: Folder,
    out: Annotated[Path, typer.Argument(parser=given_path, metavar="OUT", help="a new folder")],
    language: Annotated[str, typer.Option(help="of the recordings, as Whisper names it: en, sr")],
    model: Annotated[
        Path | None,
        typer.Option(
            help="a Whisper folder  [default: data/models/whisper_base]", show_default=False
        ),
    ] = None,
    path_column: Annotated[str, typer.Option(help="the table's column for the path")] = "path",
    min_log_prob: Annotated[
        float, typer.Option(help="mean log probability of a token below which a text is left out")
    ] = -0.5,
) -> None:
    """Write transcripts of recordings that have none, with Whisper, into a new folder."""
    from fonoteka.git import project
    from fonoteka.pseudo_labels import run

    base = model or project() / "data" / "models" / "whisper_base"
    run_command(
        lambda: run(folder, out, base, language, path_column, min_log_prob), undecided=FAILED
    )


@app.command()
def add(
    context: typer.Context,
    folder: Folder,
    name: Annotated[str, typer.Option(help="folder below data/raw; letters, digits, - _")],
    licence: Annotated[str, typer.Option(help="under which the recordings may be used")],
    source: Annotated[
        str, typer.Option(help="where they come from; DATA_LICENSES.md shows it")
    ] = "not stated",
    layout: Layout = None,
    table: Tables = None,
    path_column: Column = None,
    text_column: Column = None,
    speaker_column: Column = None,
    language_column: Column = None,
    session_column: Column = None,
    sex_column: Column = None,
    parent_column: Column = None,
    licence_column: Column = None,
    source_column: Column = None,
    words_tier: Tier = None,
    phones_tier: Tier = None,
    speaker: Speaker = None,
    language: Language = None,
    pattern: Pattern = None,
    allow_untranscribed: AllowUntranscribed = False,
    leave_out: LeaveOut = False,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="a machine spoke")] = False,
    raw: RawFolder = None,
    no_dvc: NoDvc = False,
) -> None:
    """Copy a folder of recordings to data/raw, and track the copy by DVC."""
    from fonoteka.corpus.corpus import Card
    from fonoteka.corpus.importers.add import run

    run_command(
        lambda: run(
            folder, raw or Path("data/raw"), Card(name, licence, source, synthetic),
            _import_options(context), allow_untranscribed, leave_out, dvc=not no_dvc,
        ),
        undecided=FAILED,
    )  # fmt: skip


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a corpus of --list")] = "",
    list_: Annotated[bool, typer.Option("--list", help="list the corpora, and stop")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="show licence and size, and download nothing")
    ] = False,
    target: Annotated[
        Path | None,
        typer.Option(
            "--into",
            parser=given_path,
            metavar="FOLDER",
            help="the new folder  [default: data/raw/NAME]",
        ),
    ] = None,
    languages: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="only this language; may be repeated"),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="only this part of the corpus; may be repeated"),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="FILE", help="for corpora without a free download"),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FILE", help="YAML with other corpora  [default: --list's]"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before the download")] = False,
    keep_downloads: Annotated[
        bool, typer.Option("--keep-downloads", help="keep the archives in data/downloads")
    ] = False,
    no_dvc: Annotated[
        bool, typer.Option("--no-dvc", help="do not track the corpus by DVC")
    ] = False,
) -> None:
    """Download a public corpus at a pinned revision, check it, and add it to data/raw."""
    from fonoteka.corpus_fetch.catalogue import CATALOGUE
    from fonoteka.corpus_fetch.command import FetchOptions, run
    from fonoteka.corpus_fetch.shown_fetch import list_corpora

    path = catalogue or CATALOGUE
    if list_:
        run_command(lambda: list_corpora(path), undecided=FAILED)
    if not name:
        raise typer.BadParameter("name a corpus, or give --list")
    options = FetchOptions(
        _listed(languages), _listed(split), target, archive, path, yes, dry_run, keep_downloads,
        dvc=not no_dvc,
    )  # fmt: skip
    run_command(lambda: run(name, options), undecided=FAILED)


def _listed(values: list[str] | None) -> tuple[str, ...]:
    """Return the values of an option that may be repeated, or have several with commas."""
    return tuple(each for value in values or () for each in value.split(",") if each)


@app.command()
def erase(
    speaker: Annotated[str, typer.Option(metavar="CORPUS/NAME", help="whose recordings")] = "",
    source: Annotated[
        str,
        typer.Option(metavar="CORPUS[/SOURCE]", help="a whole corpus, or what came from a source"),
    ] = "",
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="another file of the corpus; may be repeated"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="remove the recordings")] = False,
) -> None:
    """Show a person's recordings and all that was made from them, or remove them."""
    from fonoteka.erasure.command import erase

    run_command(lambda: erase(speaker, source, also or (), yes=yes), undecided=FAILED)


def _import_options(context: typer.Context) -> ImportOptions:
    """Return how the folder is to be read, from the options that both commands share."""
    from fonoteka.corpus.importers.add import given_by

    values = context.params
    columns, tiers = (
        {
            key.removesuffix(end): text
            for key, text in values.items()
            if key.endswith(end) and text is not None
        }
        for end in ("_column", "_tier")
    )
    shared = {key: values[key] for key in ("speaker", "language") if values[key]}
    return given_by(
        values["layout"], values["table"] or (), columns, tiers, shared, values["pattern"]
    )
