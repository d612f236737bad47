"""The PowerShell scripts parse, stop at errors, use no aliases and set no wide policy.

No test needs PowerShell: a grammar parses the scripts. If `pwsh` is installed, its own parser reads
them too, and they run as far as they can outside Windows.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

import pytest
import tree_sitter_powershell
from dvc_yaml import TOP
from tree_sitter import Language, Parser

SCRIPTS = sorted((TOP / "scripts").glob("*.ps1"))
SETUP, ALLOW = TOP / "scripts/setup_env.ps1", TOP / "scripts/enable-pwsh-allow.ps1"
CMDLET = re.compile(r"[A-Z][A-Za-z]+-[A-Z][A-Za-z]+")  # unlike an alias such as `ls`, `%` or `iex`
CALLED = re.compile(r"\$[A-Za-z]+")  # `& $Program`: a program that the script has found
UNSAFE = {"Invoke-Expression", "Invoke-WebRequest", "Invoke-RestMethod", "Add-Type", "Unblock-File"}
WIDE = {"AllSigned", "Bypass", "LocalMachine", "Unrestricted"}


@cache
def nodes(script):
    """Return all nodes of a script's syntax tree."""
    tree_nodes = [parsed(script.read_bytes()).root_node]
    for node in tree_nodes:  # the list grows while it is read
        tree_nodes += node.children
    return tree_nodes


def parsed(source):
    return Parser(Language(tree_sitter_powershell.language())).parse(source)


def texts(script, *kinds):
    """Return the texts of all nodes of some kinds, in the order of the script."""
    chosen = [node for node in nodes(script) if node.type in kinds]
    return [node.text.decode() for node in sorted(chosen, key=lambda node: node.start_byte)]


def code(script):
    """Return a script without its comments and its help."""
    source = script.read_bytes()
    for node in nodes(script):
        if node.type == "comment":
            source = source.replace(node.text, b"", 1)
    return source.decode("ascii")


def test_both_scripts_are_there():
    assert SCRIPTS == [ALLOW, SETUP]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
class TestEachScript:
    def test_it_parses(self, script):
        wrong = [node for node in nodes(script) if node.type == "ERROR" or node.is_missing]
        assert [(node.start_point, node.text) for node in wrong] == []

    def test_it_is_ascii_with_unix_newlines(self, script):
        # Windows PowerShell 5.1 reads a file without a byte order mark in the system's code page.
        source = script.read_bytes()
        assert source.isascii()
        assert b"\r" not in source
        assert source.endswith(b"}\n")

    def test_it_is_strict_and_stops_at_the_first_error(self, script):
        lines = code(script).splitlines()
        strict = lines.index("Set-StrictMode -Version Latest")
        assert lines[strict + 1] == "$ErrorActionPreference = 'Stop'"
        assert "[CmdletBinding(" in "".join(lines[:strict])
        assert script.read_text().startswith("#Requires -Version 5.1\n<#\n.SYNOPSIS\n")

    def test_it_calls_cmdlets_by_their_full_names_and_functions_of_its_own(self, script):
        names = {*texts(script, "command_name")}
        assert {name for name in names if not CMDLET.fullmatch(name)} == set()
        invoked = texts(script, "command_name_expr")
        assert [text for text in invoked if not CALLED.fullmatch(text)] == []
        assert not names & UNSAFE
        own = {*texts(script, "function_name")}
        assert own <= names, "a function is never called"

    def test_a_variable_before_a_colon_in_a_text_has_braces(self, script):
        # "$Venv: text" is an error: PowerShell reads the name of a drive before the colon.
        for text in texts(script, "expandable_string_literal"):
            assert not re.search(r"\$\w+:(?!:)", text), text

    def test_a_message_ends_with_the_way_out(self, script):
        calls = re.findall(r"Stop-(?:Setup|Change) \(?(\"[^\n]*)", code(script))
        assert len(calls) >= 3
        for message in calls:
            assert re.match(r'"(?:[a-z$]|\$\{|\')', message), message  # lower case, or a value
            assert ";" in message or message.endswith("+"), message

    def test_each_parameter_is_explained(self, script):
        declared = re.search(r"\nparam\((.*?)\n\)", script.read_text(), re.DOTALL)[1]
        names = re.findall(r"\] \$(\w+)", declared)
        assert names
        assert re.findall(r"^\.PARAMETER (\w+)$", script.read_text(), re.MULTILINE) == names


@pytest.mark.parametrize("source", ["if ($a { }", "function f { $x = ", "foreach in ($a) { }"])
def test_a_script_that_does_not_parse_is_noticed(source):
    assert parsed(source.encode()).root_node.has_error


def test_only_the_narrowest_policy_is_set_and_never_that_of_the_machine():
    words = {*re.findall(r"\w+", code(ALLOW))}
    assert not words & WIDE
    assert "$Policy = 'RemoteSigned'" in code(ALLOW)
    assert "[ValidateSet('Process', 'CurrentUser')]\n    [string] $Scope = 'Process'" in code(ALLOW)
    assert "Set-ExecutionPolicy" not in {*texts(SETUP, "command_name")}


def test_a_change_of_the_policy_is_announced_and_confirmed():
    text = code(ALLOW)
    assert "SupportsShouldProcess = $true, ConfirmImpact = 'High'" in text  # -WhatIf, -Confirm
    question = text.index("$PSCmdlet.ShouldProcess(")
    for warning in re.finditer("Write-Warning ", text):
        assert warning.start() < question
    # What changes something is in the block after the question.
    for name in ("Set-ExecutionPolicy", "Set-Content", "New-Item", "Remove-Item"):
        (change,) = re.finditer(rf"^ +{name} ", text, re.MULTILINE)
        assert change.start() > question
    assert "all your rights" in text
    assert "-Undo" in text


def test_the_setup_does_what_make_does():
    text, makefile = code(SETUP), (TOP / "Makefile").read_text(encoding="utf-8")
    assert "INSTALLED := .venv/.installed" in makefile
    assert "$Marker = Join-Path $Venv '.installed'" in text
    assert "'-m', 'venv', $Venv" in text
    assert "--requirement requirements.lock" in makefile
    assert "'--requirement', $Lock" in text
    assert text.index("'--requirement', $Lock") < text.index("New-Item -ItemType File")
    (wanted,) = re.findall(r"\$Wanted = '([\d.]+)'", text)
    project = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    assert f'requires-python = ">={wanted},' in project


@pytest.fixture
def pwsh():
    program = shutil.which("pwsh")
    if program is None:
        pytest.skip("pwsh is not installed; package PowerShell has it")

    def run(*words):
        command = [program, "-NoProfile", "-NonInteractive", *map(str, words)]
        return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_powershell_itself_parses_the_script(pwsh, script):
    parser = "[System.Management.Automation.Language.Parser]::ParseFile"
    done = pwsh(
        "-Command",
        f"$errors = $null; $null = {parser}('{script}', [ref] $null, [ref] $errors); $errors;"
        " exit $errors.Count",
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_powershell_shows_what_it_would_change(pwsh):
    done = pwsh("-File", ALLOW, "-Scope", "CurrentUser", "-WhatIf")
    assert done.returncode == 0, done.stderr
    assert "nothing was changed" in done.stdout or "What if" in done.stdout


def test_powershell_refuses_another_python(pwsh, tmp_path):
    done = pwsh("-File", SETUP, "-Python", tmp_path / "no-python")
    # A complete environment is used whatever -Python names; without one the name is refused.
    assert done.returncode == (0 if (TOP / ".venv/.installed").exists() else 1), done.stderr
