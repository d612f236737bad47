"""Run a command line of `python -m fonoteka` in this process, and read which ones there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from fonoteka.__main__ import main
from fonoteka.cli.app import app


def exit_code(*words: object) -> int:
    """Run a command line and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words)])
    return ended.value.code


def run_fonoteka(*words: object) -> None:
    """Run a command line that must succeed.

    Raises:
        ValueError: the mistake that the command has printed as one sentence.
    """
    try:
        main([*map(str, words)])
    except SystemExit as ended:
        if ended.__cause__ is not None:
            raise ended.__cause__ from None
        if ended.code:
            raise AssertionError(f"{words} ended with {ended.code}") from ended


@cache
def commands() -> dict[tuple[str, ...], TyperCommand]:
    """Return every command by its words, for example `("corpus", "add")`."""
    return dict(_commands((), get_command(app)))


def _commands(words, command) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    if not isinstance(command, TyperGroup):
        yield words, command
        return
    if words and command.invoke_without_command:
        yield words, command
    for name, inner in command.commands.items():
        yield from _commands((*words, name), inner)


def options(*words: str) -> set[str]:
    """Return the options of a command."""
    return {name for param in commands()[words].params for name in param.opts if name[0] == "-"}


def problem_of(words: Sequence[str]) -> str | None:
    """Return why a command line of `python -m fonoteka` cannot be read, or None."""
    for count in (2, 1):  # `select import` before `select`, which is a command too
        if command := commands().get(tuple(words[:count])):
            try:
                command.make_context(words[0], [*words[count:]])
            except TyperException as error:
                return error.format_message()
            return None
    return "no command"
