"""Read from the source what a stage imports, loads and reads, without running it."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).resolve().parents[2]
TOPS = ("fonoteka", "stages")  # the library, and what dvc.yaml runs
ROOMS = (
    "corpus", "features", "training", "alignment", "export", "evaluation", "realtime", "streaming",
    "words", "reporting",
)  # fmt: skip
# Packages that dvc.yaml names as a folder. A stage names the folder if it uses at least half of the
# modules in it, else each module: 905 entries of dvc.lock became 450, and a change of one module
# makes stages of 60 s stale that do not use it, on average.
FOLDER_NAMES = (
    "audiocheck", "core", "fingerprint", "onnx_export", "reporting/dashboard", "rtneural",
    "scoring", "text",
)  # fmt: skip
FOLDERS = tuple(f"fonoteka/{name}" for name in FOLDER_NAMES)


@cache
def tree(module: str) -> ast.Module:
    """Return the parsed source of a module such as `fonoteka.core.files`."""
    return ast.parse(source(module).read_text(encoding="utf-8"))


# Sections that no result depends on: a change of them must not make a result stale.
UNDECLARED = {"execution"}


def source(module: str) -> Path:
    """Return the file of a module; a package's is its `__init__.py`."""
    path = TOP / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def modules(*packages: str) -> list[str]:
    """Return the modules in packages, or in all, without the packages themselves."""
    folders = [TOP / package.replace(".", "/") for package in packages or TOPS]
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    names = [".".join(path.relative_to(TOP).with_suffix("").parts) for path in paths]
    return [name for name in names if not name.endswith(".__init__")]


def package_of(module: str) -> str:
    """Return the package that a module is in.

    >>> package_of("fonoteka.pipeline.diff.gate")
    'fonoteka.pipeline.diff'
    """
    return module.rpartition(".")[0]


