"""Find words, names and functions that docs/style.md does not allow.

    python tests/support/language.py                            all violations
    python tests/support/language.py --folder fonoteka/text     those of a folder or a file
    python tests/support/language.py --count                    the number per folder

`tests/banned.toml` lists the patterns and names.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[2]
CODE = ("fonoteka", "stages", "tests")
TEXTS = (
    "README.md", "CITATION.cff", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "tests/*.md",
    "dvc.yaml", "params.yaml", "Makefile", "scripts/*.ps1",
)  # fmt: skip
WORKFLOWS = ".github/**/*.yml"
BANNED = TOP / "tests" / "banned.toml"
LONGEST_WITHOUT_COMMENT = 25  # lines of a function, its docstring not counted
MOST_FILES = 20  # Python files in a folder

# Paths, options and addresses in a text are names that are checked where they are defined.
_NOT_PROSE = re.compile(
    r"[\w.~<>*-]*/[\w./<>*-]+|\w+(?:\.\w+)*\.(?:py|md|toml|yaml|json|csv)\b|--[\w-]+"
)
_INLINE_CODE = re.compile(r"(?<!`)`[^`\n]+`(?!`)")


class Phrase(NamedTuple):
    """A banned pattern with the plain form, a sentence that it matches and one that it does not."""

    name: str
    pattern: re.Pattern[str]
    plain: str
    bad: str
    good: str


class Passage(NamedTuple):
    """A text in a file, and the line on which it starts."""

    line: int
    text: str


class Violation(NamedTuple):
    """A place where a rule is broken; `str` gives `file:line: rule: text -> plain form`."""

    path: str
    line: int
    rule: str
    text: str
    plain: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text} -> {self.plain}"


class Rules(NamedTuple):
    """The contents of `tests/banned.toml`."""

    phrases: tuple[Phrase, ...]
    names: dict[str, str]  # a banned name, and what to write instead
    classes: dict[str, str]
    modules: dict[str, str]
    quoted: tuple[str, ...]  # folders whose strings are examples of language, not prose
    verbatim: re.Pattern[str]  # messages of other programs, which our code must match exactly


@cache
def rules() -> Rules:
    """Read `tests/banned.toml`. A space in a pattern matches a line break too."""
    data = tomllib.loads(BANNED.read_text(encoding="utf-8"))
    phrases = tuple(
        Phrase(
            entry["name"],
            re.compile(entry["pattern"].replace(" ", r"\s"), re.MULTILINE),
            entry["plain"],
            entry["bad"],
            entry["good"],
        )
        for entry in data["phrase"]
    )
    tables = (data["names"], data["classes"], data["modules"])
    verbatim = re.compile("|".join(map(re.escape, data["verbatim"])))
    return Rules(phrases, *tables, tuple(data["quoted"]), verbatim)


def files() -> list[Path]:
    """Return the Python files and texts that the rules apply to."""
    code = [path for folder in CODE for path in (TOP / folder).rglob("*.py")]
    texts = [path for pattern in TEXTS for path in TOP.glob(pattern)]
    return sorted([*code, *texts, *TOP.glob(WORKFLOWS)])


def violations(paths: list[Path] | None = None) -> list[Violation]:
    """Return the violations in some files, or in all."""
    return [item for path in paths or files() for item in _in_file(path)]


class Module(NamedTuple):
    """A parsed module: its tree is walked once, 30 ms per file, and its tokens are read once."""

    tree: ast.Module
    nodes: list[ast.AST]
    comments: list[Passage]


@cache
def parsed(source: str) -> Module:
    """Parse the source of a module."""
    tree = ast.parse(source)
    comments = [
        Passage(token.start[0], token.string.lstrip("#! ").rstrip())
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    return Module(tree, [*ast.walk(tree)], comments)


def _in_file(path: Path) -> Iterator[Violation]:
    shown = path.relative_to(TOP).as_posix()
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from phrases_in(shown, [Passage(1, source)])
        return
    module = parsed(source)
    quoted = shown.startswith(rules().quoted)
    yield from phrases_in(shown, passages(module, strings=not quoted))
    for line, kind, name in bound_names(module.tree, path.stem):
        banned = {"class": rules().classes, "module": rules().modules}.get(kind, rules().names)
        if plain := banned.get(name.strip("_")):
            yield Violation(shown, line, f"{kind} name", name, plain)
    for line, name in without_comment(module):
        yield Violation(shown, line, "no comment", name, "give the reasons in comments")


def phrases_in(path: str, texts: list[Passage]) -> Iterator[Violation]:
    """Find the banned patterns in the passages of a file."""
    for passage in texts:
        prose = rules().verbatim.sub(_blank, passage.text)
        prose = _NOT_PROSE.sub(_blank, prose)
        if path.endswith(".md"):  # inline code quotes a name, or what a program prints
            prose = _INLINE_CODE.sub(_blank, prose)
        for phrase in rules().phrases:
            for match in phrase.pattern.finditer(prose):
                line = passage.line + prose.count("\n", 0, match.start())
                around = passage.text[max(match.start() - 30, 0) : match.end() + 30]
                yield Violation(path, line, phrase.name, " ".join(around.split()), phrase.plain)


def _blank(match: re.Match[str]) -> str:
    return "\x00" * len(match[0])


def passages(module: Module, *, strings: bool = True) -> list[Passage]:
    """Return the comments, docstrings, strings and test names of a module.

    Comments on consecutive lines are one passage, and so are the parts of an f-string. Test names
    are sentences, with spaces instead of underscores.
    """
    docstrings = {id(node) for node in _docstrings(module.nodes)}
    # The parts of an f-string are constants of the tree too; they are read as one string.
    parts = {
        id(part)
        for node in module.nodes
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    result = _merged(module.comments)
    for node in module.nodes:
        if isinstance(node, ast.JoinedStr):
            if strings and id(node) not in parts:
                result.append(Passage(node.lineno, _joined(node)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in parts and (strings or id(node) in docstrings):
                text = "\n".join(line.strip() for line in node.value.split("\n"))
                result.append(Passage(node.lineno, text if strings else _without_doctests(text)))
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            result.append(Passage(node.lineno, node.name[5:].replace("_", " ")))
    return result


def _without_doctests(text: str) -> str:
    """Blank the examples of a docstring, which are strings of a quoted folder too.

    >>> _without_doctests("a\\n>>> f(1)\\n2\\n\\nb")
    'a\\n\\n\\n\\nb'
    """
    example = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
    return example.sub(lambda match: "\n" * match[0].count("\n"), text)


def _docstrings(nodes: list[ast.AST]) -> Iterator[ast.Constant]:
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(ast.Constant(str()) as text), *_]:
                    yield text


def _merged(comments: list[Passage]) -> list[Passage]:
    """Join comments on consecutive lines.

    >>> _merged([Passage(1, "a"), Passage(2, "b"), Passage(4, "c")])
    [Passage(line=1, text='a\\nb'), Passage(line=4, text='c')]
    """
    result: list[Passage] = []
    for line, text in comments:
        if result and result[-1].line + result[-1].text.count("\n") + 1 == line:
            result[-1] = Passage(result[-1].line, f"{result[-1].text}\n{text}")
        else:
            result.append(Passage(line, text))
    return result


def _joined(node: ast.JoinedStr) -> str:
    """Return the text of an f-string, with `{}` for each value."""
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
    )


def bound_names(tree: ast.Module, stem: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, kind and name of what a module defines, each name once per function."""
    yield 1, "module", stem
    seen: set[tuple[str, str]] = set()

    def visit(node: ast.AST, scope: str) -> Iterator[tuple[int, str, str]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, "class" if isinstance(node, ast.ClassDef) else "function", node.name
            scope = f"{scope}.{node.name}"
        if (bound := _bound(node)) and (scope, bound[2]) not in seen:
            seen.add((scope, bound[2]))
            yield bound
        for child in ast.iter_child_nodes(node):
            yield from visit(child, scope)

    yield from visit(tree, "")


def _bound(node: ast.AST) -> tuple[int, str, str] | None:
    match node:
        case ast.Name(id=name, ctx=ast.Store()):
            return node.lineno, "variable", name
        case ast.Attribute(attr=name, ctx=ast.Store()):
            return node.lineno, "attribute", name
        case ast.arg(arg=name):
            return node.lineno, "parameter", name
        case ast.alias(asname=str(name)):
            return node.lineno, "variable", name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return node.lineno, "variable", name
    return None


def without_comment(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of the functions that are long and contain no comment."""
    comments = {comment.line for comment in module.comments}
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            first = node.body[0]
            documented = ast.get_docstring(node) is not None and first.end_lineno
            docstring = first.end_lineno - first.lineno + 1 if documented else 0
            length = node.end_lineno - node.lineno + 1 - docstring
            if length > LONGEST_WITHOUT_COMMENT and not comments & {
                *range(node.lineno, node.end_lineno + 1)
            }:
                yield node.lineno, f"{node.name}, {length} lines"


def shared_class_names() -> dict[str, list[str]]:
    """Return the class names that more than one class has, with their files."""
    places: dict[str, list[str]] = {}
    for path in files():
        if path.suffix == ".py":
            for node in parsed(path.read_text(encoding="utf-8")).nodes:
                if isinstance(node, ast.ClassDef):
                    shown = f"{path.relative_to(TOP).as_posix()}:{node.lineno}"
                    places.setdefault(node.name, []).append(shown)
    return {name: listed for name, listed in sorted(places.items()) if len(listed) > 1}


def crowded_folders() -> dict[str, int]:
    """Return the folders with more than `MOST_FILES` Python files."""
    counts = Counter(
        path.parent.relative_to(TOP).as_posix() for path in files() if path.suffix == ".py"
    )
    return {folder: count for folder, count in sorted(counts.items()) if count > MOST_FILES}


def group(path: str) -> str:
    """Return the key under which a file is counted: its folder, or the file at the top.

    >>> group("fonoteka/text/dates.py"), group("dvc.yaml"), group("docs/models.md")
    ('fonoteka/text', 'dvc.yaml', 'docs')
    """
    return path.rpartition("/")[0] or path


def counts(items: list[Violation]) -> dict[str, int]:
    """Return the number of violations per folder."""
    return dict(sorted(Counter(group(item.path) for item in items).items()))


def main() -> int:
    """Print the violations; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", default="", help="a folder or a file, from the top")
    parser.add_argument("--count", action="store_true", help="print the number per folder")
    args = parser.parse_args()
    start = (TOP / args.folder).resolve()
    if not start.exists():
        parser.error(f"--folder: {args.folder!r} does not exist")
    items = violations([path for path in files() if path.is_relative_to(start)])
    if args.count:
        for key, number in counts(items).items():
            print(f"{number:5d}  {key}")
    else:
        print(*items, sep="\n")
    print(f"{len(items)} violations")
    return 1 if items else 0


if __name__ == "__main__":
    raise SystemExit(main())
