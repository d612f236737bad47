"""What is erased is gone from the corpus, and all else that exists of it is named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from clones import Clone
from command_line import run_fonoteka
from corpus_maker import make_corpus
from dvc_yaml import TOP
from forks import ForkedClone
from toy import copied

from fonoteka.corpus.corpus import read_clips, read_phones
from fonoteka.erasure.find_clips import Subject, collect, find_clips, find_sidecars, parse_subject
from fonoteka.erasure.lineage import artefacts, read_lock
from fonoteka.erasure.rewrite import all_files, recover, rewrite

HEADER = "path,text,speaker,language,session,parent,source"
ROWS = [
    "ana/1.wav,dan,ana,hr,s1,,a friend",
    "ana/2.wav,noć,Ana,hr,s2,,",
    "copies/x.wav,dan,robot,hr,,ana/1.wav,",
    "ivo/1.wav,kaže ana,ivo,hr,s1,,",
    "ivo/2.wav,'=da,ivo,hr,,,a friend",
]
PIPELINE = """\
stages:
  synthesize:
    cmd: mkdir -p data/raw/embedded && echo spoken > data/raw/embedded/a.txt
    outs: [data/raw/embedded]
  inventory:
    cmd: >-
      mkdir -p data/corpus &&
      (echo path; cd data/raw && ls -1 mine/*/*.wav) > data/corpus/inventory.csv
    deps: [data/raw]
    params: [inventory]
    outs: [data/corpus/inventory.csv]
  preprocess:
    cmd: mkdir -p data/audio && cat data/raw/mine/*/*.wav > data/audio/shard.tar
    deps: [data/corpus/inventory.csv, data/raw]
    outs: [data/audio]
  audit:
    cmd: mkdir -p reports && wc -c < data/audio/shard.tar > reports/corpus.json
    deps: [data/audio]
    metrics: [{reports/corpus.json: {cache: false}}]
"""


def corpus(raw: Path) -> Path:
    folder = make_corpus(raw, ROWS)
    (folder / "metadata.csv").write_text("\n".join([HEADER, *ROWS]) + "\n", encoding="utf-8")
    lines = [f'{{"path": "{row.split(",")[0]}", "phones": [], "times_s": []}}' for row in ROWS[:4]]
    (folder / "phones.jsonl").write_text("\n".join(lines) + "\n")
    for name in ("ana/1.txt", "ana/1.norm.txt", "ivo/1.txt", "about_ana.txt"):
        (folder / name).write_text("x\n")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A repository with a corpus of its own, built, committed, tagged and pushed."""
    clone = ForkedClone(tmp_path_factory.mktemp("erase") / "repo")
    clone.folder.mkdir()
    corpus(clone / "data/raw")
    (clone / "dvc.yaml").write_text(PIPELINE)
    (clone / "params.yaml").write_text("inventory: {corpora: [mine]}\nheld_out: mine/ana\n")
    (clone / "data/speakers.csv").write_text("speaker,part\nmine/Ana,test\nmine/ivo,train\n")
    shutil.copy(TOP / ".gitignore", clone / ".gitignore")
    (clone / ".dvcignore").write_text(".*.part\n")
    clone.git("init", "-q", "-b", "main")
    clone.dvc("init", "-q")
    clone.dvc("config", "core.autostage", "false")
    clone.dvc("remote", "add", "-d", "there", "../remote")
    clone.dvc("remote", "add", "far", "s3://bucket/store")
    clone.dvc("add", "-q", "data/raw/mine")
    clone.dvc("repro", "-q")
    clone.dvc("push", "-q", "--run-cache", "-r", "there")
    commit(clone, "all of them")
    clone.git("tag", "-a", "v1", "-m", "first")
    return clone.folder


def commit(clone, message):
    clone.git("add", "--all")
    clone.git("commit", "-q", "-m", message)


@pytest.fixture
def repo(built, tmp_path, monkeypatch) -> Clone:
    for name in ("repo", "remote"):
        copied(built.parent / name, tmp_path / name)
    monkeypatch.chdir(tmp_path / "repo")
    clone = ForkedClone(tmp_path / "repo")
    for key in ("PATH", "DVC_SITE_CACHE_DIR", "DVC_NO_ANALYTICS"):
        monkeypatch.setenv(key, clone.environment[key])
    return clone


@pytest.fixture
def ask(capsys):
    """Call the command line and return its output."""

    def call(*words):
        run_fonoteka("corpus", "erase", *words)
        return capsys.readouterr().out

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in all_files(folder)}


