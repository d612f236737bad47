"""dvc.yaml declares what the code uses: DVC would miss a change of anything it omits."""

import ast
import re
import subprocess
from functools import cache
from pathlib import PurePosixPath

import pytest
import yaml
from dvc_yaml import (
    ROOMS,
    TOP,
    TOPS,
    UNDECLARED,
    as_written,
    at_start,
    closure,
    code,
    commands,
    entries,
    folder_of,
    head_of,
    imported,
    loads,
    module_named,
    module_of,
    modules,
    package_of,
    pipeline,
    recipe_keys,
    sibling_paths,
    source,
    tree,
    words,
)
from toy import call_dvc, run_dvc

from fonoteka.audio.recipe import RECIPES
from fonoteka.pipeline import overrides

STAGES = sorted(pipeline())
RESULTS = ("outs", "metrics", "plots")
OVERLAYS = [None, *sorted(path.stem for path in overrides.PROFILES.glob("*"))]
# A page is neither a metric nor a plot, and this table is drawn by a template of its own.
UNCACHED_OUTS = {
    "DATA_LICENSES.md", "reports/alignment_check.md", "reports/beam.md", "reports/comparison.md",
    "reports/corpus.md", "reports/dashboard/index.html", "reports/endpoints.md",
    "reports/per_by_language.csv", "reports/streaming.md",
}  # fmt: skip
CODE = ("fonoteka/", "stages/")
LIBRARY = "fonoteka"
# Each package imports only packages before it, so that none can import itself in a circle.
LAYERS = [
    f"{LIBRARY}.{name}"
    for name in (
        "core", "formats", "compute", "audio", "languages", "g2p", "rtneural", "scoring",
        "confidence", "text", "audiocheck", "fingerprint", "corpus", "corpus.importers.layouts",
        "corpus.importers", "languages.voices", "models", "onnx_export", "whisper.conversion",
        "whisper", "alignment", "reporting", "realtime", "streaming", "self_training", "pipeline",
        "pipeline.runner", "pipeline.status", "pipeline.diff", "pipeline.verify", "pipeline.merge",
        "pipeline.remote", "pipeline.review", "erasure", "harvest", "release", "service", "hub",
        "corpus_fetch", "images", "selection", "voices", "bench", "planning", "sweep", "cli",
    )
]  # fmt: skip
# Packages that can be used alone, with everything that each imports besides itself.
CORE = "fonoteka.core"
LIFTABLE = {
    "fonoteka.rtneural": {CORE},
    "fonoteka.g2p": {CORE, "fonoteka.phones"},
    "fonoteka.text": {CORE, "fonoteka.g2p", "fonoteka.phones"},
    "fonoteka.audiocheck": {CORE},
    "fonoteka.fingerprint": {CORE},
    "fonoteka.scoring": {CORE, "fonoteka.audio", "fonoteka.phones"},
    "fonoteka.pipeline": {
        CORE, "fonoteka.compute", "fonoteka.git", "fonoteka.packaging", "fonoteka.reporting",
        "fonoteka.scoring", "fonoteka.tables",
    },
}  # fmt: skip
AT_THE_TOP = {"DATA_LICENSES.md"}  # where people look for it


def data(paths):
    return {path for path in paths if not path.startswith(CODE)}


# The tests below loop over stages and modules: as items of pytest they were 750, and each item
# costs more than its assertion. The assertions contain the stage.


def test_a_stage_declares_the_code_it_runs_and_no_other():
    for stage in STAGES:
        declared = {path for path in entries(stage, "deps") if path.startswith(CODE)}
        assert declared == code(module_of(stage)), stage


def test_a_stage_declares_the_sections_it_loads_and_no_other():
    for stage in STAGES:
        declared = {e for e in pipeline()[stage].get("params", []) if isinstance(e, str)}
        loaded = {section for section, _ in loads(module_of(stage), head_of(stage))}
        assert declared == loaded - UNDECLARED, stage


