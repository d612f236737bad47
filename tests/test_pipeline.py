"""The whole pipeline on the small profile in a clone: built, asked what is stale, changed."""

import json
import re
import shutil
from contextlib import ExitStack, contextmanager

import pytest
import yaml
from clones import PYTHON, built
from imports import code, loads, module_of, name_of, pipeline

from stages.common.package import check_package

# dvc's own use of pygtrie; what it prints is nobody's business here.
pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),
]

STAGES = sorted(pipeline())
MODELS = {"ensemble", "mlp", "wav2vec2_ctc", "wavlm_ctc"}
CONTRACT = {
    "per": float, "per_low": float, "per_high": float, "segment_accuracy": float,
    "parameters": int, "onnx_bytes": int, "test_speakers": int, "test_utterances": int,
    "synthetic": bool,
}  # fmt: skip
PLOTS = (
    "Phone error rate on the validation voices",
    "Training loss",
    "Phone error rate by language",
    *(f"{name}: {what}" for name in MODELS for what in ("phones said and what", "recall of each")),
)
UP_TO_DATE = f"everything is up to date: {len(STAGES)} stages\n"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return built(tmp_path_factory)


@pytest.fixture
def clone(first):
    """The built clone; whatever a test changes in it, it has to change back."""
    return first[0]


@pytest.fixture
def changed(clone, first):
    """Write another text into a file of the clone, and put the old one back after the test."""
    before = {}

    def write(path, edit):
        old = before.setdefault(path, (clone / path).read_text(encoding="utf-8"))
        new = edit(old)
        assert new != old
        (clone / path).write_text(new, encoding="utf-8")

    yield write
    for path, text in before.items():
        (clone / path).write_text(text, encoding="utf-8")
    assert clone.repro() == UP_TO_DATE
    assert (clone / "dvc.lock").read_bytes() == first[1]


def read(clone, path):
    return json.loads((clone / path).read_text(encoding="utf-8"))


def test_a_build_ends_with_the_table(clone):
    said = (clone.folder.parent / "first.txt").read_text(encoding="utf-8")
    assert f"{len(STAGES)} stages: {len(STAGES)} ran" in said
    assert said.endswith((clone / "reports/comparison.md").read_text(encoding="utf-8"))


def test_a_second_build_runs_nothing(clone):
    assert clone.repro() == UP_TO_DATE
    assert "Data and pipelines are up to date." in clone.dvc("repro")


def test_a_build_changes_the_reports_and_the_lock_file_and_leaves_nothing_lying(clone):
    changes = clone.git("status", "--porcelain", "--untracked-files=all").splitlines()
    assert {re.sub("/.*", "/", line[3:]) for line in changes} <= {
        "DATA_LICENSES.md", "dvc.lock", "reports/",
    }  # fmt: skip
    assert {path.parent.name for path in clone.folder.rglob(".gitignore")} == {".dvc", "built"}
    assert not list(clone.folder.rglob("*.part"))
    assert not [path for path in (clone / "checkpoints").rglob("*") if path.is_file()]


def test_the_comparison_holds_what_others_read(clone):
    models = read(clone, "reports/comparison.json")["models"]
    assert set(models) == MODELS
    for values in models.values():
        for key, kind in CONTRACT.items():
            assert type(values[key]) is kind, key
        assert values["per_low"] <= values["per"] <= values["per_high"]
        assert 0 <= values["segment_accuracy"] <= 1
        assert values["synthetic"]
        assert values["onnx_bytes"] > 4 * values["parameters"] > 0  # four bytes a float32
    assert len({(m["test_speakers"], m["test_utterances"]) for m in models.values()}) == 1


def test_each_package_holds_what_it_recorded_and_the_gate_asks_for_more(clone):
    folders = [clone / f"data/models/{name}" for name in sorted(MODELS)]
    assert [check_package(folder) for folder in folders] == [[], [], [], []]
    done = clone.call(*PYTHON, "stages.tools.gate", "--base", "HEAD")
    # what was learned in seconds is worth nothing, and the gate says so by name
    assert done.returncode == 1
    assert re.search(
        r"gate: \d+ of \d+ missed: .*wavlm_ctc\.per: .* is above its limit", done.stderr
    )
    weights = clone / "data/models/mlp/model.onnx"
    whole = weights.read_bytes()
    weights.unlink()  # a link into the cache, where it is one
    weights.write_bytes(whole[:-1])
    try:
        done = clone.call(*PYTHON, "stages.tools.gate")
        assert re.search(r"data/models/mlp: .*model\.onnx", done.stderr)
    finally:
        weights.write_bytes(whole)


def test_the_ensemble_is_chosen_on_the_validation_part_and_compared_on_test(clone):
    report = read(clone, "reports/ensemble.json")
    assert len(report["combinations"]) == 4
    assert report["shipped"] == "average"
    against = report["average"]["against_best_single"]
    assert against["low"] <= against["difference"] <= against["high"]
    assert report["average"]["verdict"].startswith("the ensemble ")
    metrics = read(clone, "reports/metrics/ensemble.json")
    assert metrics["per"] == report["average"]["test_per"]


def test_the_corpus_report_holds_what_others_read(clone):
    corpus = read(clone, "reports/corpus.json")
    assert corpus["files"] == corpus["accepted"] + sum(corpus["quarantined"].values())
    voices = yaml.safe_load((clone / "params.yaml").read_text())["synthesize"]["voices"]
    parts = corpus["parts"]
    assert set(parts) == {"train", "valid", "test"}
    assert sum(part["speakers"] for part in parts.values()) == voices
    for part in parts.values():
        assert part["hours"] > 0
        assert set(part["languages"]) == {"bs", "en", "hr", "sr"}


@pytest.fixture
def stale(clone, monkeypatch):
    """Return a function that asks dvc, in this process, which stages are stale in themselves.

    Given the path of what was changed, dvc is asked of the dependencies on that or on a folder
    around it alone: the others are as they were, which the question without a path has shown.
    """
    from dvc.repo import Repo, lock_repo

    monkeypatch.setenv("DVC_SITE_CACHE_DIR", clone.environment["DVC_SITE_CACHE_DIR"])
    monkeypatch.chdir(clone.folder)
    with Repo() as repo, lock_repo(repo):
        stages = repo.index.stages  # dvc.yaml is read once; what it names is hashed anew each time

        def ask(path=None):
            if path is None:
                return {s.addressing for s in stages if s.status(check_updates=False)}
            around = {str(one) for one in (path, *path.parents)}
            return {
                s.addressing for s in stages for d in s.deps if d.fs_path in around and d.status()
            }

        assert ask() == set()
        yield ask


def other(value):
    """Return a value with its first number or text, however deep, changed; a yes is a no."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if (new := other(inner)) != inner:
                return value | {key: new}
    elif isinstance(value, bool):
        return not value
    elif isinstance(value, int | float):
        return value + 1
    elif isinstance(value, str):
        return value + "x"
    return value


def test_a_changed_section_makes_those_stages_stale_that_load_it(clone, changed, stale):
    params = yaml.safe_load((clone / "params.yaml").read_text(encoding="utf-8"))
    for section in params:
        new = yaml.safe_dump(params | {section: other(params[section])})
        changed("params.yaml", lambda _, new=new: new)
        readers = {s for s in STAGES if section in dict(loads(module_of(s), name_of(s)))}
        assert stale(clone / "params.yaml") == readers, section


def test_a_value_that_stands_in_a_command_makes_that_stage_stale(clone, changed):
    sections = yaml.safe_load((clone / "params.yaml").read_text(encoding="utf-8"))
    told = {s: [n for n in sections if f"${{{n}." in pipeline()[s]["cmd"]] for s in STAGES}
    assert set().union(*told.values()) == {"backbone"}
    changed("params.yaml", lambda text: text.replace("source: pretrain", "source: hub"))
    status = json.loads(clone.dvc("status", "--json"))
    for stage in (s for s in STAGES if told[s]):
        assert "changed command" in status[stage], stage


def test_a_changed_file_makes_those_stages_stale_whose_code_holds_it(clone, stale):
    holders = {stage: code(module_of(stage)) for stage in STAGES}
    files = [p for p in (clone / "stages").rglob("*") if p.is_file() and p.suffix != ".pyc"]
    idle = []
    for path in sorted(files):
        name = path.relative_to(clone.folder).as_posix()
        holding = {s for s in STAGES if {name, name.rpartition("/")[0]} & holders[s]}
        if holding:
            with appended(path):
                assert stale(path) == holding, name
        else:
            idle.append(path)
    assert {path.parent.name for path in idle if path.stem != "__init__"} == {"tools", "profiles"}
    with ExitStack() as stack:  # no stage holds these, so one question answers for all of them
        for path in idle:
            stack.enter_context(appended(path))
        assert stale() == set()


@contextmanager
def appended(path):
    """Add a comment to the end of a file inside the block."""
    before = path.read_bytes()
    path.write_bytes(before + b"# another line\n")
    yield
    path.write_bytes(before)


def test_one_mlp_parameter_runs_the_mlp_and_the_comparison_alone(clone, first, changed, tmp_path):
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "-m", "results")
    changed("params.yaml", lambda text: text.replace("mlp:\n  seed: 1", "mlp:\n  seed: 2"))
    said = clone.dvc("repro")
    ran = re.findall(r"^Running stage '(.*)'", said, flags=re.MULTILINE)
    own = {f"{stage}@mlp" for stage in ("train", "onnx", "posteriors", "evaluate", "package")}
    # The ensemble has the MLP in it, and the comparison both.
    after = {"ensemble", "fuse", "evaluate@ensemble", "package_ensemble", "compare"}
    assert set(ran) == own | after
    assert len(ran) == len(set(ran))

    # What follows uses the two results that are there now: one in git, one in the workspace.
    for revisions in ([], ["HEAD"]):
        table = clone.dvc("metrics", "diff", *revisions)
        rows = {line.split()[0] for line in table.splitlines()[1:]}
        assert "reports/metrics/mlp.json" in rows
        assert not rows & {"reports/metrics/wav2vec2_ctc.json", "reports/corpus.json"}
    for words in (["show"], ["diff", "HEAD"]):
        clone.dvc("plots", *words, "--out", str(tmp_path / words[0]))
        page = (tmp_path / words[0] / "index.html").read_text(encoding="utf-8")
        for title in PLOTS:
            assert title in page, (words, title)

    # The old value brings the old result back from the run-cache.
    clone.git("checkout", "--", "params.yaml")
    assert "Running stage 'train@mlp'" not in clone.dvc("repro")


def contents(clone):
    """Return all files that stages write, with their bytes."""
    paths = [p for top in ("data", "reports") for p in (clone / top).rglob("*") if p.is_file()]
    return {path.relative_to(clone.folder): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("old", "new", "stage", "sentence"),
    [
        (
            "  test_fraction:", "  tst_fraction:", "split",
            r"section 'split': missing \['test_fraction'\], unknown \['tst_fraction'\]",
        ),
        ("corpora: [embedded]", "corpora: []", "inventory", r"inventory\.corpora"),
        ("corpora: [embedded]", "corpora: [mine]", "inventory", r"data/raw holds no corpus 'mine'"),
        ("salt: ", "salt: 1  # ", "split", r"section 'split': salt: expected str, found 1"),
        ("source: pretrain", "source: web", "backbone@wavlm", r"backbone\.source .* found 'web'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_leaves_what_was_there(
    clone, changed, old, new, stage, sentence
):
    before = contents(clone)
    changed("params.yaml", lambda text: text.replace(old, new, 1))
    done = clone.call(*PYTHON, "stages.tools.repro", stage, "--jobs", "1")
    assert done.returncode == 1
    said, then = done.stderr.splitlines()
    assert re.search(f"^error: .*{sentence}", said)
    assert then.startswith(f"error: stage '{stage}' failed")
    assert contents(clone) == before


def test_lost_data_comes_back_from_the_cache(clone):
    before = contents(clone)
    for path in (clone / "data").iterdir():
        if path.is_dir():  # the table of speakers beside them is in git
            shutil.rmtree(path)
    last = next(line for line in clone.repro().splitlines() if re.match(r"\d+ stages: ", line))
    assert " from the cache" in last
    assert " ran" not in last
    assert contents(clone) == before
