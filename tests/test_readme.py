"""The commands and paths in README.md and docs/ exist, and the programs they show run."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import onnx
import pytest
import soundfile as sf
from command_line import commands, options, problem_of
from dvc_yaml import TOP
from forks import python
from onnx import TensorProto, helper, numpy_helper

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors
from fonoteka.scoring.decoding import greedy
from stages.export.package.card import PROGRAM
from stages.words.package_whisper.program import PROGRAM as WORDS

README = (TOP / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(TOP).as_posix(): path.read_text(encoding="utf-8")
    for path in [*sorted(TOP.glob("[CRS]*.md")), *sorted((TOP / "docs").glob("*.md"))]
    if path.name != "CHANGELOG.md"  # it names what older versions had
}
BLOCKS = [
    text for text in re.findall(r"```python\n(.*?)```", README, re.S) if "onnxruntime" in text
]
MODELS = sorted(path.parent.name for path in (TOP / "data/models").glob("*/model.onnx"))
FRAME, TOY_LABELS = 320, ("<blank>", "a", "b", "tʃ", "dʒ", "ʎ")

MAKEFILE = (TOP / "Makefile").read_text(encoding="utf-8")
# Options that pytest, node, Dask, sbatch, pip and torchrun have.
NOT_OURS = {
    "--dist", "--durations", "--experimental-websocket", "--gres", "--index-url", "--mem",
    "--nnodes", "--nproc-per-node", "--nthreads", "--nworkers", "--port", "--rdzv-backend",
    "--rdzv-endpoint", "--standalone",
}  # fmt: skip
# Pages whose programs other tests run: here, in test_hub_pipeline.py and test_service_examples.py.
RUN_ELSEWHERE = {"README.md", "docs/hub.md", "docs/service-examples.md"}

# Packages that the program must not need cannot be imported while it runs.
ALONE = """\
import runpy, sys
for name in ("fonoteka", "onnx", "stages", "torch", "torchaudio", "transformers"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def save_toy(path):
    """Write a model that maps each 20 ms through a random matrix, with the interface of ours."""
    weights = np.random.default_rng(1).standard_normal((FRAME, len(TOY_LABELS))).astype(np.float32)
    shape = np.array([0, -1, FRAME], dtype=np.int64)
    nodes = [
        helper.make_node("Reshape", ["samples", "shape"], ["frames"]),
        helper.make_node("MatMul", ["frames", "weights"], ["scores"]),
        helper.make_node("LogSoftmax", ["scores"], ["log_probs"], axis=-1),
    ]
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "toy",
        [helper.make_tensor_value_info("samples", float32, ["B", "N"])],
        [helper.make_tensor_value_info("log_probs", float32, ["B", "T", len(TOY_LABELS)])],
        [numpy_helper.from_array(shape, "shape"), numpy_helper.from_array(weights, "weights")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    metadata = {
        "labels": "\n".join(TOY_LABELS),
        "name": "toy",
        "sample_rate_hz": str(SAMPLE_RATE_HZ),
    }
    helper.set_model_props(model, metadata)
    onnx.save(model, str(path))
    return path


def save_wav(path, rate=SAMPLE_RATE_HZ, channels=1, samples=FRAME * 60):
    """Write noise: the toy model predicts another label for most of its frames."""
    noise = 0.1 * np.random.default_rng(2).standard_normal((samples, channels))
    sf.write(path, noise, rate, subtype="PCM_16")
    return path


@pytest.fixture
def program(tmp_path):
    """Run a program with a model and a recording, without torch and this repository."""

    def called(text, model, wav):
        (tmp_path / "transcribe.py").write_text(text, encoding="utf-8")
        plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", ALONE, "transcribe.py", str(model), str(wav)],
            cwd=tmp_path, env=plain | {"PYTHONIOENCODING": "utf-8"}, check=False,
            capture_output=True, encoding="utf-8",
        )  # fmt: skip

    return called


def transcribed_by_this_repository(model, wav):
    samples, _ = sf.read(wav, dtype="float32")
    session = open_model(model)
    posteriors = session_posteriors(session, samples[None])
    log_probs = posteriors.reshape(-1, posteriors.shape[-1])
    return [spoken.symbol for spoken in greedy(log_probs, labels_of(session, model))]


def test_the_readme_shows_one_program_and_it_is_the_one_of_the_model_cards():
    assert BLOCKS == [PROGRAM, WORDS]


def test_the_program_prints_what_this_repository_predicts(program, tmp_path):
    model, wav = save_toy(tmp_path / "model.onnx"), save_wav(tmp_path / "clip.wav")
    done = program(PROGRAM, model, wav)
    assert (done.returncode, done.stderr) == (0, "")
    expected = transcribed_by_this_repository(model, wav)
    assert done.stdout.split() == expected
    assert len(expected) < 60  # so blanks were taken out and repeats merged
    assert set(expected) == set(TOY_LABELS[1:])


@pytest.mark.parametrize("name", MODELS or ["none"])
def test_the_program_agrees_with_this_repository_on_a_shipped_model(name, program, tmp_path):
    model = TOP / "data/models" / name / "model.onnx"
    if not model.is_file():
        pytest.skip("no model is built here")
    wav = save_wav(tmp_path / "clip.wav")
    done = program(PROGRAM, model, wav)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == transcribed_by_this_repository(model, wav)


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        ({"rate": 8000}, "clip.wav: (19200, 1) at 8000 Hz is not mono at 16000 Hz"),
        ({"channels": 2}, "clip.wav: (19200, 2) at 16000 Hz is not mono at 16000 Hz"),
        ({"samples": 0}, "clip.wav: (0, 1) at 16000 Hz is not mono at 16000 Hz"),
    ],
)
def test_the_program_refuses_sound_that_the_model_was_not_made_for(wav, message, program, tmp_path):
    model, path = save_toy(tmp_path / "model.onnx"), save_wav(tmp_path / "clip.wav", **wav)
    done = program(PROGRAM, model, path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(f"{message}\n")


def test_a_program_that_needs_torch_would_be_noticed(program, tmp_path):
    done = program("import torch", "model.onnx", "clip.wav")
    assert done.returncode == 1
    assert "import of torch halted" in done.stderr


def command_lines(text):
    """Return the command lines of a page, without comments; a line that ends in \\ continues."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    inline = re.findall(r"(?<!`)`((?:make|python -m) [^`\n]+)`", text)
    whole = [line.partition("  #")[0].strip() for line in lines + inline]
    return [shlex.split(line) for line in whole if "…" not in line]


def test_every_target_and_variable_of_make_that_a_page_names_is_in_the_makefile():
    targets = set(re.findall(r"^(\.?[a-z][a-z-]*):", MAKEFILE, re.M))  # .venv too
    recipes = dict(re.findall(r"^([a-z][a-z-]*):([^\n]*\n(?:\t[^\n]*\n)+)", MAKEFILE, re.M))
    for page, text in PAGES.items():
        for words in command_lines(text):
            if words[:1] == ["make"]:
                named = [word for word in words[1:] if "=" not in word]
                assert {*named} <= targets, (page, words)
                variables = {word.partition("=")[0] for word in words[1:] if "=" in word} - {"JOBS"}
                for name in variables:
                    assert re.search(rf"\b{name}\b", recipes[named[0]]), (page, words)


def test_every_command_line_of_ours_that_a_page_names_can_be_read():
    checked = 0
    for page, text in PAGES.items():
        for words in command_lines(text):
            if words[:3] == ["python", "-m", "fonoteka"] and words[3:] not in ([], ["COMMAND"]):
                assert problem_of(words[3:]) is None, (page, words)
                checked += 1
    assert checked >= 20


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("diff --base main", None),
        ("repro --jobs 2 train", None),
        ("corpus add x --name mine", "Missing option '--licence'."),
        ("corpus add x --licnce CC0", "No such option: --licnce"),
        ("dif", "no command"),
        ("corpus", "no command"),
        ("transcribe", "Missing argument 'FILE'."),
    ],
)
def test_a_command_line_that_is_wrong_is_noticed(line, problem):
    assert (problem_of(line.split()) or "").split(" (")[0] == (problem or "")


def test_every_row_of_the_table_of_commands_is_one_and_every_command_has_a_row():
    table = PAGES["docs/commands.md"].partition("| command of `python")[2].partition("\n\n")[0]
    lines = re.findall(r"`([^`]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    ours = [line.replace("FOLDER", "x").split() for line in lines if not line.startswith("make ")]
    assert [words for words in ours if problem_of(words)] == []
    named = {words for words in commands() if any(line[: len(words)] == [*words] for line in ours)}
    assert named == {*commands()}


def test_every_option_that_a_page_names_is_one_of_a_command():
    # In running text an option stands alone: `--leave-out`. Each must be known to some command.
    existing = set().union(*(options(*words) for words in commands()))
    existing |= {"--help", "--install-completion"}
    existing |= set(re.findall(r"--[a-z-]+", (TOP / "tests/mutate.py").read_text(encoding="utf-8")))
    for page, text in PAGES.items():
        for option in re.findall(r"(?<!`)`(--[a-z][a-z-]*)", text):
            assert option in existing or option in NOT_OURS, (page, option)


def test_every_word_of_make_is_explained_and_phony_where_it_makes_no_file():
    targets = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.M))
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## ", MAKEFILE, re.M))
    phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.M)).split())
    assert targets == explained == phony


def test_every_file_that_a_page_links_to_is_there():
    for page, text in PAGES.items():
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        assert [link for link in links if not ((TOP / page).parent / link).exists()] == [], page
        assert links or page != "README.md"


def test_every_path_of_ours_that_a_page_names_is_there():
    for page, text in PAGES.items():
        named = re.findall(r"`((?:fonoteka|stages|tests)/[\w/]+\.(?:py|md|toml))", text)
        assert [name for name in named if not (TOP / name).exists()] == [], page


@pytest.mark.torch
def test_the_programs_that_the_docs_show_run():
    programs, sessions = [], []
    for page, text in PAGES.items():
        blocks = re.findall(r"```python\n(.*?)```", text, re.S)
        sessions.append("\n".join(code for code in blocks if code.startswith(">>>")))
        if page not in RUN_ELSEWHERE:
            programs += [code for code in blocks if not code.startswith(">>>")]
    assert programs
    assert any(sessions)
    for code in programs:
        done = python("-c", code, folder=TOP)
        assert done.returncode == 0, done.stderr
    for session in sessions:
        assert doctest_failures(session) == 0


def doctest_failures(text):
    """Return how many examples of a text fail; each failure is printed."""
    test = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
    return doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed
