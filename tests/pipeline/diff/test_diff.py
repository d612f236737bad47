"""A branch is compared by every metric, and nothing passes that cannot be read."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from clones import GIT, PYTHON, Clone, committed
from command_line import exit_code
from gate_maker import NO_MODELS

from fonoteka.core.files import read_json, write_json
from fonoteka.pipeline.diff.corpus import clips

MODELS = ("one", "two")
SPEAKERS = ("ana", "ben", "cvita")
ONE = "reports/metrics/one.json"
GATE = {
    "one.per": {"file": ONE, "key": "per", "direction": "lower", "limit": 0.3, "tolerance": 0.01},
    "one.accuracy": {
        "file": ONE, "key": "segment_accuracy", "direction": "higher", "limit": 0.5,
        "tolerance": 0.01,
    },
}  # fmt: skip


def metrics(*errors, **more):
    """Return a model's report: as many errors in a hundred phones of each speaker."""
    rate = sum(errors) / 100 / len(errors)
    rows = {
        speaker: {"errors": wrong, "phones": 100, "segment_accuracy": 0.9}
        for speaker, wrong in zip(SPEAKERS, errors, strict=True)
    }
    return {
        "per": rate, "per_low": rate - 0.08, "per_high": rate + 0.08, "by_speaker": rows,
        "phones": 300, "segments": 300, "segment_accuracy": 0.9, "onnx_bytes": 1000, "top3": 0.99,
        "languages": {"hr": {"per": rate, "per_low": rate - 0.1, "per_high": rate + 0.1}},
    } | more  # fmt: skip


def corpus(**utterances):
    parts = {"train": 2, "valid": 1, "test": 3} | utterances
    return {
        "parts": {
            part: {"utterances": count, "hours": count / 1000, "speakers": count}
            for part, count in parts.items()
        }
    }


