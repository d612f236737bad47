"""On Windows, commands that need POSIX are refused before they start anything."""

from __future__ import annotations

import pytest
from command_line import commands, exit_code

from fonoteka.cli import posix_only

REFUSED = {
    ("repro",): 1, ("verify",): 2, ("merge-lock",): 2, ("serve",): 1, ("bench", "heads"): 1,
}  # fmt: skip


@pytest.fixture
def on_windows(monkeypatch):
    monkeypatch.setattr(posix_only, "SYSTEM", "win32")


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_a_command_that_needs_posix_is_refused_in_one_sentence(words, on_windows, capsys):
    assert exit_code(*words) == REFUSED[words]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {words[0]}: runs on Linux and macOS, and this is Windows; ")


def test_every_benchmark_is_refused(on_windows, capsys):
    arguments = {("bench", name): ["."] for name in ("alignment", "augment", "mixtures", "voices")}
    for words in commands():
        if words[0] == "bench":
            assert exit_code(*words, *arguments.get(words, ())) == 1, words
            assert "error: bench: runs on Linux and macOS" in capsys.readouterr().err


def test_a_command_without_process_groups_is_not_refused(on_windows, capsys):
    # It is refused for another reason, which is the same on each system.
    assert exit_code("profile", "no-such-profile") == 1
    assert "no profile is named 'no-such-profile'" in capsys.readouterr().err


def test_other_systems_refuse_nothing():
    posix_only.require_posix("repro", "no way out is needed")