def test_a_stage_declares_the_recipes_that_it_loads_and_no_other():
    # DVC replaces the name of a key by its value, so a stage depends on the recipe it names.
    users = []
    for stage in STAGES:
        declared = {e: o for e, o in entries(stage, "params").items() if o}
        keys = recipe_keys(module_of(stage))
        loaded = {RECIPES.as_posix(): [f"${{{key}}}" for key in keys]} if keys else {}
        assert declared == loaded, stage
        users += [stage.split("@")[0]] * bool(keys)
    assert {*users} == {
        "embed", "encoder", "realtime_features", "train_stream", "train_whisper",
    }  # fmt: skip


def test_every_section_of_params_is_loaded_by_a_stage_or_a_tool():
    sections = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))
    loaded = {s for stage in STAGES for s, _ in loads(module_of(stage), head_of(stage))}
    tools = {s for module in commands() for s, _ in loads(module, "")}
    # dvc.yaml itself makes stages of these, and fills commands with their values.
    filled = {*re.findall(r"\$\{(\w+)", (TOP / "dvc.yaml").read_text(encoding="utf-8"))}
    assert set(sections) == loaded | tools | (filled - {"item", "key"})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_params_and_profiles_have_the_keys_that_stages_load(overlay, tmp_path):
    # From the source alone; tests/test_params_load.py imports the stages and loads the values too.
    path = tmp_path / "params.yaml"
    path.write_bytes((TOP / "params.yaml").read_bytes())
    if overlay:
        overrides.apply_profile(overrides.find(overlay), path)
    sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    for stage in STAGES:
        for section, name in loads(module_of(stage), head_of(stage)):
            keys = fields_of(name, classes_of(module_of(stage)))
            assert set(sections[section]) == keys, (stage, section)


@cache
def classes_of(stage_module):
    """Return the classes of a stage module and its imports, by name."""
    trees = (tree(module) for module in closure(stage_module))
    return {node.name: node for t in trees for node in t.body if isinstance(node, ast.ClassDef)}


def fields_of(name, classes):
    """Return the fields of a dataclass, those of its bases included."""
    fields = (each for each in classes[name].body if isinstance(each, ast.AnnAssign))
    own = {ast.unparse(field.target) for field in fields}
    return own.union(*(fields_of(ast.unparse(base), classes) for base in classes[name].bases))


def test_every_data_path_of_a_command_is_declared():
    for stage in STAGES:
        declared = {PurePosixPath(path) for path in data(entries(stage, "deps", *RESULTS))}
        for path in map(PurePosixPath, words(stage)):
            if path.parts[0] in ("data", "reports"):
                covers = (
                    path in (other, other.parent) or other in path.parents for other in declared
                )
                assert any(covers), (stage, path)


def test_every_declared_data_path_is_in_the_command():
    for stage in STAGES:
        named = {PurePosixPath(word) for word in words(stage)}
        for path in map(PurePosixPath, data(entries(stage, "deps", *RESULTS))):
            allowed = named | {word.with_suffix(path.suffix) for word in named if word.suffix}
            allowed |= {file.parent for file in named if path == PurePosixPath("data/audio")}
            assert path in allowed or path.parent in allowed, (stage, path)


def test_data_that_is_read_is_a_whole_output_or_the_users():
    # A dependency on a file inside an output that is a folder misses changes. A folder of outputs,
    # and nothing but outputs, is as good as naming each.
    written = {path for stage in STAGES for path in entries(stage, *RESULTS)}
    read = {path for stage in STAGES for path in data(entries(stage, "deps"))}
    folders = {str(PurePosixPath(path).parent) for path in written}
    assert read - written - folders == {"data/speakers.csv"}


def test_data_is_cached_and_reports_are_in_git():
    for stage in STAGES:
        for path, options in entries(stage, *RESULTS).items():
            assert path in AT_THE_TOP or path.split("/")[0] in ("data", "reports"), (stage, path)
            assert options.get("cache", True) == path.startswith("data/"), (stage, path)
        # Under `outs`, unlike under `metrics` and `plots`, `cache: false` turns the run-cache off.
        with_options = {path for path, options in entries(stage, "outs").items() if options}
        assert with_options <= UNCACHED_OUTS, stage


def test_a_stage_states_its_reason_and_lists_in_order():
    for stage, written in as_written().items():
        entry = written.get("do", written)
        # never frozen or always run
        assert set(entry) <= {"desc", "meta", "cmd", "deps", "params", *RESULTS}, stage
        assert entry["desc"], stage
        for kind in ("deps", "params", *RESULTS):
            listed = [*map(path_of, entry.get(kind, []))]
            assert listed == sorted(set(listed)), (stage, kind)


