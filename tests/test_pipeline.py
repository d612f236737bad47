"""The whole pipeline with the small profile in a clone: built, checked for changes, changed."""

import json
import re
import shutil
from contextlib import ExitStack, contextmanager

import pytest
import yaml
from clones import PYTHON, built
from dvc_yaml import (
    TOP,
    UNDECLARED,
    as_written,
    code,
    commands,
    entries,
    head_of,
    loads,
    module_of,
    pipeline,
    recipe_keys,
    source,
    words,
)  # fmt: skip
from kept_build import stages as locked
from toy import run_dvc

from fonoteka.packaging import check_package

# Warnings of dvc's use of pygtrie, not of this project.
pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),
]

STAGES = sorted(pipeline())
MODELS = {"ensemble", "mlp", "wav2vec2_ctc", "wavlm_ctc", "whisper_ctc"}
CONTRACT = {
    "per": float, "per_low": float, "per_high": float, "segment_accuracy": float,
    "parameters": int, "onnx_bytes": int, "test_speakers": int, "test_utterances": int,
    "synthetic": bool,
}  # fmt: skip
PLOTS = (
    "Phone error rate on the validation split",
    "Training loss",
    "Phone error rate by language",
    *(f"{name}: {title}" for name in MODELS for title in ("confusion of phones", "recall of each")),
)
UP_TO_DATE = f"everything is up to date: {len(STAGES)} stages\n"


# Stages with an output that DVC does not cache: in git, and neither a metric nor a plot.
UNCACHED = {s for s in STAGES if any(e.get("cache") is False for e in entries(s, "outs").values())}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The built clone and its lock file."""
    return built(tmp_path_factory)


@pytest.fixture
def clone(first):
    """The built clone; a test has to undo its changes.

    The last test of this file checks with DVC that all of them did.
    """
    return first[0]


@pytest.fixture
def changed(clone, first):
    """Write another text into a file of the clone, and restore the old one after the test."""
    before = {}

    def write(path, edit):
        old = before.setdefault(path, (clone / path).read_text(encoding="utf-8"))
        new = edit(old)
        assert new != old
        (clone / path).write_text(new, encoding="utf-8")

    yield write
    for path, text in before.items():
        (clone / path).write_text(text, encoding="utf-8")
    assert (clone / "dvc.lock").read_bytes() == first[1]


@contextmanager
def opened(clone):
    """Open the pipeline of a clone in this process and yield its stages.

    DVC reads dvc.yaml and dvc.lock once, 2 s, and hashes dependencies when their status is read.
    """
    from dvc.repo import Repo, lock_repo

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", clone.environment["DVC_SITE_CACHE_DIR"])
        patch.chdir(clone.folder)
        with Repo() as repo, lock_repo(repo):
            yield repo.index.stages


def dvc(clone, *words):
    return run_dvc(*words, folder=clone.folder, environment=clone.environment)


def read(clone, path):
    return json.loads((clone / path).read_text(encoding="utf-8"))


def test_words_are_cut_and_recognised_and_karaoke_pages_have_their_recordings(clone):
    report = json.loads((clone / "reports/alignment_check.json").read_text(encoding="utf-8"))
    assert set(report["recognisers"]) == {"wavlm_ctc", "whisper_ctc"}
    assert report["words"] > 0
    pages = {path.stem for path in (clone / "data/karaoke").glob("*.html")} - {"index"}
    assert pages
    assert pages == {path.stem for path in (clone / "data/karaoke").glob("*.flac")}


def shown(page):
    """Return the document inside a dashboard's page."""
    block = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1]
    return json.loads(block)


def value_at(report, key):
    """Return the value under a dotted key of a report."""
    for name in key.split("."):
        report = report[int(name)] if isinstance(report, list) else report[name]
    return report


def test_the_dashboard_has_all_models_and_the_numbers_of_the_reports(clone):
    page = (clone / "reports/dashboard/index.html").read_text(encoding="utf-8")
    document = shown(page)
    phones, words = document["tasks"]
    assert {model["name"] for model in phones["models"]} == MODELS
    assert [model["name"] for model in words["models"]] == ["whisper_base", "whisper_tuned"]
    checked = 0
    for model in (*phones["models"], *words["models"]):
        own = model["report"]
        report = read(clone, own["file"])
        numbers = [(rate["value"], rate["key"]) for rate in own["rate"].values()]
        for value, key in [*numbers, *((row[1], row[4]) for row in own["extra"])]:
            assert value == value_at(report, key), (model["name"], key)
            checked += 1
    assert checked > 100
    for pair in (*phones["pairs"], *words["pairs"]):
        assert pair["difference"] == value_at(read(clone, pair["file"]), pair["key"])["difference"]
    corpus = read(clone, document["corpus"]["file"])
    splits = next(t for t in document["corpus"]["tables"] if t["name"] == "Splits")
    hours = next(row for row in splits["rows"] if row[0] == "hours")
    assert hours[1:] == [corpus["parts"][part]["hours"] for part in ("train", "valid", "test")]


def test_the_dashboard_has_audio_in_data_alone_and_names_no_path(clone):
    quiet = (clone / "reports/dashboard/index.html").read_text(encoding="utf-8")
    loud = (clone / "data/dashboards/index.html").read_text(encoding="utf-8")
    assert "data:audio/ogg;base64," not in quiet
    assert str(clone.folder) not in quiet + loud
    document, same = shown(quiet), shown(loud)
    assert 2 <= len(same["clips"]["audio"]) <= 2 * (len(MODELS) + 2)
    assert document["tasks"] == same["tasks"]
    assert document["clips"]["withheld"] == []  # all speech of the small profile is synthetic


def test_a_build_runs_what_is_not_cached_and_ends_with_the_table(clone):
    output = (clone.folder.parent / "first.txt").read_text(encoding="utf-8")
    summary = re.search(rf"^{len(STAGES)} stages: (.*), in [\d.]+ s$", output, re.M)[1]
    counts = {kind: int(number) for number, kind in re.findall(r"(\d+) ([a-z ]+)", summary)}
    assert sum(counts.values()) == len(STAGES)
    ran = re.findall(r"^\[ *\d+/\d+\] (\S+): done in ", output, re.M)
    assert counts["ran"] == len(ran) == len({*ran})
    if (clone.folder.parent / "kept.lock").exists():
        assert {*ran} >= UNCACHED
    else:
        assert counts == {"ran": len(STAGES)}
    assert output.endswith((clone / "reports/comparison.md").read_text(encoding="utf-8"))


def test_stages_that_ran_again_with_the_same_inputs_wrote_the_cached_bytes(clone, first):
    cached_lock = clone.folder.parent / "kept.lock"
    if not cached_lock.exists():
        pytest.skip("this build started from nothing")
    before, after = locked(cached_lock), locked(clone / "dvc.lock")
    inputs = {
        name: {k: v for k, v in entry.items() if k != "outs"} for name, entry in after.items()
    }
    same = [n for n, entry in inputs.items() if entry.items() <= before.get(n, {}).items()]
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_a_second_build_runs_nothing(clone):
    assert clone.repro() == UP_TO_DATE


def test_a_build_changes_only_the_reports_and_the_lock_file(clone):
    changes = clone.git("status", "--porcelain", "--untracked-files=all").splitlines()
    assert {re.sub("/.*", "/", line[3:]) for line in changes} <= {
        "DATA_LICENSES.md", "dvc.lock", "reports/",
    }  # fmt: skip
    assert {path.parent.name for path in clone.folder.rglob(".gitignore")} == {".dvc", "built"}
    assert not list(clone.folder.rglob("*.part"))
    # Times of steps and memory are of no output, so they stay here for the reader; a stage that was
    # restored from the build of an earlier test run writes none.
    left = {path for path in (clone / "checkpoints").rglob("*") if path.is_file()}
    assert left <= {clone / "checkpoints/whisper/tuned/log.jsonl"}


def test_the_comparison_contains_what_others_read(clone):
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


def test_each_package_contains_what_it_recorded_and_the_gate_fails(clone):
    folders = [clone / f"data/models/{name}" for name in sorted(MODELS)]
    folders += [clone / f"data/models/{name}" for name in ("streaming", "whisper_package/tuned")]
    assert [check_package(folder) for folder in folders] == [[]] * len(folders)
    done = clone.call(*PYTHON, "fonoteka", "gate", "--base", "HEAD")
    # What was learned in seconds is worth nothing, and the gate says so by name. It exits with 2
    # if a causal model never changes its state, so that it has no latency.
    assert done.returncode == (2 if "cannot be decided" in done.stderr else 1)
    assert re.search(
        r"gate: \d+ of \d+ failed: .*wavlm_ctc\.per: .* is above its limit", done.stderr
    )
    weights = clone / "data/models/mlp/model.onnx"
    whole = weights.read_bytes()
    weights.unlink()  # a link into the cache, where it is one
    weights.write_bytes(whole[:-1])
    try:
        done = clone.call(*PYTHON, "fonoteka", "gate")
        assert re.search(r"data/models/mlp: .*model\.onnx", done.stderr)
    finally:
        weights.write_bytes(whole)


def test_the_ensemble_is_chosen_on_the_validation_part_and_compared_on_test(clone):
    report = read(clone, "reports/ensemble.json")
    assert len(report["combinations"]) == 10  # two or three of four models
    assert report["shipped"] == "average"
    against = report["average"]["against_best_single"]
    assert against["low"] <= against["difference"] <= against["high"]
    assert report["average"]["verdict"].startswith("the ensemble ")
    metrics = read(clone, "reports/metrics/ensemble.json")
    assert metrics["per"] == report["average"]["test_per"]


def test_the_corpus_report_contains_what_others_read(clone):
    corpus = read(clone, "reports/corpus.json")
    assert corpus["files"] == corpus["accepted"] + sum(corpus["quarantined"].values())
    voices = yaml.safe_load((clone / "params.yaml").read_text())["synthesize"]["voices"]
    parts = corpus["parts"]
    assert set(parts) == {"train", "valid", "test"}
    assert sum(part["speakers"] for part in parts.values()) == voices
    for part in parts.values():
        assert part["hours"] > 0
        assert set(part["languages"]) == {"bs", "en", "hr", "sr"}


def other(value):
    """Return a value with its first number, text, boolean or list changed, at any depth."""
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
    elif isinstance(value, list):
        return [*value, "x"]
    return value


def test_a_changed_section_makes_those_stages_stale_that_load_it(clone, changed):
    # All sections change at once: for each stage DVC lists the changed sections.
    params = yaml.safe_load((clone / "params.yaml").read_text(encoding="utf-8"))
    new = {section: other(value) for section, value in params.items()}
    assert [section for section in params if new[section] == params[section]] == []
    with opened(clone) as stages:
        changed("params.yaml", lambda _: yaml.safe_dump(new))
        stale = {s.addressing: {*changes(s, "params.yaml")} for s in stages}
    declared = params.keys() - UNDECLARED
    assert stale == {s: declared & {*dict(loads(module_of(s), head_of(s)))} for s in STAGES}


def changes(stage, below):
    """Yield the changed dependencies of a stage below a path, according to DVC."""
    deps = (dep for dep in stage.deps if dep.def_path.startswith(below))
    for dep in deps:
        for kind in dep.status().values():
            yield from kind if isinstance(kind, dict) else [dep.def_path]


def test_a_changed_recipe_makes_those_stages_stale_that_name_it(clone, changed):
    users = {s for s in STAGES if recipe_keys(module_of(s))}
    idle = {"realtime_features", "train_whisper"}  # which name the recipe without changes
    recipes = {"default": users - idle, "few_voices": set(), "none": idle}
    with opened(clone) as stages:
        document = yaml.safe_load((clone / "configs/augment.yaml").read_text(encoding="utf-8"))
        for name, expected in recipes.items():
            gain = {"kind": "gain", "probability": 1.0, "db": [0.0, 1.0]}
            new = document | {name: [*document[name], gain]}
            changed("configs/augment.yaml", lambda _, new=new: yaml.safe_dump(new))
            stale = {s.addressing for s in stages if [*changes(s, "configs/")]}
            assert stale == expected, name


def test_a_value_that_is_in_a_command_makes_that_stage_stale(clone, changed):
    assert "${item.hub}" in as_written()["encoder"]["do"]["cmd"]
    changed("params.yaml", lambda text: text.replace("/wavlm-base@", "/wavlm-large@"))
    with opened(clone) as stages:
        stale = {s.addressing for s in stages if s.cmd_changed}
    assert stale == {"encoder@wavlm"}


def test_a_changed_file_makes_those_stages_stale_that_use_it(clone):
    # All files change at once: for each stage DVC lists the changed files.
    holders = {stage: code(module_of(stage)) for stage in STAGES}
    files = [
        path for top in ("fonoteka", "stages") for path in (clone / top).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]  # fmt: skip
    with opened(clone) as stages, ExitStack() as stack:
        for path in files:
            stack.enter_context(appended(path))
        stale = {s.addressing: {*changes(s, ("fonoteka/", "stages/"))} for s in stages}
    assert stale == holders
    held = set().union(*holders.values())
    names = {path: path.relative_to(clone.folder) for path in files}
    idle = [n for n in names.values() if not {p.as_posix() for p in (n, *n.parents)} & held]
    others = {n.as_posix() for n in idle if n.stem != "__init__" and n.suffix == ".py"}
    used = {source(module).relative_to(TOP) for module in commands()}
    # A module of a package that dvc.yaml names as a folder is not idle.
    own = {path for path in used if not {p.as_posix() for p in path.parents} & held}
    assert others == {path.as_posix() for path in own}


@contextmanager
def appended(path):
    """Add a comment to the end of a file inside the block."""
    before = path.read_bytes()
    path.write_bytes(before + b"# another line\n")
    yield
    path.write_bytes(before)


