"""Run a command: `python -m fonoteka COMMAND`; `python -m fonoteka --help` lists all of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from fonoteka.cli.app import app

COMPLETE = "_FONOTEKA_COMPLETE"
"""The variable by which a shell asks for completions of the word `fonoteka`."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line, by default this process's, and exit with the code of its command.

    A shell completes what a word stands for, and `python -m fonoteka` is three: completions are
    installed for the word `fonoteka`, whichever way the program was started.
    """
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    completing = COMPLETE in os.environ or {"--install-completion", "--show-completion"} & {*words}
    app(args=words, prog_name="fonoteka" if completing else None, complete_var=COMPLETE)
    raise AssertionError("a command line ends with an exit")


if __name__ == "__main__":
    main()