def manifest(part, *lines):
    """Put a manifest where dvc would keep it, and return its hash."""
    rows = [{"id": i, "speaker": s, "duration_s": 3.6} for i, s in (x.split() for x in lines)]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    md5 = hashlib.md5(text.encode()).hexdigest()
    path = Path(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return {"path": f"data/splits/{part}.jsonl", "md5": md5}


def write_pipeline(models=MODELS, **parts):
    """Write dvc.yaml and dvc.lock of the given models and parts."""
    defaults = {
        "train": ["a mia", "b mia"], "valid": ["c noa"], "test": ["d ana", "e ben", "f cvita"],
    }  # fmt: skip
    splits = [manifest(part, *lines) for part, lines in (defaults | parts).items()]
    stages = {
        f"evaluate@{m}": [{"path": f"reports/metrics/{m}.json", "md5": "0" * 32}] for m in models
    }
    stages |= {"audit": [{"path": "reports/corpus.json", "md5": "0" * 32}], "split": splits}
    lock = {
        "schema": "2.0",
        "stages": {name: {"cmd": "x", "outs": outs} for name, outs in stages.items()},
    }
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    declared = {"evaluate": {"foreach": list(models), "do": {"cmd": "x"}}}
    declared |= {"audit": {"cmd": "x"}, "split": {"cmd": "x"}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": declared}))


def write_params(numbers=GATE, **sections):
    document = {"gate": NO_MODELS | {"numbers": numbers}, "mlp": {"hidden": 8}} | sections
    Path("params.yaml").write_text(yaml.safe_dump(document))


def git(*arguments):
    return subprocess.run([*GIT, *arguments], check=True, capture_output=True, text=True).stdout


def commit(message="change"):
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A branch off main, without a change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git("init", "--quiet", "--initial-branch", "main")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    (tmp_path / ".gitignore").write_text("/.dvc/cache/\n/.dvc/tmp/\n")
    write_json(Path(ONE), metrics(10, 20, 30))
    write_json(Path("reports/metrics/two.json"), metrics(11, 19, 33))
    write_json(Path("reports/corpus.json"), corpus())
    write_pipeline()
    write_params()
    commit("good")
    git("checkout", "--quiet", "-b", "branch")
    return tmp_path


@pytest.fixture
def call(project, monkeypatch, capsys):
    """Run the command; return its exit code, the page, its stderr, and its JSON."""

    def called(*arguments):
        answer = project / "answer.json"
        code = exit_code("diff", "--json", answer, *arguments)
        output = capsys.readouterr()
        return code, output.out, output.err, read_json(answer) if answer.exists() else None

    return called


def row(answer, name):
    return next(row for row in answer["rows"] if row["number"] == name)


def test_a_branch_without_a_change_is_fine_and_shows_every_metric(call):
    code, page, message, answer = call()
    assert (code, message, answer["verdict"]) == (0, "", "fine")
    assert page.startswith("## No regression against main (")
    names = {f"{model}.{key}" for model in MODELS for key in ("per", "top3", "languages.hr.per")}
    assert names <= {row["number"] for row in answer["rows"]}
    assert {row["verdict"] for row in answer["rows"]} == {"same"}
    assert "| one.per " in page
    assert "No change: the splits contain the same clips." in page
    assert "No change in params.yaml." in page


def test_a_worse_model_is_a_regression_that_is_named(call):
    # Each speaker loses; the two sides' own intervals overlap nearly whole.
    write_json(Path(ONE), metrics(12, 22, 33))
    code, page, message, answer = call("--base", "main")
    assert (code, answer["verdict"]) == (1, "regression")
    assert message.startswith("diff: A regression against main (")
    assert message.endswith("): one.per\n")
    assert "one.per: 0.2233333" in page
    metric = row(answer, "one.per")
    assert (metric["verdict"], metric["interval"]) == ("worse", "paired")
    assert metric["low"] > 0
    assert row(answer, "two.per")["verdict"] == "same"


def test_the_same_metric_of_a_model_that_the_gate_does_not_name_counts_too(call):
    write_json(Path("reports/metrics/two.json"), metrics(15, 24, 39))
    code, _, message, answer = call()
    assert (code, message.split(": ")[-1]) == (1, "two.per\n")
    assert row(answer, "two.per")["tolerance"] == "0.01"


def test_a_metric_without_a_tolerance_is_shown_and_fails_nothing(call):
    write_json(Path(ONE), metrics(10, 20, 30, top3=0.5))
    code, page, _, answer = call()
    assert code == 0
    assert (row(answer, "one.top3")["verdict"], row(answer, "one.top3")["counts"]) == (
        "worse", False,
    )  # fmt: skip
    assert "worse, not gated" in page


def test_what_is_inside_its_interval_or_its_tolerance_is_the_same(call):
    write_json(Path(ONE), metrics(10, 20, 36, segment_accuracy=0.89))  # one speaker alone is worse
    code, _, _, answer = call()
    assert code == 0
    assert row(answer, "one.per")["verdict"] == "same"
    assert row(answer, "one.per")["low"] == 0
    assert row(answer, "one.accuracy")["verdict"] == "same"


def test_a_limit_that_is_passed_now_is_a_regression_and_one_passed_before_is_not(call):
    write_params(GATE | {"one.per": GATE["one.per"] | {"limit": 0.204}})
    write_json(Path(ONE), metrics(10, 20, 32))
    code, page, _, _ = call()
    assert code == 1
    assert "**past its limit**" in page
    commit()
    write_json(Path(ONE), metrics(10, 20, 31.9))
    code, page, _, _ = call("--base", "HEAD")
    assert code == 0
    assert "same, past its limit as before" in page


def test_a_metrics_file_that_was_renamed_leaves_it_undecided(call, project):
    (project / ONE).rename(project / "reports/metrics/uno.json")
    commit()
    code, page, message, answer = call()
    assert (code, answer["verdict"], answer["rows"]) == (2, "undecided", [])
    assert page.startswith("## Cannot be decided against main (")
    assert f"here: {ONE} is missing, and by dvc.lock stage 'evaluate@one' writes it" in page
    assert message.startswith("diff: Cannot be decided")
    # Nor does it help to rename it at the base.
    git("mv", "reports/metrics/uno.json", ONE)
    code, page, _, _ = call("--base", "branch")
    assert code == 2
    assert f"at branch ({git('rev-parse', 'branch')[:7]}): {ONE} is missing" in page


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        (ONE, "{", "not valid JSON"),
        (ONE, "[]", "is not a JSON object"),
        (ONE, '{"per": null}', "per is null: nothing was measured"),
        (ONE, '{"top3": 1}', "no key 'per' of 'per'"),
        ("reports/corpus.json", "", "not valid JSON"),
        ("dvc.lock", "a: [", "dvc.lock is not valid YAML"),
        ("dvc.lock", "{}", "dvc.lock has no stages"),
        ("dvc.lock", "stages: {split: {outs: []}}", "has no report in reports/metrics"),
        ("dvc.yaml", "- 1", "dvc.yaml has no stages"),
    ],
)
@pytest.mark.parametrize("side", ["here", "base"])
def test_what_can_not_be_read_on_either_side_is_never_a_table_that_passes(
    side, file, text, reason, call, project
):
    good = (project / file).read_bytes()
    (project / file).write_text(text)
    commit()
    if side == "base":
        (project / file).write_bytes(good)
    code, page, _, _ = call("--base", "branch" if side == "base" else "main")
    if (side, text) == ("base", '{"top3": 1}'):  # a metric that is new
        assert code == 0
        return
    assert code == 2
    assert reason in page