@cache
def imported(module: str) -> frozenset[str]:
    """Return the modules of `fonoteka` and `stages` that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            assert node.module
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in inner if source(name).is_file()} or {node.module}
    return frozenset(name for name in names if name.split(".")[0] in TOPS)


@cache
def package_imports(package: str) -> frozenset[str]:
    """Return the modules of this project that importing a package and its parents imports."""
    names = {module_named(name) for name in at_start(tree(package).body)}
    parent = package_of(package)
    return frozenset(names - {None}) | (package_imports(parent) if parent else frozenset())


@cache
def closure(module: str) -> frozenset[str]:
    """Return a module and its imports, direct and indirect.

    What the `__init__.py` of a package imports at its start counts, because it runs before each of
    its modules. The file itself does not: it contains a docstring and lazy exports alone.
    """
    names, todo = set(), [module]
    while todo:
        name = todo.pop()
        if name not in names:
            names.add(name)
            todo += imported(name)
            todo += package_imports(package_of(name)) if package_of(name) else ()
    return frozenset(name for name in names if source(name).name != "__init__.py")


def at_start(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that importing a module imports: those outside its functions."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from at_start(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (node, *getattr(node, "handlers", ())):
                inner = ast.iter_child_nodes(part)
                yield from at_start([child for child in inner if isinstance(child, ast.stmt)])


def module_named(name: str) -> str | None:
    """Return the module of this project that an imported name is, or is defined in."""
    for module in (name, name.rpartition(".")[0]):
        if source(module).is_file() and source(module).name != "__init__.py":
            return module
    return None


@cache
def loaded_at_start(module: str) -> dict[str, str]:
    """Return the third-party packages that importing a module imports, with the chain of imports.

    Imports inside functions do not count.
    """
    ways: dict[str, str] = {}
    seen, todo = {module}, [(module, module)]
    while todo:
        current, way = todo.pop(0)
        for name in at_start(tree(current).body):
            package = name.split(".")[0]
            if package not in TOPS:
                ways.setdefault(package, way)
            elif (target := module_named(name)) and target not in seen:
                seen.add(target)
                todo.append((target, f"{way} > {target}"))
    return ways


@cache
def sibling_paths(module: str) -> set[str]:
    """Return the files and folders that a module finds beside itself, relative to the top."""
    return {
        (source(module).parent / str(node.args[0].value)).relative_to(TOP).as_posix()
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Path(__file__).with_name"
        and isinstance(node.args[0], ast.Constant)
    }


def code(module: str) -> set[str]:
    """Return the files and folders of this project that a stage module runs or reads."""
    names = closure(module)
    files = {source(name).relative_to(TOP).as_posix() for name in names}
    files = files.union(*(sibling_paths(name) for name in names))
    return {unit_of(path, files, module) for path in files}


def unit_of(path: str, used: set[str], module: str) -> str:
    """Return the dependency in dvc.yaml for a file that a stage uses: the file or its folder."""
    own = folder_of(module)
    if own and path.startswith(f"{own}/"):
        return own
    for folder in FOLDERS:
        if path.startswith(f"{folder}/"):
            inside = {source(name).relative_to(TOP).as_posix() for name in modules(folder)}
            return folder if 2 * len(inside & used) >= len(inside) else path
    return path


def folder_of(module: str) -> str:
    """Return the folder of a stage that is a package, or nothing.

    >>> folder_of("stages.corpus.split.__main__"), folder_of("stages.features.embed")
    ('stages/corpus/split', '')
    """
    package, _, name = module.rpartition(".")
    return package.replace(".", "/") if name == "__main__" else ""


def loads(module: str, head: str) -> list[tuple[str, str]]:
    """Return `(section, dataclass)` of each call of `load` in a stage called with `--head`.

    Of `load(...) if args.head == "mlp" else load(...)` the side that the head takes counts.
    """
    return [pair for part in sorted(closure(module)) for pair in _loads(part, head)]


@cache
def _loads(module: str, head: str) -> list[tuple[str, str]]:
    """Return the pairs of one module; cached, because 48 stages request the same modules."""
    calls = _calls(tree(module), head)
    return [(ast.literal_eval(call.args[0]), ast.unparse(call.args[1])) for call in calls]


def _calls(node: ast.AST, head: str) -> Iterator[ast.Call]:
    if isinstance(node, ast.IfExp) and ast.unparse(node.test).startswith("args.head == "):
        assert isinstance(node.test, ast.Compare)
        selected = ast.literal_eval(node.test.comparators[0]) == head
        yield from _calls(node.body if selected else node.orelse, head)
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("load", "params.load"):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, head)


def recipe_keys(module: str) -> list[str]:
    """Return the keys of params.yaml that name the augmentation recipes of a stage, sorted.

    They are the second argument of `load_recipe`.
    """
    calls = (
        node
        for part in closure(module)
        for node in ast.walk(tree(part))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "load_recipe"
    )
    return sorted(ast.literal_eval(call.args[1]) for call in calls)


@cache
def commands() -> list[str]:
    """Return the modules of the library that no stage imports: commands and what they use."""
    used = {name for stage in pipeline() for name in closure(module_of(stage))}
    return [name for name in modules("fonoteka") if name not in used]


@cache
def params() -> dict[str, Any]:
    """Return the sections of params.yaml."""
    return yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))


@cache
def as_written() -> dict[str, dict]:
    """Return the stages of dvc.yaml."""
    return yaml.safe_load((TOP / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


@cache
def pipeline() -> dict[str, dict]:
    """Return the stages of dvc.yaml, with `foreach` written out as DVC does it."""
    stages: dict[str, dict] = {}
    for name, entry in as_written().items():
        if "foreach" not in entry:
            stages[name] = entry
            continue
        items = params()[entry["foreach"][2:-1]] if "$" in entry["foreach"] else entry["foreach"]
        pairs = items.items() if isinstance(items, dict) else [(item, item) for item in items]
        for key, item in pairs:
            stages[f"{name}@{key}"] = _filled(entry["do"], str(key), item)
    return stages


def _filled(value, key: str, item):
    if isinstance(value, dict):
        return {_filled(k, key, item): _filled(v, key, item) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(entry, key, item) for entry in value]
    if not isinstance(value, str):
        return value
    inner = {f"item.{k}": v for k, v in item.items()} if isinstance(item, dict) else {"item": item}
    for word, text in {"key": key, **inner}.items():
        value = value.replace(f"${{{word}}}", str(text))
    return value


def words(stage: str) -> list[str]:
    """Return the command of a stage, split as by a shell."""
    return shlex.split(pipeline()[stage]["cmd"])


def module_of(stage: str) -> str:
    """Return the module that a stage runs."""
    start, module = words(stage)[:2], words(stage)[2]
    assert start == ["python", "-m"], f"{stage}: {start}"
    return program(module)


def program(module: str) -> str:
    """Return the module that `python -m` runs: the `__main__` of a package."""
    return f"{module}.__main__" if (TOP / module.replace(".", "/")).is_dir() else module


def head_of(stage: str) -> str:
    """Return the value of a stage's option `--head`, or nothing."""
    _, _, after = pipeline()[stage]["cmd"].partition(" --head ")
    return after.split()[0] if after else ""


def entries(stage: str, *kinds: str) -> dict[str, dict]:
    """Return the paths of some lists of a stage, each with its options."""
    paths: dict[str, dict] = {}
    for kind in kinds:
        for entry in pipeline()[stage].get(kind, []):
            paths |= entry if isinstance(entry, dict) else {entry: {}}
    return paths