def test_one_mlp_parameter_reaches_the_mlp_and_the_comparison_alone(clone, changed):
    with opened(clone) as stages:
        changed("params.yaml", lambda text: text.replace("mlp:\n  seed: 1", "mlp:\n  seed: 2"))
        assert {s.addressing for s in stages if [*changes(s, "params.yaml")]} == {"train@mlp"}
        graph = next(iter(stages)).repo.index.graph
        reached = {s for s in graph if s.addressing == "train@mlp"}
        while more := {s for s in graph if reached & {*graph.successors(s)}} - reached:
            reached |= more
        names = {s.addressing for s in reached}
    own = {f"{stage}@mlp" for stage in ("train", "onnx", "posteriors", "evaluate", "package")}
    # The ensemble contains the MLP; the comparison and the dashboard contain both.
    after = {"ensemble", "onnx_ensemble", "evaluate@ensemble", "package_ensemble", "compare",
             "dashboard"}  # fmt: skip
    assert names == own | after


def test_a_changed_result_is_compared_with_the_committed_one_and_comes_back(
    clone, changed, tmp_path
):
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--allow-empty", "-m", "results")
    digits = r"(ensemble:\n(?:  .*\n)*?  digits: )4"
    changed("params.yaml", lambda text: re.sub(digits, r"\g<1>2", text))
    output = dvc(clone, "repro", "ensemble")
    assert re.findall(r"^Running stage '(.*)'", output, flags=re.MULTILINE) == ["ensemble"]

    # There are now two results: one in git, one in the workspace.
    for revisions in ([], ["HEAD"]):
        table = dvc(clone, "metrics", "diff", *revisions)
        rows = {line.split()[0] for line in table.splitlines()[1:]}
        assert rows == {"reports/ensemble.json"}
    for kind, *revisions in (["show"], ["diff", "HEAD"]):
        dvc(clone, "plots", kind, *revisions, "--out", str(tmp_path / kind))
        page = (tmp_path / kind / "index.html").read_text(encoding="utf-8")
        for title in PLOTS:
            assert title in page, (kind, title)

    # With the old value, DVC restores the old result from the run cache.
    clone.git("checkout", "--", "params.yaml")
    assert "Running stage" not in dvc(clone, "repro", "ensemble")


def contents(clone):
    """Return all files that stages write, with their bytes."""
    paths = [p for top in ("data", "reports") for p in (clone / top).rglob("*") if p.is_file()]
    return {path.relative_to(clone.folder): path.read_bytes() for path in paths}


MISTAKES = [
    (
        "  test_fraction:", "  tst_fraction:", "split",
        r"section 'split': missing \['test_fraction'\], unknown \['tst_fraction'\]",
    ),
    ("corpora: [embedded]", "corpora: []", "inventory", r"inventory\.corpora"),
    ("corpora: [embedded]", "corpora: [mine]", "inventory", r"data/raw holds no corpus 'mine'"),
    ("salt: ", "salt: 1  # ", "split", r"section 'split': salt: expected str, found 1"),
    ("source: pretrain", "source: web", "encoder@wavlm", r"encoder\.source .* found 'web'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "stage", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence_and_changes_no_output(clone, changed, old, new, stage, sentence):
    before = contents(clone)
    changed("params.yaml", lambda text: text.replace(old, new, 1))
    done = clone.call(*words(stage))
    assert done.returncode == 1
    assert re.fullmatch(f"error: .*{sentence}.*\n", done.stderr)
    assert contents(clone) == before


def test_a_build_with_a_mistake_names_the_stage_and_changes_no_output(clone, changed):
    before = contents(clone)
    old, new, stage, sentence = MISTAKES[0]
    changed("params.yaml", lambda text: text.replace(old, new, 1))
    done = clone.call(*PYTHON, "fonoteka", "repro", stage, "--jobs", "1")
    assert done.returncode == 1
    reason, then = done.stderr.splitlines()
    assert re.search(f"^error: .*{sentence}", reason)
    assert then.startswith(f"error: stage '{stage}' failed")
    assert contents(clone) == before


def test_lost_data_is_restored_from_the_cache(clone):
    before = contents(clone)
    lost = ("package_realtime", "package@mlp", "package_ensemble")  # which no stage reads
    for out in (out for stage in lost for out in entries(stage, "outs")):
        shutil.rmtree(clone / out) if (clone / out).is_dir() else (clone / out).unlink()
    assert len(contents(clone)) < len(before) - len(lost)
    summary = next(s for s in clone.repro().splitlines() if re.match(r"\d+ stages: ", s))
    assert f" {len(lost)} from the cache, {len(STAGES) - len(lost)} up to date" in summary
    assert contents(clone) == before


def test_plain_dvc_finds_everything_up_to_date(clone, first):
    assert "Data and pipelines are up to date." in dvc(clone, "repro")
    assert (clone / "dvc.lock").read_bytes() == first[1]