def path_of(entry):
    return next(iter(entry)) if isinstance(entry, dict) else entry


def test_a_stage_is_named_as_its_module_and_a_variant_after_it():
    for stage in STAGES:
        name, module = stage.split("@")[0], words(stage)[2].split(".")[-1]
        assert name == module or name.startswith(f"{module}_"), stage


def test_packages_contain_a_docstring_and_lazy_exports_alone():
    # Importing a module runs the `__init__.py` of its packages, which no stage declares.
    # What they import is in `fonoteka/core`, which every stage declares as a folder.
    allowed = {
        "__future__.annotations", "fonoteka.core.exports.lazy_exports", "typing.TYPE_CHECKING",
        "gc",  # of `stages`: a threshold that has to be set before the heavy imports
    }  # fmt: skip
    packages = sorted(path for top in TOPS for path in (TOP / top).rglob("__init__.py"))
    rooms = {TOP / "stages", *(TOP / "stages" / room for room in ROOMS)}
    assert {path.parent for path in packages} | rooms == {
        source(module).parent for module in modules()
    } | rooms
    for path in packages:
        parsed = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(parsed), path
        assert set(at_start(parsed.body)) <= allowed, path
        assert not [node for node in parsed.body if isinstance(node, ast.FunctionDef)], path


def test_stages_import_their_own_room_and_the_library_alone():
    for module in modules("stages"):
        room = module.split(".")[1]
        assert room in ROOMS, module
        others = {name for name in imported(module) if not name.startswith("fonoteka.")}
        assert {name.split(".")[1] for name in others} <= {room}, module


def test_a_stage_that_is_a_package_is_used_by_itself_alone():
    # Its folder is one dependency: modules that two stages share are beside their folders.
    own = {folder for stage in STAGES if (folder := folder_of(module_of(stage)))}
    for module in modules("stages"):
        for name in imported(module):
            folder = source(name).parent.relative_to(TOP).as_posix()
            assert folder not in own or source(module).parent == source(name).parent, module


def test_the_library_imports_no_stage():
    for module in modules("fonoteka"):
        assert not [name for name in imported(module) if name.startswith("stages.")], module


def test_packages_import_each_other_in_one_direction():
    # A package may import those that come before it here; `fonoteka` itself is its modules.
    problems = []
    for module in modules("fonoteka"):
        package = layer_of(module)
        for other in sorted({layer_of(name) for name in imported(module)} - {package, LIBRARY}):
            if package != LIBRARY and LAYERS.index(other) >= LAYERS.index(package):
                problems.append(f"{module} imports {other}, which is above it")
    assert not problems, "\n".join(problems)
    assert {layer_of(module) for module in modules("fonoteka")} == {*LAYERS, LIBRARY}


def layer_of(module):
    """Return a module's package in `LAYERS`; a folder that is not listed belongs to its parent.

    >>> layer_of("fonoteka.text.english.years"), layer_of("fonoteka.pipeline.diff.gate")
    ('fonoteka.text', 'fonoteka.pipeline.diff')
    """
    package = package_of(module) or module  # of the library itself, which some modules import
    while package not in LAYERS and package != LIBRARY:
        package = package_of(package)
    return package


def test_a_package_that_others_can_use_alone_depends_on_little():
    for package, allowed in LIFTABLE.items():
        needs = {name for module in modules(package) for name in imported(module)}
        outside = {name for name in needs if not name.startswith(f"{package}.")}
        assert {package_or_module(name) for name in outside} <= allowed, package


def package_or_module(module):
    """Return the package of a module, or the module itself at the top of the library."""
    return module if package_of(module) == LIBRARY else package_of(module)


def test_no_stage_is_imported():
    stages = {module_of(stage) for stage in STAGES}
    assert not stages & {name for module in modules() for name in imported(module)}


def test_every_module_is_used():
    used = {name for stage in STAGES for name in closure(module_of(stage))}
    programs = [m for m in modules("fonoteka") if '__name__ == "__main__"' in source(m).read_text()]
    used |= {name for program in programs for name in closure(program)}
    # What packages import when they are imported: their types for a checker do not count.
    packages = {package_of(module) for module in modules()}
    used |= {module_named(name) for p in packages for name in at_start(tree(p).body)} - {None}
    assert {*modules()} == used


