"""Remotes are configured without secrets, and invalid addresses are refused in one sentence."""

import subprocess

import pytest
from command_line import run_fonoteka
from dvc_yaml import TOP
from toy import empty_repository, entered_copy

from fonoteka.pipeline.remote import command as remote
from fonoteka.pipeline.remote import urls as remote_urls
from fonoteka.pipeline.remote.urls import parse_url


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """An empty repository."""
    return empty_repository(tmp_path_factory)


@pytest.fixture
def repo(origin, tmp_path, monkeypatch):
    """A copy of it, which is the current folder."""
    return entered_copy(origin, tmp_path, monkeypatch)


def named(repo):
    from dvc.config import Config  # 0.5 s, which most tests of addresses need not spend

    config = Config(str(repo / ".dvc")).load_one("repo")
    return config["core"]["remote"], config["remote"]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("/mnt/fonoteka", "folder"),
        ("../store", "folder"),
        ("file:///mnt/fonoteka", "folder"),
        ("ssh://me@host.example.org:2222/srv/fonoteka", "SSH"),
        ("s3://bucket/data", "S3"),
        ("webdavs://me@cloud.example.org/dav/fonoteka", "WebDAV"),
        ("https://data.example.org/fonoteka", "HTTP"),
    ],
)
def test_five_kinds_of_places_are_known(tmp_path, url, kind):
    assert parse_url(url, tmp_path / "repo").kind.name == kind


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "https://me:word@host/x",
            r"https://\*\*\*@host/x: the address contains a password or a user name",
        ),
        (
            "https://ghp_word@host/x",
            r"https://\*\*\*@host/x: the address contains a password or a user name",
        ),
        ("s3://KEY:word@bucket/x", r"s3://\*\*\*@bucket/x: the address contains a password"),
        (
            "ssh://me:word@host/srv",
            r"ssh://\*\*\*@host/srv: the address .* store it in \.dvc/config\.local",
        ),
        ("webdavs://me:wo@rd@host/x", r"webdavs://\*\*\*@host/x: the address contains a password"),
        ("https://host/x?token=word", r"https://host/x\?\*\*\*: the address contains '\?' or '#'"),
        (
            "gs://bucket/x",
            r"gs://bucket/x: 'gs' is not a supported kind of address; .* one of ssh://, s3://",
        ),
        ("host:/srv/x", r"host:/srv/x: neither .* for SSH write ssh://host//srv/x"),
        ("ssh://host", r"ssh://host: a part is missing; expected ssh://host/folder"),
        ("s3:///x", r"s3:///x: a part is missing; expected s3://bucket/folder"),
        ("https://host:x/y", r"https://host:x/y: not an address: Port could not"),
        ("/mnt/č", r"/mnt/č: dvc cannot write characters outside ASCII"),
    ],
)
def test_a_secret_or_half_an_address_is_refused_and_no_secret_is_shown(tmp_path, url, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        parse_url(url, tmp_path)
    assert "word" not in str(error.value).replace("password", "")
    assert "wo@rd" not in str(error.value)


def test_a_folder_in_the_repository_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"store: is in the repository itself; give a folder"):
        parse_url(str(tmp_path / "store"), tmp_path)


@pytest.mark.dvc
def test_one_place_is_read_and_written_and_two_are_each(repo, capsys):
    run_fonoteka("remote", "--url", "../store")
    store = {"url": str(repo.parent / "store"), "verify": "true"}
    assert named(repo) == ("storage", {"storage": store})
    output = capsys.readouterr().out
    assert f"storage  read and write  folder  {repo.parent / 'store'}\n" in output

    run_fonoteka(
        "remote", "--read", "https://data.example.org/x", "--write", "s3://bucket/x",
        "--endpoint", "https://s3.example.org",
    )  # fmt: skip
    default, remotes = named(repo)
    assert default == "storage"
    assert {name: options["url"] for name, options in remotes.items()} == {
        "storage": "https://data.example.org/x", "storage-write": "s3://bucket/x",
    }  # fmt: skip
    assert remotes["storage-write"]["endpointurl"] == "https://s3.example.org"
    output = capsys.readouterr().out
    assert "storage-write  write  S3    s3://bucket/x at https://s3.example.org\n" in output
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment" in output

    run_fonoteka("remote", "--write", "ssh://host/srv")  # options that are not named stay
    assert named(repo)[1]["storage"]["url"] == "https://data.example.org/x"
    assert named(repo)[1]["storage-write"] == {"url": "ssh://host/srv", "verify": "true"}
    run_fonoteka("remote", "--url", "ssh://host/srv")
    assert list(named(repo)[1]) == ["storage"]


@pytest.mark.dvc
def test_without_a_remote_the_command_to_add_one_is_printed(repo, capsys):
    run_fonoteka("remote")
    assert capsys.readouterr().out.startswith(
        "no remote is configured; add one with python -m fonoteka remote --url"
    )