def test_an_added_model_is_named_and_shown(call):
    write_pipeline((*MODELS, "three"))
    write_json(Path("reports/metrics/three.json"), metrics(30, 30, 30))
    code, page, _, answer = call()
    assert (code, answer["models_added"], answer["models_removed"]) == (0, ["three"], [])
    assert "Models added: three." in page
    assert (row(answer, "three.per")["verdict"], row(answer, "three.per")["new"]) == ("new", "0.3")


def test_a_removed_model_is_named_and_fails_only_if_the_gate_names_it(call, project):
    (project / "reports/metrics/two.json").unlink()
    write_pipeline(["one"])
    code, page, _, answer = call()
    assert (code, answer["models_removed"]) == (0, ["two"])
    assert "Models removed: two." in page
    assert row(answer, "two.per")["verdict"] == "removed"
    (project / ONE).unlink()
    write_pipeline(["two"])
    write_json(Path("reports/metrics/two.json"), metrics(11, 19, 33))
    code, page, _, _ = call()
    assert code == 2
    assert f"cannot be decided: one.per: {ONE}: no such report" in page


def test_a_stage_that_only_the_lock_file_remembers_is_not_missed(call, project):
    (project / "reports/metrics/two.json").unlink()
    declared = yaml.safe_load(Path("dvc.yaml").read_text())
    declared["stages"]["evaluate"]["foreach"] = ["one"]
    Path("dvc.yaml").write_text(yaml.safe_dump(declared))
    code, _, _, answer = call()
    assert (code, answer["models_removed"]) == (0, ["two"])


@pytest.mark.dvc
def test_added_and_removed_clips_and_speakers_are_listed(call):
    write_pipeline(train=["a mia", "g zoe", "h zoe"], valid=["b mia"])
    write_json(Path("reports/corpus.json"), corpus(train=3))
    code, page, _, answer = call()
    assert code == 0
    change = answer["corpus"]
    assert (change["clips_in"], change["clips_out"], change["clips_moved"]) == (2, 1, 1)
    assert (change["hours_in"], change["hours_out"]) == (0.002, 0.001)
    assert (change["speakers_in"], change["speakers_out"]) == (["zoe"], ["noa"])
    assert change["parts"]["train"]["utterances"] == ["2", "3"]
    assert "Speakers added: zoe; removed: noa." in page
    assert "| train   |       2 -> 3 |" in page
    assert "The test split differs" not in page


@pytest.mark.dvc
def test_manifests_that_are_not_in_the_cache_leave_the_counts(call, project):
    write_pipeline(test=["d ana", "e ben", "f cvita", "i zoe"])
    write_json(Path("reports/corpus.json"), corpus(test=4))
    shutil.rmtree(project / ".dvc/cache")
    code, page, _, _ = call()
    assert code == 0
    assert "| test    |       3 -> 4 |" in page
    assert "data/splits/train.jsonl is not in dvc's cache; get it with dvc fetch" in page
    assert "The test split differs" in page


def test_a_line_without_the_fields_of_a_clip_is_refused():
    with pytest.raises(ValueError, match=r"test.jsonl:2: not a line of a manifest"):
        clips({"test": '{"id": "a", "speaker": "b", "duration_s": 1}\n{"id": "c"}\n'})


def test_parameters_that_changed_are_shown_and_a_changed_gate_is_pointed_out(call):
    write_params(mlp={"hidden": 16, "seed": 1})
    _, page, _, answer = call()
    assert answer["params"] == [
        {"key": "mlp.hidden", "old": "8", "new": "16"}, {"key": "mlp.seed", "old": "", "new": "1"},
    ]  # fmt: skip
    assert "This branch also changes the gate" not in page
    write_params(GATE | {"one.per": GATE["one.per"] | {"tolerance": 0.5}})
    assert "This branch also changes the gate" in call()[1]


