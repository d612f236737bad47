"""A built project per test, and the commands of releases in it."""

import pytest
from command_line import exit_code
from release_maker import build_project, project_copy
from toy import keep_apart


@pytest.fixture(scope="session")
def built_project(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        keep_apart(patch, tmp_path_factory.getbasetemp())
        return build_project(tmp_path_factory)


@pytest.fixture(scope="session")
def released_project(built_project, tmp_path_factory):
    """A project with versions v1.0.0 and v1.1.0 of `one`, the second 0.002 better."""
    with pytest.MonkeyPatch.context() as patch:
        keep_apart(patch, tmp_path_factory.getbasetemp())
        copy = project_copy(built_project, tmp_path_factory.mktemp("released") / "project")
        patch.chdir(copy.folder)
        for version, per in (("v1.0.0", 0.07), ("v1.1.0", 0.068)):
            if per != 0.07:
                copy.build(per=per)
            assert exit_code("release", "one", version) == 0
        return copy.folder


@pytest.fixture
def project_with_versions(released_project, tmp_path, monkeypatch):
    """A copy of the project with two versions, which is the current folder."""
    return entered(released_project, tmp_path, monkeypatch)


@pytest.fixture
def project(built_project, tmp_path, monkeypatch):
    """A copy of the built project, which is the current folder."""
    return entered(built_project, tmp_path, monkeypatch)


def entered(origin, tmp_path, monkeypatch):
    keep_apart(monkeypatch, tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    copy = project_copy(origin, tmp_path / "project")
    monkeypatch.chdir(copy.folder)
    return copy


@pytest.fixture
def call(capsys):
    """Run a command; return its exit code, its stdout and its stderr."""

    def called(*arguments):
        code = exit_code(*arguments)
        output = capsys.readouterr()
        return code, output.out, output.err

    return called
