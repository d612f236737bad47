"""dvc.yaml says what the code does: what it omits, DVC would call up to date when it is not."""

import ast
import importlib
import subprocess
import sys
from pathlib import PurePosixPath

import pytest
import yaml
from imports import (
    ROOMS,
    TOP,
    as_written,
    beside,
    closure,
    code,
    entries,
    imported,
    loads,
    module_of,
    modules,
    name_of,
    pipeline,
    tree,
    words,
)

from stages.common import params
from stages.tools import profile

STAGES = sorted(pipeline())
RESULTS = ("outs", "metrics", "plots")
# A page is neither a metric nor a plot, and this table is drawn by a template of its own.
UNCACHED_OUTS = {
    "DATA_LICENSES.md", "reports/comparison.md", "reports/corpus.md", "reports/per_by_language.csv",
}  # fmt: skip
AT_THE_TOP = {"DATA_LICENSES.md"}  # where people look for it


def data(paths):
    return {path for path in paths if not path.startswith("stages/")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_code_it_runs_and_no_other(stage):
    declared = {path for path in entries(stage, "deps") if path.startswith("stages/")}
    assert declared == code(module_of(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_sections_it_loads_and_no_other(stage):
    declared = pipeline()[stage].get("params", [])
    assert set(declared) == {section for section, _ in loads(module_of(stage), name_of(stage))}


def test_every_section_of_params_is_loaded_by_a_stage_or_a_tool():
    sections = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))
    loaded = {s for stage in STAGES for s, _ in loads(module_of(stage), name_of(stage))}
    tools = {s for module in modules("tools") for s, _ in loads(module, "")}
    assert set(sections) == loaded | tools


@pytest.mark.parametrize("overlay", [None, *sorted(p.stem for p in profile.PROFILES.glob("*"))])
def test_params_and_profiles_have_every_key_that_stages_load(overlay, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes((TOP / "params.yaml").read_bytes())
    if overlay:
        profile.lay_over(profile.find(overlay), path)
    for stage in STAGES:
        for section, name in loads(module_of(stage), name_of(stage)):
            holder = next(
                module
                for module in map(importlib.import_module, sorted(closure(module_of(stage))))
                if hasattr(module, name)
            )
            params.load(section, getattr(holder, name), path)


@pytest.mark.parametrize("stage", STAGES)
def test_every_data_path_of_a_command_is_declared(stage):
    declared = data(entries(stage, "deps", *RESULTS))
    for word in words(stage):
        path = PurePosixPath(word)
        if path.parts[0] in ("data", "reports"):
            known = (PurePosixPath(other) for other in declared)
            assert any(path in (o, o.parent) or o in path.parents for o in known), word


@pytest.mark.parametrize("stage", STAGES)
def test_every_declared_data_path_is_in_the_command(stage):
    said = {PurePosixPath(word) for word in words(stage)}
    for declared in data(entries(stage, "deps", *RESULTS)):
        path = PurePosixPath(declared)
        known = said | {word.with_suffix(path.suffix) for word in said if word.suffix}
        known |= {file.parent for file in said if path == PurePosixPath("data/audio")}
        assert path in known or path.parent in known, declared


def test_data_that_is_read_is_a_whole_output_or_the_users():
    # A dependency on a file inside an output that is a folder misses changes.
    written = {path for stage in STAGES for path in entries(stage, *RESULTS)}
    read = {path for stage in STAGES for path in data(entries(stage, "deps"))}
    assert read - written == {"data/raw", "data/speakers.csv"}


@pytest.mark.parametrize("stage", STAGES)
def test_data_is_cached_and_reports_are_in_git(stage):
    for path, said in entries(stage, *RESULTS).items():
        assert path in AT_THE_TOP or path.split("/")[0] in ("data", "reports"), path
        assert said.get("cache", True) == path.startswith("data/"), path
    # Under `outs`, unlike under `metrics` and `plots`, `cache: false` turns the run-cache off.
    assert {p for p, said in entries(stage, "outs").items() if said} <= UNCACHED_OUTS


@pytest.mark.parametrize("stage", as_written())
def test_a_stage_says_why_and_lists_in_order(stage):
    entry = as_written()[stage]
    entry = entry.get("do", entry)
    told = {"desc", "meta", "cmd", "deps", "params", *RESULTS}
    assert set(entry) <= told  # never frozen or always run
    assert entry["desc"]
    for kind in ("deps", "params", *RESULTS):
        listed = [*map(path_of, entry.get(kind, []))]
        assert listed == sorted(set(listed)), kind


def path_of(entry):
    return next(iter(entry)) if isinstance(entry, dict) else entry


def test_a_stage_is_named_as_its_module_and_a_variant_after_it():
    for stage in STAGES:
        name, module = stage.split("@")[0], module_of(stage).split(".")[-1]
        assert name == module or name.startswith(f"{module}_"), stage


def test_packages_hold_a_docstring_and_nothing_else():
    packages = sorted((TOP / "stages").rglob("__init__.py"))
    assert len(packages) == 1 + len(ROOMS) + len(("common", "tools"))
    for path in packages:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, path
        assert ast.get_docstring(ast.Module(body, [])), path


@pytest.mark.parametrize("module", modules())
def test_a_room_knows_only_itself_and_what_is_common(module):
    room = module.split(".")[1]
    assert room in ("common", "tools", *ROOMS)
    assert {name.split(".")[1] for name in imported(module)} <= {room, "common"}


def test_no_stage_is_imported():
    stages = {module_of(stage) for stage in STAGES}
    assert not stages & {name for module in modules() for name in imported(module)}


def test_no_module_lies_idle():
    used = {name for stage in STAGES for name in closure(module_of(stage))}
    assert {m for m in modules() if not m.startswith("stages.tools.")} == used


def test_what_is_no_code_is_read_by_a_module_beside_it():
    found = {name for module in modules() for name in beside(module)}
    files = [
        p for p in (TOP / "stages").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")
    ]
    rest = {p.parent.relative_to(TOP).as_posix() for p in files}
    assert rest - found == {"stages/tools/profiles"}


@pytest.mark.parametrize("module", modules())
def test_only_one_module_opens_params_and_none_imports_by_name(module):
    text = ast.unparse(tree(module))
    assert "importlib.import_module" not in text
    assert "__import__" not in text
    if module not in ("stages.common.params", "stages.tools.profile"):
        assert "Path('params.yaml')" not in text


def ignored(path):
    command = ["git", "check-ignore", "--quiet", "--no-index", path]
    return subprocess.run(command, cwd=TOP, check=False).returncode == 0


def test_git_holds_reports_and_pointers_and_no_data():
    # The rules are static: lines that DVC adds to .gitignore go again when a later stage fails.
    for path in {path for stage in STAGES for path in entries(stage, *RESULTS)}:
        assert ignored(path) == path.startswith("data/"), path
    assert not ignored("data/raw/mine.dvc")
    assert not ignored("dvc.lock")
    assert ignored("data/raw/mine/clip.wav")
    assert ignored("checkpoints/train/mlp/state.safetensors")


def test_git_never_merges_the_lock_file_as_text():
    command = ["git", "check-attr", "merge", "dvc.lock"]
    done = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True)
    assert done.stdout == "dvc.lock: merge: unset\n"


def test_dvc_finds_the_pointers_to_recordings(tmp_path):
    # A rule `/data/*` would hide the folder from dvc: push, pull and status would skip it all.
    for name in (".gitignore", ".dvcignore"):
        (tmp_path / name).write_bytes((TOP / name).read_bytes())
    (tmp_path / "data/raw").mkdir(parents=True)
    pointer = "outs:\n- {md5: 465a62c55506cd2fa10372c1f9ba4b5e.dir, hash: md5, path: mine}\n"
    (tmp_path / "data/raw/mine.dvc").write_text(pointer)
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    listed = [sys.executable, "-m", "dvc", "status"]
    done = subprocess.run(listed, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert "data/raw/mine" in done.stdout, done.stdout + done.stderr


def test_a_half_written_file_is_neither_in_git_nor_in_a_hash_of_dvc():
    # One that a killed process left in data/raw would change what every stage below it reads.
    assert ignored("reports/.corpus.json.17.part")
    command = [sys.executable, "-m", "dvc", "check-ignore", "data/raw/.embedded.17.part"]
    done = subprocess.run(command, cwd=TOP, check=False, capture_output=True, text=True)
    assert done.stdout == "data/raw/.embedded.17.part\n"
