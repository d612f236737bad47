"""The pages for contributors, reporters of faults and authors who cite agree with the project."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest
import yaml
from dvc_yaml import TOP, modules, tree

PAGES = ("CONTRIBUTING.md", "SECURITY.md", "docs/editor.md")
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# The keys of the Citation File Format 1.2.0 that this project may need, with their types; the
# format allows no others than those that its schema lists.
CITATION_KEYS = {
    "cff-version": str, "message": str, "title": str, "authors": list,
    "abstract": str, "type": str, "version": str, "license": str, "keywords": list,
    "date-released": str, "references": list,
}  # fmt: skip
REQUIRED = {"cff-version", "message", "title", "authors"}


def citation(text=None):
    text = text or (TOP / "CITATION.cff").read_text(encoding="utf-8")
    # A version such as 1.0 and a date must be quoted: readers of the format expect texts.
    return yaml.load(text, yaml.BaseLoader)


def problems_of(entries):
    """Return what the format does not allow in a citation."""
    missing = [f"missing: {key}" for key in sorted(REQUIRED - entries.keys())]
    wrong = [
        f"not a {CITATION_KEYS[key].__name__}: {key}" if key in CITATION_KEYS else f"unknown: {key}"
        for key, value in entries.items()
        if not isinstance(value, CITATION_KEYS.get(key, ()))
    ]
    authors = entries.get("authors", [])
    # An author is a person with given and family names, or an entity with a name.
    nameless = [a for a in authors if not {*a} & {"name", "family-names", "given-names"}]
    empty = [key for key, value in entries.items() if not value]
    return missing + wrong + [f"no name: {author}" for author in nameless] + empty


def test_the_citation_follows_the_format():
    # cffconvert 2.0.0 validated it too, once; its jsonschema of 2019 is not in the lock.
    entries = citation()
    assert problems_of(entries) == []
    assert entries["cff-version"] == "1.2.0"
    assert entries["type"] in {"software", "dataset"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text.replace("title:", "name:"), "missing: title"),
        (lambda text: text.replace("title:", "name:"), "unknown: name"),
        (lambda text: text.replace("  - name: The", "  - nme: The"), "no name: {'nme':"),
        (lambda text: re.sub(r"authors:\n.*\n", "authors: me\n", text), "not a list: authors"),
    ],
)
def test_a_mistake_in_the_citation_is_noticed(change, problem):
    text = (TOP / "CITATION.cff").read_text(encoding="utf-8")
    try:
        problems = problems_of(citation(change(text)))
    except ValueError as error:
        problems = [str(error)]
    assert any(line.startswith(problem) for line in problems), problems


def test_the_citation_agrees_with_the_package_and_the_licence():
    entries = citation()
    assert entries["version"] == PROJECT["version"]
    assert entries["license"] == PROJECT["license"]
    licence = (TOP / "LICENSE").read_text(encoding="utf-8")
    name, _, version = entries["license"].partition("-")
    assert re.search(rf"{name} License\s+Version {version}", licence)
    assert entries["authors"] == [{"name": "The Fonoteka developers"}]


@pytest.mark.parametrize("page", [*PAGES[:2], "CITATION.cff"])
def test_a_page_names_no_address_of_a_person_or_a_site_of_the_project(page):
    text = (TOP / page).read_text(encoding="utf-8")
    assert re.findall(r"\b[\w.]+@[\w-]+\.\w+|https?://\S+", text) == []


def anchors(page):
    """Return the anchors of a page's headings, as sites that show Markdown make them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page):
    source = TOP / page
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", source.read_text(encoding="utf-8"))
    assert links
    for path, anchor in links:
        target = (source.parent / path) if path else source
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), (path, anchor)


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_quotes_exists(page):
    text = (TOP / page).read_text(encoding="utf-8")
    quoted = re.findall(r"`((?:\.[a-z]+|fonoteka|stages|tests|scripts)/[\w./-]+)`", text)
    outside_git = (".venv/", ".dvc/")
    missing = [p for p in quoted if not p.startswith(outside_git) and not (TOP / p).exists()]
    assert missing == []


def calls():
    """Yield each module with the text of each function that it calls, and its keywords."""
    for module in modules():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Call):
                values = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                yield module, ast.unparse(node.func), values


def test_no_pickle_from_outside_is_loaded_and_no_model_brings_code():
    unpickled = {m for m, name, _ in calls() if name in {"pickle.load", "pickle.loads"}}
    # Between the service and its processes, and between a stage and its workers.
    assert unpickled == {
        "fonoteka.compute.executors.slurm_array",
        "fonoteka.compute.packed_task",
        "fonoteka.compute.worker",
        "fonoteka.service.work.framing",
    }
    names = {name for _, name, _ in calls()}
    assert not names & {"joblib.load", "pickle.Unpickler", "pandas.read_pickle"}
    # The weights of a wheel whose hash is pinned, and tensors alone.
    assert [m for m, name, _ in calls() if name == "torch.load"] == [
        "fonoteka.voices.encoder_wheel"
    ]
    # numpy refuses pickles unless a call allows them.
    options = {"trust_remote_code", "allow_pickle", "weights_only"}
    assert {
        (m, f"{option}={value}")
        for m, _, keywords in calls()
        for option, value in keywords.items()
        if option in options
    } == {
        ("fonoteka.voices.encoder_wheel", "weights_only=True"),
        ("fonoteka.voices.store", "allow_pickle=False"),
    }


def test_the_sections_that_a_reporter_and_a_contributor_look_for_are_there():
    security = anchors(TOP / "SECURITY.md")
    assert {"report-a-vulnerability", "supported-versions", "uploads", "weights"} <= security
    contributing = (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for topic in ("a corpus of your own", "an encoder or a recogniser", "a language"):
        assert f"| {topic} |" in contributing
    assert "one kind of processor" in contributing