def test_every_data_file_of_a_package_is_read_by_a_module_beside_it():
    read = {name for module in modules() for name in sibling_paths(module)}
    files = [
        path
        for top in TOPS
        for path in (TOP / top).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    rest = {p.parent.relative_to(TOP).as_posix() for p in files}
    assert rest - read == {"fonoteka/pipeline/profiles"}


def test_only_one_module_opens_params_and_none_imports_by_name():
    for module in modules():
        text = ast.unparse(tree(module))
        assert "importlib.import_module" not in text, module
        assert "__import__" not in text, module
        if module not in ("fonoteka.core.params", "fonoteka.pipeline.overrides"):
            assert "Path('params.yaml')" not in text, module


def ignored(*paths):
    """Return those of the paths that git ignores."""
    command = ["git", "check-ignore", "--stdin", "--no-index"]
    done = subprocess.run(
        command, cwd=TOP, check=False, input="\n".join(paths), capture_output=True, text=True
    )
    return {*done.stdout.splitlines()}


def test_git_holds_reports_and_pointers_and_no_data():
    # The rules are static: lines that DVC adds to .gitignore go again when a later stage fails.
    results = {path for stage in STAGES for path in entries(stage, *RESULTS)}
    clip, state = "data/raw/mine/clip.wav", "checkpoints/train/mlp/state.safetensors"
    data = {path for path in results if path.startswith("data/")}
    log = "logs/train@mlp/20250131T120000Z-1.jsonl"
    others = ("data/raw/mine.dvc", "dvc.lock", clip, state, log)
    assert ignored(*results, *others) == {*data, clip, state, log}


def test_git_never_merges_the_lock_file_as_text():
    command = ["git", "check-attr", "merge", "dvc.lock"]
    done = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True)
    assert done.stdout == "dvc.lock: merge: unset\n"


@pytest.mark.dvc
def test_dvc_finds_the_pointers_to_recordings(tmp_path):
    # A rule `/data/*` would hide the folder from dvc: push, pull and status would skip it all.
    for name in (".gitignore", ".dvcignore"):
        (tmp_path / name).write_bytes((TOP / name).read_bytes())
    (tmp_path / "data/raw").mkdir(parents=True)
    pointer = "outs:\n- {md5: 465a62c55506cd2fa10372c1f9ba4b5e.dir, hash: md5, path: mine}\n"
    (tmp_path / "data/raw/mine.dvc").write_text(pointer)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    run_dvc("init", "-q", folder=tmp_path)
    done = call_dvc("status", folder=tmp_path)
    assert "data/raw/mine" in done.stdout, done.stdout + done.stderr


@pytest.mark.dvc
def test_a_half_written_file_is_neither_in_git_nor_in_a_hash_of_dvc():
    # A file that a killed process leaves in data/raw would change the input of every later stage.
    assert ignored("reports/.corpus.json.17.part")
    done = call_dvc("check-ignore", "data/raw/.embedded.17.part", folder=TOP)
    assert done.stdout == "data/raw/.embedded.17.part\n"


# Besides dvc_api, only the program that runs as dvc itself, in a process of its own.
DVC_IMPORTERS = {"fonoteka/pipeline/dvc_api.py", "fonoteka/pipeline/runner/dvc_child.py"}


def test_only_one_module_uses_the_private_api_of_dvc():
    pattern = re.compile(r"^\s*(?:from|import) dvc(?:_data|_objects)?\b(?!live)", re.MULTILINE)
    paths = [path for top in ("fonoteka", "stages") for path in (TOP / top).rglob("*.py")]
    importers = {
        path.relative_to(TOP).as_posix()
        for path in paths
        if pattern.search(path.read_text(encoding="utf-8"))
    }
    assert importers == DVC_IMPORTERS


def test_every_stage_states_its_seconds():
    missing = [name for name, stage in pipeline().items() if "seconds" not in stage["meta"]]
    assert not missing, "meta: seconds, measured on two cores (.dvc/tmp/durations.json)"
