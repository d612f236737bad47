"""The application: all commands under one name.

A module of this package declares commands and imports the code of one only when that command runs:
`--help` needs neither dvc nor torch, and takes 0.2 CPU seconds.
"""

from __future__ import annotations

import typer

from fonoteka.cli import (
    alignment,
    bench,
    cache,
    corpus,
    harvest,
    hub,
    languages,
    models,
    pipeline,
    planning,
    release,
    remotes,
    selection,
    self_training,
    service,
    streaming,
    training,
)

app = typer.Typer(
    help="Version speech data, the models trained on it and every reported number together.",
    epilog="Exit codes: 0 done; 1 failed; 2 wrong command line, or it cannot be decided; "
    "130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text, without an import of rich
    pretty_exceptions_enable=False,
)
for commands in (
    pipeline.app, remotes.app, release.app, models.app, alignment.app, streaming.app, service.app,
    hub.app, training.app,
):  # fmt: skip
    app.add_typer(commands)
app.add_typer(bench.app, name="bench")
app.add_typer(planning.app, name="planning")
app.add_typer(corpus.app, name="corpus")
app.add_typer(selection.app, name="select")
app.add_typer(cache.app, name="cache")
app.add_typer(harvest.app, name="harvest")
app.add_typer(languages.app, name="language")
app.add_typer(self_training.app, name="self-train")
app.add_typer(remotes.checkpoints, name="checkpoints")
app.add_typer(models.realtime, name="realtime")
