"""`status` shows what is stale and why, what is not pulled, and the cost, before a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import exit_code, run_fonoteka
from toy import copied, empty, keep_apart, run_dvc

from fonoteka.core.files import write_json
from fonoteka.pipeline.durations import store_duration

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]

STAGES = """
stages:
  grow:
    cmd: cat in.txt more.txt > grown.txt
    deps: [in.txt, more.txt]
    params: [grow]
    outs: [grown.txt]
  fold:
    cmd: mkdir -p data/folded && cat grown.txt > data/folded/a.txt && echo 1 > data/folded/b.txt
    deps: [grown.txt]
    outs: [data/folded]
  gather: {cmd: ls data > list.txt, deps: [data], outs: [list.txt]}
  count:
    cmd: wc -c < grown.txt > count.json
    deps: [data/folded, grown.txt]
    metrics: [count.json: {cache: false}]
  lone: {cmd: echo 1 > lone.txt, outs: [lone.txt]}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small pipeline that dvc has run."""
    folder = copied(empty(tmp_path_factory), tmp_path_factory.mktemp("status") / "built")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "params.yaml").write_text("grow: {by: 2, tall: true}\n")
    (folder / "in.txt").write_text("hello\n")
    (folder / "more.txt").write_text("more\n")
    (folder / "data").mkdir()
    (folder / "data/own.txt").write_text("own\n")
    with pytest.MonkeyPatch.context() as patch:
        keep_apart(patch, folder.parent)
        run_dvc("repro", "-q", folder=folder)
    return folder


@pytest.fixture
def project(built, tmp_path, monkeypatch):
    """A copy of it, to be changed."""
    folder = copied(built, tmp_path / "project")
    monkeypatch.chdir(folder)
    keep_apart(monkeypatch, tmp_path)
    return folder


@pytest.fixture
def call(project, monkeypatch, capsys):
    """Run the command; return its exit code, each stage that it printed, and its errors."""

    def called(*arguments):
        code = exit_code("status", "--json", *arguments)
        output = capsys.readouterr()
        stages = json.loads(output.out)["stages"] if output.out else []
        return code, {stage["stage"]: stage for stage in stages}, output.err

    return called


def states(stages):
    return {name: stage["state"] for name, stage in stages.items() if stage["state"] != "fresh"}


def use_remote(folder):
    run_dvc("remote", "add", "-q", "--default", "store", str(folder.parent / "store"))


def lose(*names, cache=True):
    """Remove outputs, and the cache with them."""
    for name in names:
        path = Path(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if cache:
        shutil.rmtree(".dvc/cache")


def test_what_was_just_built_is_fresh(call, project, monkeypatch, capsys):
    code, stages, _ = call()
    assert (code, states(stages)) == (0, {})
    assert list(stages) == ["grow", "fold", "gather", "count", "lone"]
    run_fonoteka("status")
    assert capsys.readouterr().out == "5 stages: 5 fresh\n"


def test_a_parameter_that_changed_is_named_with_both_values(call, project):
    (project / "params.yaml").write_text("grow: {by: 3, far: [1]}\n")
    code, stages, _ = call()
    assert code == 1
    assert stages["grow"]["state"] == "stale"
    assert stages["grow"]["reasons"] == [
        "params.yaml grow.by: 2 -> 3",
        "params.yaml grow.far: not set -> [1]",
        "params.yaml grow.tall: true -> not set",
    ]


def test_stages_below_a_stale_one_may_be_stale_and_others_are_fresh(call, project):
    (project / "in.txt").write_text("halo\n")
    _, stages, _ = call()
    assert states(stages) == {
        "grow": "stale", "fold": "may be stale", "count": "may be stale", "gather": "may be stale",
    }  # fmt: skip
    assert stages["grow"]["reasons"] == ["in.txt: changed"]
    assert stages["count"]["reasons"] == ["because of grow"]


def test_every_reason_has_its_own_sentence(call, project):
    text = STAGES.replace("cat in.txt more.txt >", "cat in.txt >").replace("[in.txt, more", "[new")
    (project / "dvc.yaml").write_text(text)
    (project / "new.txt").write_text("new\n")
    (project / "grown.txt").write_text("by hand\n")
    _, stages, _ = call()
    assert stages["grow"]["reasons"] == [
        "its command in dvc.yaml: - more.txt",
        "new.txt: is a new dependency",
        "grown.txt: changed since its stage wrote it",
    ]
    assert stages["fold"]["reasons"] == ["grown.txt: changed by grow"]


def test_a_stage_that_runs_each_time_says_so(call, project):
    text = STAGES.replace("outs: [lone.txt]", "outs: [lone.txt], always_changed: true")
    (project / "dvc.yaml").write_text(text)
    _, stages, _ = call()
    assert states(stages) == {"lone": "stale"}
    assert stages["lone"]["reasons"] == ["runs each time, because dvc.yaml says so"]


def test_an_input_that_is_missing_is_named(call, project):
    (project / "more.txt").unlink()
    assert call()[1]["grow"]["reasons"] == ["more.txt: is missing"]


def test_the_reason_for_a_folder_has_its_old_and_new_number_of_files(call, project):
    (project / "data/new.txt").write_text("four")
    assert call()[1]["gather"]["reasons"] == [
        "data: changed (3 files of 17 bytes -> 4 of 21)"
    ]  # fmt: skip
    (project / "data/new.txt").unlink()
    (project / "data/own.txt").write_text("OWN\n")
    assert call()[1]["gather"]["reasons"] == [
        "data: changed (still 3 files of 17 bytes)"
    ]  # fmt: skip


def test_a_stage_that_never_ran_is_missing(call, project):
    (project / "dvc.yaml").write_text(
        STAGES + "  late: {cmd: cat count.json > late.txt, deps: [count.json], outs: [late.txt]}\n"
    )
    code, stages, _ = call("--allow-missing")
    assert (code, states(stages)) == (1, {"late": "missing"})
    assert stages["late"]["reasons"] == ["never ran: dvc.lock has no entry for it"]


def test_what_is_in_the_cache_is_not_pulled_and_no_stage_below_is_stale(call, project):
    lose("grown.txt", "data/folded", cache=False)
    code, stages, _ = call()
    assert (code, states(stages)) == (
        1, {"grow": "not pulled", "fold": "not pulled", "gather": "not pulled"},
    )  # fmt: skip
    assert stages["grow"]["reasons"] == ["grown.txt: in dvc's cache; restore it with dvc checkout"]
    assert stages["gather"]["reasons"] == ["data: a part of it is not pulled"]
    assert call("--allow-missing")[0] == 0
    run_dvc("checkout", "-q")
    assert call()[0] == 0


def test_what_the_remote_can_have_is_not_pulled_with_its_bytes(call, project):
    use_remote(project)
    lose("grown.txt", "data/folded", "list.txt")
    code, stages, _ = call()
    assert code == 1
    assert stages["grow"]["state"] == "not pulled"
    assert stages["grow"]["reasons"] == [
        "grown.txt: fetch it with dvc pull, if remote 'store' has it"
    ]
    assert stages["grow"]["size"] == len("hello\nmore\n")
    assert stages["lone"]["reasons"] == [
        "lone.txt: fetch it with dvc pull, if remote 'store' has it"
    ]
    assert call("--allow-missing")[0] == 0


def test_without_a_remote_what_is_nowhere_is_missing(call, project):
    lose("grown.txt")
    _, stages, _ = call()
    assert (stages["grow"]["state"], stages["lone"]["state"]) == ("missing", "missing")
    assert (
        "grown.txt: not in the workspace or dvc's cache, and there is no remote"
        in stages["grow"]["reasons"][0]
    )
    assert (
        "lone.txt: in the workspace but not in dvc's cache; add it with dvc commit"
        in stages["lone"]["reasons"][0]
    )


def test_a_missing_output_of_git_is_restored_by_git(call, project):
    lose("count.json", cache=False)
    _, stages, _ = call()
    assert states(stages) == {"count": "missing"}
    assert stages["count"]["reasons"] == [
        "count.json: missing; restore it with git checkout -- count.json"
    ]


def test_a_clone_without_data_still_knows_what_is_stale(call, project):
    use_remote(project)
    lose("grown.txt", "data/folded", "list.txt", "lone.txt")
    (project / "params.yaml").write_text("grow: {by: 3, tall: true}\n")
    code, stages, _ = call("--allow-missing")
    assert code == 1
    assert states(stages) == {
        "grow": "stale", "fold": "may be stale", "count": "may be stale",
        "gather": "may be stale", "lone": "not pulled",
    }  # fmt: skip
    assert stages["grow"]["reasons"] == ["params.yaml grow.by: 2 -> 3"]


def test_a_stage_run_alone_leaves_what_reads_it_stale_even_where_its_output_is_not_here(
    call, project
):
    use_remote(project)
    (project / "in.txt").write_text("halo\n")
    run_dvc("repro", "-q", "-s", "grow")
    assert call()[1]["fold"]["reasons"] == ["grown.txt: changed by grow"]
    lose("grown.txt")
    assert call()[1]["fold"]["reasons"][0] == "grown.txt: rewritten by grow"


def test_a_frozen_stage_is_left_alone(call, project):
    run_dvc("freeze", "-q", "grow")
    (project / "in.txt").write_text("halo\n")
    code, stages, _ = call()
    assert (code, states(stages)) == (0, {"grow": "frozen"})


def test_added_data_is_listed_too(call, project):
    run_dvc("add", "-q", "in.txt")
    assert call()[0] == 0
    (project / "in.txt").write_text("halo\n")
    _, stages, _ = call()
    assert stages["in.txt.dvc"]["reasons"] == ["in.txt: changed since it was added"]
    assert stages["grow"]["state"] == "stale"


def test_the_cost_is_in_clips_in_bytes_and_in_seconds(call, project):
    write_json(Path("reports/corpus.json"), {"files": 9, "accepted": 8, "parts": {}})
    store_duration(project, "grow", 3.2)
    (project / "in.txt").write_text("halo\n")
    _, stages, _ = call()
    assert (stages["grow"]["took_s"], stages["fold"]["took_s"]) == (3.2, None)
    assert stages["grow"]["size"] == len("hello\nmore\n")


def test_a_table_for_a_person_has_reasons_and_sums(call, project, monkeypatch, capsys):
    store_duration(project, "grow", 3.2)
    (project / "in.txt").write_text("halo\n")
    (project / "params.yaml").write_text("grow: {by: 3, tall: true}\n")
    assert exit_code("status") == 1
    head, grow, second, *rest = capsys.readouterr().out.splitlines()
    assert head.split() == ["stage", "state", "clips", "bytes", "last", "run", "reason"]
    assert grow.split() == ["grow", "stale", "-", "11", "B", "3.2", "s", "in.txt:", "changed"]
    assert second.strip() == "params.yaml grow.by: 2 -> 3"
    assert head.index("reason") == grow.index("in.txt") == second.index("params.yaml")
    assert rest[-3:] == [
        "5 stages: 1 fresh, 1 stale, 3 may be stale",
        "to run: 1, 3.2 s one after another, by their last runs: make repro",
        "to run if their inputs change: 3, never timed here",
    ]


def test_what_may_be_missing_is_not_in_the_table_but_counted(call, project, monkeypatch, capsys):
    lose("grown.txt", "data/folded", "list.txt", "lone.txt")
    run_fonoteka("status", "--allow-missing")
    assert capsys.readouterr().out == "5 stages: 1 fresh, 4 missing\n"


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("dvc.yaml", "stages: [", "dvc.yaml"),
        ("dvc.lock", "a: [", "dvc.lock"),
        ("params.yaml", "a: [", "params.yaml"),
    ],
)
def test_what_dvc_can_not_read_leaves_it_undecided(file, text, name, call, project):
    (project / file).write_text(text)
    code, stages, error = call()
    assert (code, stages) == (2, {})
    assert error.startswith("error: ")
    assert name in error


def test_outside_of_a_pipeline_it_can_not_be_decided(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call()[0] == 2