@pytest.mark.dvc
def test_without_yes_it_only_shows_what_exists(repo, ask):
    table = repo / "data/raw/mine/metadata.csv"
    table.write_text(table.read_text().replace(",Ana,", ",Ана,"))  # the other script
    before = {k: v for k, v in contents(repo.folder).items() if not k.startswith(".dvc/")}
    output = ask("--speaker", "mine/ana")
    after = contents(repo.folder)
    assert {k: v for k, v in after.items() if not k.startswith(".dvc/")} == before
    assert not (repo / ".dvc/tmp/erase").exists()
    for text in (
        "data/raw/mine: 3 recordings, 2 sidecar files, 3 rows\n",
        "1 other spellings of the name: Ана\n",
        "1 clips that are copies or parents of these: copies/x.wav of robot\n",
        "1 sessions with others: s1 with ivo\n",
        "1 rows of other speakers that contain the name: ivo/1.wav\n",
        "1 files with the name: about_ana.txt\n",
        "speakers   1 rows of data/speakers.csv: mine/Ana\n",
        "data/corpus/inventory.csv (inventory)\n",
        "data/audio (preprocess)\n",
        "reports/corpus.json (audit)\n",
        "1 tracked files contain the name: params.yaml\n",
        "2 files contained the name in some commit: data/speakers.csv, params.yaml\n",
        "nothing was changed; this removes the files: "
        "python -m fonoteka corpus erase --speaker mine/ana --yes;",
    ):
        assert text in output
    assert "data/raw/embedded" not in output
    version = (
        r"version +\w{8} of the corpus contains the .* 1 commits, at the tip of HEAD -> main, t"
    )
    assert re.search(version, output)
    shutil.rmtree(repo / ".dvc/cache")
    output = ask("--speaker", "mine/Ана")
    assert "is not in the cache and may contain the recordings; in 1 commits" in output
    assert "dvc fetch --all-commits data/raw/mine.dvc" in output


@pytest.mark.dvc
def test_with_yes_the_recordings_are_gone_and_all_else_is_as_it_was(repo, ask):
    folder = repo / "data/raw/mine"
    before = contents(folder)
    pointer = (repo / "data/raw/mine.dvc").read_text()
    output = ask("--speaker", "mine/ana", "--also", "about_ana.txt", "--yes")
    assert "done       nothing is left in data/raw/mine" in output
    assert [(c.path, c.speaker) for c in read_clips(folder)] == [
        ("ivo/1.wav", "ivo"), ("ivo/2.wav", "ivo"),
    ]  # fmt: skip
    assert set(read_phones(folder)) == {"ivo/1.wav"}
    after = contents(folder)
    tables = {"metadata.csv", "phones.jsonl"}
    assert after.keys() == {"corpus.json", "ivo/1.wav", "ivo/2.wav", "ivo/1.txt", *tables}
    assert all(after[name] == before[name] for name in after.keys() - tables)
    assert (folder / "metadata.csv").read_text().splitlines() == [HEADER, *ROWS[3:]]
    assert (repo / "data/speakers.csv").read_text() == "speaker,part\nmine/ivo,train\n"
    assert (repo / "data/raw/mine.dvc").read_text() != pointer
    assert {p.name for p in (repo / "data/raw").glob(".*")} <= {".gitignore"}
    for command in ("make repro", "git add --update . && git commit", "git tag -d",
                    "dvc gc --workspace, dvc gc --workspace --cloud -r far, dvc gc",
                    r"'regex:(?i)mine/Ana==>mine/removed' ", "&& git filter-repo --replace-text",
                    "from remote far, s3://bucket/store, with its own client"):  # fmt: skip
        assert command in output