@pytest.mark.dvc
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--url", "https://host/x"], r"a place can only be read by HTTP; give it with --read"),
        (["--read", "/a", "--write", "http://host/x"], r"a place can only be read by HTTP"),
        (["--url", "/a", "--write", "/b"], r"give it alone, or give --read and --write"),
        (["--write", "/b"], r"with --write alone there is no address to read from"),
        (["--url", "/a", "--endpoint", "https://host"], r"but there is no s3:// address"),
        (
            ["--url", "s3://a", "--endpoint", "https://a:word@host"],
            r"the address contains a password",
        ),
        (["--endpoint", "https://host"], r"give the address too"),
        (["--secret", "password"], r"no remote is named 'storage'"),
    ],
)
def test_what_could_not_be_read_or_written_is_refused_and_changes_nothing(repo, words, sentence):
    before = (repo / ".dvc/config").read_bytes()
    with pytest.raises(ValueError, match=sentence):
        run_fonoteka("remote", *words)
    assert (repo / ".dvc/config").read_bytes() == before
    assert not (repo / ".dvc/config.local").exists()


@pytest.mark.dvc
def test_a_secret_goes_into_a_file_that_git_ignores_and_only_its_owner_reads(
    repo, monkeypatch, capsys
):
    run_fonoteka("remote", "--url", "webdavs://me@cloud.example.org/x")
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed at {prompt}")
    run_fonoteka("remote", "--secret", "password")
    local = repo / ".dvc/config.local"
    assert "typed at password of storage" in local.read_text()
    monkeypatch.setenv(remote.SECRET_VARIABLE, "from the environment")
    run_fonoteka("remote", "--secret", "password")
    assert "from the environment" in local.read_text()
    assert local.stat().st_mode & 0o777 == 0o600
    assert subprocess.run(["git", "check-ignore", "-q", local], cwd=repo).returncode == 0
    assert "environment" not in (repo / ".dvc/config").read_text()
    assert "from the" not in capsys.readouterr().out


@pytest.mark.dvc
@pytest.mark.parametrize(("value", "sentence"), [("", "is empty"), ("lozinkač", "outside ASCII")])
def test_a_secret_that_dvc_could_not_keep_is_refused(repo, monkeypatch, value, sentence):
    run_fonoteka("remote", "--url", "webdavs://me@cloud.example.org/x")
    monkeypatch.delenv(remote.SECRET_VARIABLE, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: value)
    with pytest.raises(ValueError, match=sentence):
        run_fonoteka("remote", "--secret", "password")


@pytest.mark.dvc
def test_an_option_of_another_kind_leaves_the_file_as_it_was(repo, monkeypatch):
    run_fonoteka("remote", "--url", "ssh://host/srv")
    monkeypatch.setenv(remote.SECRET_VARIABLE, "~/.ssh/id")
    run_fonoteka("remote", "--secret", "keyfile")
    before = (repo / ".dvc/config").read_bytes()
    with pytest.raises(ValueError, match=r"\.dvc/config was not changed, because dvc refuses"):
        run_fonoteka("remote", "--url", "s3://bucket/x")
    assert (repo / ".dvc/config").read_bytes() == before


@pytest.mark.dvc
@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("webdavs://host/x", "password = word"),
        ("https://me:word@host/x", ""),
        ("s3://bucket/x", "secret_access_key = word"),
    ],
)
def test_a_secret_that_is_committed_already_is_named_without_its_value(repo, url, line):
    (repo / ".dvc/config").write_text(f"['remote \"storage\"']\n    url = {url}\n    {line}\n")
    option = line.partition(" ")[0] or "url"
    assert remote.committed_secrets(repo) == [f"storage.{option}"]
    with pytest.raises(ValueError, match=rf"contains storage\.{option}; remove it") as error:
        remote.overview(repo)
    assert "word" not in str(error.value).replace("password", "")


@pytest.mark.dvc
def test_this_repository_has_no_secret_in_what_it_commits():
    assert remote.committed_secrets(TOP) == []


@pytest.mark.dvc
def test_push_and_pull_say_what_is_not_named(repo):
    with pytest.raises(
        ValueError, match=r"there is no remote to push to; add one with python -m fonoteka"
    ):
        run_fonoteka("push")
    run_fonoteka("remote", "--read", "http://127.0.0.1:9/x")
    with pytest.raises(
        ValueError, match=r"can only be read; add an address to write to with python -m fonoteka"
    ):
        run_fonoteka("push")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach https://me:word@host/x", "cannot reach https://***@host/x"),
        ("https://word@host", "https://***@host"),
        ("ssh://me@host/a", "ssh://me@host/a"),
        ("ssh://me:word@host/a", "ssh://***@host/a"),
        ("s3://b/x?sig=word and more", "s3://b/x?*** and more"),
        ("is it so? yes # indeed", "is it so? yes # indeed"),
    ],
)
def test_what_is_shown_has_no_secret(text, shown):
    assert remote_urls.masked(text) == shown