def test_the_usual_base_is_main_and_on_main_the_commit_before(call):
    assert "against main (" in call()[1]
    write_params(mlp={"hidden": 9})
    commit()
    git("push", "--quiet", ".", "branch:main")
    assert "against main (" in call()[1]
    git("checkout", "--quiet", "--detach", "main")
    assert "against HEAD~1 (" in call()[1]
    git("checkout", "--quiet", "main")
    code, page, _, answer = call()
    assert code == 0
    assert "against HEAD~1 (" in page
    assert [change["key"] for change in answer["params"]] == ["mlp.hidden"]
    git("checkout", "--quiet", "branch")
    git("branch", "--quiet", "--delete", "main")
    assert "against HEAD~1 (" in call()[1]


def test_new_commits_of_the_base_are_pointed_out(call):
    assert "commits that are not in this branch" not in call()[1]
    git("checkout", "--quiet", "main")
    write_params(mlp={"hidden": 9})
    commit()
    git("checkout", "--quiet", "branch")
    assert "has 1 commits that are not in this branch" in call()[1]


def test_the_page_is_written_to_the_requested_file(call, project):
    _, page, _, _ = call("--markdown", "out/verdict.md")
    assert (project / "out/verdict.md").read_text() == page


@pytest.mark.parametrize("base", ["no-such-branch", "--all", ""])
def test_a_base_that_does_not_exist_leaves_it_undecided(base, call):
    code, page, message, _ = call(f"--base={base}")
    assert (code, page) == (2, "")
    assert message.startswith(f"error: --base {base!r}: ")


def test_outside_of_a_git_checkout_there_is_nothing_to_compare_with(call, project):
    (project / ".git").rename(project / "not-git")
    code, page, message, _ = call()
    assert (code, page) == (2, "")
    assert "this is not a git checkout" in message


@pytest.mark.dvc
def test_an_error_of_drawing_the_plots_is_quoted_and_decides_nothing(call, project):
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text() + "plots: 1\n")
    code, page, _, _ = call("--plots", "pictures")
    assert code == 0
    assert "dvc could not draw the plots: " in page


@pytest.mark.dvc
def test_plots_of_both_sides_are_drawn_by_dvc(call, project):
    declared = yaml.safe_load(Path("dvc.yaml").read_text()) | {"plots": ["curve.tsv"]}
    (project / "dvc.yaml").write_text(yaml.safe_dump(declared))
    (project / "curve.tsv").write_text("step\tper\n1\t0.5\n2\t0.25\n")
    commit()
    (project / "curve.tsv").write_text("step\tper\n1\t0.5\n2\t0.125\n")
    _, page, _, _ = call("--base", "branch", "--plots", "pictures")
    assert page.endswith("of both sides: pictures/index.html\n")
    drawn = (project / "pictures/index.html").read_text()
    assert ("0.25" in drawn, "0.125" in drawn) == (True, True)


@pytest.mark.pipeline
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
def test_on_the_real_reports_a_model_of_two_epochs_is_worse_than_the_committed_one(
    tmp_path, tmp_path_factory
):
    clone = committed(tmp_path_factory, tmp_path / "clone")
    # The commit before that of its own results has the numbers of the embedded corpus.
    base, answer = ("--base", "HEAD~1"), tmp_path / "answer.json"
    done = clone.call(*PYTHON, "fonoteka", "diff", *base, "--json", str(answer))
    # 2 if a causal model of two epochs never changes its state, so that it has no latency.
    assert done.returncode == (2 if "Cannot be decided" in done.stderr else 1), done.stderr
    worse = {row["number"] for row in read_json(answer)["rows"] if row["regression"]}
    assert {"mlp.per", "wav2vec2_ctc.per", "wavlm_ctc.per", "ensemble.per"} <= worse
    assert "wavlm_ctc.per: " in done.stdout
    assert "The test split differs" in done.stdout

    # A metrics file under another name, in a copy of what is in git: it cannot be compared.
    renamed = tmp_path / "renamed"
    subprocess.run([*GIT, "clone", "--quiet", clone.folder, renamed], check=True)
    git("-C", str(renamed), "mv", "reports/metrics/mlp.json", "reports/metrics/mlp2.json")
    done = Clone(renamed).call(*PYTHON, "fonoteka", "diff", "--base", "HEAD~1")
    assert done.returncode == 2
    assert (
        "reports/metrics/mlp.json is missing, and by dvc.lock stage 'evaluate@mlp'" in done.stdout
    )