@pytest.mark.dvc
def test_after_the_printed_steps_neither_cache_nor_remote_has_them(repo, ask):
    # A file that both versions of the corpus share must stay.
    shared = repo / "data/raw/mine/phones.jsonl"
    shared.write_text(shared.read_text().splitlines(keepends=True)[3])
    repo.dvc("add", "-q", "data/raw/mine")
    commit(repo, "fewer phones")
    voice = {contents(repo / "data/raw/mine")[f"ana/{n}.wav"] for n in (1, 2)}
    shard = (repo / "data/audio/shard.tar").read_bytes()
    assert voice | {shard} <= stored(repo / ".dvc/cache") & stored(repo / "../remote")
    ask("--speaker", "mine/ana", "--yes")
    repo.dvc("repro", "-q")
    (repo / "params.yaml").write_text("inventory: {corpora: [mine]}\n")
    commit(repo, "without them")
    repo.dvc("push", "-q", "--run-cache", "-r", "there")
    output = ask("--speaker", "mine/ana", "--yes")
    assert "\nbuilt" not in output
    assert "data/audio" in output.split("older")[1].split("\n")[0]
    commands = re.findall(r"\(cd .* < \S+", output)
    assert len(commands) == 2
    for command in commands:
        repo.run("sh", "-c", command)
    for place in (".dvc/cache", "../remote"):
        left = stored(repo / place)
        assert not (voice | {shard}) & left
        assert not any(b"ana/1.wav" in data for data in left)
        assert (repo / "data/raw/mine/ivo/1.wav").read_bytes() in left
    assert "; 0 are in the cache" in ask("--speaker", "mine/ana")
    shutil.rmtree(repo / "data/raw/mine")
    shutil.rmtree(repo / "data/audio")
    repo.dvc("checkout", "-q")
    assert "up to date" in repo.dvc("status")
    assert "in sync" in repo.dvc("status", "--cloud", "-r", "there")


def stored(folder: Path) -> set[bytes]:
    """The contents of all objects and of all entries of the run-cache."""
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.dvc
def test_dvc_sees_what_was_added_though_git_ignores_data(repo):
    assert "data/raw/mine/ivo/1.wav" in repo.dvc("list", "--dvc-only", "--recursive", ".")


@pytest.mark.dvc
def test_a_whole_corpus_is_removed_with_its_pointer(repo, ask):
    output = ask("--source", "mine", "--yes")
    assert "3 rows" not in output
    assert "5 rows; no row remains, so the folder is removed" in output
    assert " 1. remove mine from inventory.corpora in params.yaml" in output
    assert not (repo / "data/raw/mine").exists()
    assert not (repo / "data/raw/mine.dvc").exists()
    assert (repo / "data/raw/embedded").is_dir()
    assert (repo / "data/speakers.csv").read_text() == "speaker,part\n"


@pytest.mark.dvc
def test_a_corpus_that_a_stage_makes_or_that_is_not_fetched_is_refused(repo, ask):
    with pytest.raises(ValueError, match=r"embedded is made by the stage synthesize: its voices"):
        ask("--source", "embedded")
    shutil.rmtree(repo / "data/raw/mine")
    with pytest.raises(ValueError, match=r"mine is not here; fetch it first: dvc pull data/raw/m"):
        ask("--speaker", "mine/ana")


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A corpus without git and without DVC."""
    monkeypatch.chdir(tmp_path)
    return corpus(tmp_path / "data/raw")


@pytest.mark.parametrize(
    ("words", "remaining"),
    [
        (["--source", "mine/a friend"], ["ana/2.wav", "ivo/1.wav"]),
        # "a test" is the source of rows without one; ana/1.wav is the parent of such a row.
        (["--source", "mine/a test"], ["ivo/2.wav"]),
        (["--speaker", "mine/ivo", "--also", "copies/x.wav"], ["ana/2.wav"]),
    ],
)
def test_neither_git_nor_dvc_is_needed(words, remaining, bare, ask):
    assert "xargs" not in ask(*words, "--yes")
    assert [clip.path for clip in read_clips(bare)] == remaining


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --speaker corpus/name, or --source corpus"),
        (["--speaker", "mine/ana", "--source", "mine"], "give --speaker corpus/name, or --source"),
        (["--speaker", "mine"], "'mine': expected corpus/name"),
        (["--speaker", "../x"], r"'\.\./x': expected corpus/name"),
        (["--speaker", "yours/ana"], r"has no corpus 'yours', only \['mine'\]"),
        (["--speaker", "mine/anna"], r"mine: no clip of mine/anna, .*; did you mean 'ana'"),
        (["--source", "mine/other"], r"mine: no clip of mine/other, and none in git's history"),
        (["--speaker", "mine/ana", "--also", "x"], r"--also 'x': no such file in data/raw/mine"),
    ],
)
def test_an_unknown_subject_is_refused_in_one_sentence(words, message, bare, ask):
    before = contents(bare)
    with pytest.raises(ValueError, match=message):
        ask(*words, "--yes")
    assert contents(bare) == before


def test_a_failure_half_way_loses_nothing(bare, monkeypatch):
    before = contents(bare)

    def full(*_args, **_more):
        raise OSError("no space left")

    monkeypatch.setattr("fonoteka.erasure.rewrite.write_table", full)
    with pytest.raises(OSError, match="no space left"):
        rewrite(bare, {"ana/1.wav"})
    assert contents(bare) == before
    assert [path.name for path in bare.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("kill", ["before", "between", "after"])
def test_a_kill_at_the_renames_is_repaired_by_the_next_run(kill, bare):
    before = contents(bare)
    if kill != "before":
        shutil.copytree(bare, bare.with_name(".mine.before.part"))
    if kill != "after":
        shutil.copytree(bare / "ivo", bare.with_name(".mine.after.part"))
    if kill == "between":
        shutil.rmtree(bare)
    recover(bare)
    assert contents(bare) == before
    assert [path.name for path in bare.parent.iterdir()] == ["mine"]


def test_a_row_goes_though_its_file_is_gone_already(bare, ask):
    (bare / "ana/2.wav").unlink()
    assert "2 recordings, 2 sidecar files, 3 rows" in ask("--speaker", "mine/ana", "--yes")
    assert {clip.speaker for clip in read_clips(bare)} == {"ivo"}


def test_links_stay_links_and_hidden_files_stay(bare):
    (bare / ".keep").write_text("x")
    (bare / "link.wav").symlink_to("ivo/1.wav")
    (bare / "folder").symlink_to("ivo")
    rewrite(bare, {"ana/1.wav", "copies/x.wav"})
    assert (bare / "link.wav").is_symlink()
    assert (bare / "folder").is_symlink()
    assert (bare / ".keep").read_text() == "x"
    assert not (bare / "copies").exists()


def test_related_clips_are_removed_together_for_each_speaker(bare):
    rows = [
        {"path": path, "speaker": speaker, "parent": parent}
        for path, speaker, parent in (
            ("a", "ana", ""), ("b", "x", "a"), ("c", "x", "b"), ("d", "y", "e"), ("e", "y", ""),
        )
    ]  # fmt: skip
    assert find_clips(Subject("m", "ana"), rows, "") == {"a", "b", "c"}
    assert collect(Subject("mine", "robot")).related == ["ana/1.wav of ana"]


def test_a_file_belongs_to_the_clip_with_the_longest_name_it_begins_with():
    files = ["x/a.txt", "x/a.b.txt", "x/a.wav.lab", "x/ab.txt", "s.txt", "metadata.csv"]
    clips = ["x/a.wav", "x/a.b.wav", "s.wav", "s.flac"]
    result = find_sidecars(files, clips, {"x/a.wav", "s.wav"})
    assert result == ({"x/a.txt", "x/a.wav.lab"}, {"s.txt"})


def test_a_speaker_may_have_a_slash_in_the_name():
    assert parse_subject("mine/a/b", "") == Subject("mine", "a/b")


def test_what_never_took_the_corpus_did_not_come_from_it():
    lock = read_lock(
        "stages:\n"
        "  inventory:\n"
        "    deps: [{path: data/raw, md5: 1.dir}]\n"
        "    params: {params.yaml: {inventory: {corpora: [mine]}}}\n"
        "    outs: [{path: data/corpus/inventory.csv, md5: '2'}]\n"
        "  package:\n"
        "    deps: [{path: data/models/m/x, md5: '4'}]\n"
        "    outs: [{path: data/models/m/y, md5: '5'}]\n"
        "  train:\n"
        "    deps: [{path: data/corpus, md5: 3.dir}]\n"
        "    outs: [{path: data/models/m, md5: 4.dir}]\n"
        "  other: {deps: [{path: data/rawer, md5: '6'}], outs: [{path: z, md5: '7'}]}\n"
    )
    built = artefacts(lock, "data/raw/mine")
    assert [artefact.stage for artefact in built] == ["inventory", "package", "train"]
    assert artefacts(lock, "data/raw/yours") == []
    assert read_lock("<<<<<<< merge: [") == {}
