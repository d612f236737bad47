"""What is forgotten is gone from the corpus, and what else has it is named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from clones import Clone
from corpus_maker import make_corpus
from dvc_yaml import TOP
from forks import ForkedClone
from toy import copied

from fonoteka.corpus.corpus import read_clips, read_phones
from fonoteka.erasure import command as erase
from fonoteka.erasure.find_clips import Who, find, sidecars, who_of
from fonoteka.erasure.lineage import artefacts, read_lock
from fonoteka.erasure.rewrite import every_file, is_unsettled, rewrite, settle
from fonoteka.manifest import utterance_id
from fonoteka.tables import write_table
from fonoteka.text.transliteration import name_key

HEADER = "path,text,speaker,language,session,parent,source"
ROWS = [
    "ana/1.wav,dan,ana,hr,s1,,a friend",
    "ana/2.wav,noć,Ana,hr,s2,,",
    "copies/x.wav,dan,robot,hr,,ana/1.wav,",
    "ivo/1.wav,kaže ana,ivo,hr,s1,,",
    "ivo/2.wav,da,ivo,hr,,,a friend",
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
    clone = ForkedClone(tmp_path_factory.mktemp("forget") / "repo")
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
    clone.dvc("add", "-q", "data/raw/mine")
    clone.dvc("repro", "-q")
    clone.dvc("push", "-q", "--run-cache")
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
def ask(monkeypatch, capsys):
    """Call the command line and return what it said."""

    def call(*words):
        monkeypatch.setattr("sys.argv", ["forget", *words])
        erase.main()
        return capsys.readouterr().out

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in every_file(folder)}


@pytest.mark.dvc
def test_without_yes_it_only_shows_what_there_is(repo, ask):
    rows = [("g", utterance_id("mine", "ana/1.wav")), ("g", "yours-b-0"), ("h", "yours-c-0")]
    table = [dict(zip(("group", "id"), row, strict=True)) for row in rows]
    write_table(repo / "data/corpus/duplicates.csv", ("group", "id"), table)
    before = contents(repo.folder)
    said = ask("--speaker", "mine/ana")
    assert {k: v for k, v in contents(repo.folder).items() if not k.startswith(".dvc/")} == {
        k: v for k, v in before.items() if not k.startswith(".dvc/")
    }
    assert not (repo / ".dvc/tmp/forget").exists()
    assert "3 recordings, 2 files beside them, 3 rows, 3 lines of phones" in said
    assert "spelled    Ana too" in said
    assert "1 under another name, by their parents: copies/x.wav of robot" in said
    assert "1 sessions in which others speak too; they may be heard there: s1 with ivo" in said
    assert "1 rows of others that hold the name: ivo/1.wav" in said
    assert "1 files of that name: about_ana.txt" in said
    for path in ("data/corpus/inventory.csv", "data/audio", "reports/corpus.json"):
        assert f"{path} (" in said
    assert "data/raw/embedded" not in said
    assert re.search(
        r"version +[0-9a-f]{8} of the corpus holds them; in 1 commits, at .* main, v1", said
    )
    assert "look       1 clips of others that sound the same: yours-b-0" in said
    assert "named      in params.yaml\n" in said
    assert "commits named them in data/speakers.csv, params.yaml" in said
    assert (
        "not done   nothing was changed; to take it out: make forget SPEAKER=mine/ana ARGS=--yes"
        in said
    )


@pytest.mark.dvc
def test_what_is_forgotten_is_nowhere_in_the_corpus_and_all_else_is_as_it_was(repo, ask):
    folder = repo / "data/raw/mine"
    before = contents(folder)
    pointer = (repo / "data/raw/mine.dvc").read_text()
    said = ask("--speaker", "mine/ana", "--also", "about_ana.txt", "--yes")
    assert "done       nothing of them is left in data/raw/mine" in said
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
    assert sorted(p.name for p in (repo / "data/raw").iterdir() if p.name[0] == ".") in (
        [], [".gitignore"],
    )  # fmt: skip
    for command in ("make repro", "git add -A data/raw/mine.dvc data/speakers.csv", "dvc gc -",
                    "--workspace --cloud -r there", "git filter-repo", "git tag -d"):  # fmt: skip
        assert command in said


@pytest.mark.dvc
def test_after_the_printed_steps_neither_cache_nor_remote_has_them(repo, ask):
    voice = {contents(repo / "data/raw/mine")[f"ana/{n}.wav"] for n in (1, 2)}
    shard = (repo / "data/audio/shard.tar").read_bytes()
    assert voice | {shard} <= stored(repo / ".dvc/cache") & stored(repo / "../remote")
    ask("--speaker", "mine/ana", "--yes")
    repo.dvc("repro", "-q")
    (repo / "params.yaml").write_text("inventory: {corpora: [mine]}\n")
    commit(repo, "without them")
    repo.dvc("push", "-q", "--run-cache")
    said = ask("--speaker", "mine/ana", "--yes")
    assert "\nbuilt" not in said
    assert "data/audio" in said.split("older")[1].split("\n")[0]
    commands = re.findall(r"\(cd .* < \S+", said)
    assert len(commands) == 2
    for command in commands:
        repo.run("sh", "-c", command)
    for place in (".dvc/cache", "../remote"):
        left = stored(repo / place)
        assert not (voice | {shard}) & left
        assert not any(b"ana/1.wav" in data for data in left)
        assert (repo / "data/raw/mine/ivo/1.wav").read_bytes() in left
    shutil.rmtree(repo / "data/raw/mine")
    shutil.rmtree(repo / "data/audio")
    repo.dvc("checkout", "-q")
    assert "up to date" in repo.dvc("status")
    assert "in sync" in repo.dvc("status", "--cloud")


def stored(folder: Path) -> set[bytes]:
    """The contents of all objects and of all runs that dvc remembers."""
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.dvc
def test_dvc_sees_what_was_added_though_git_ignores_data(repo):
    assert "data/raw/mine/ivo/1.wav" in repo.dvc("list", "--dvc-only", "--recursive", ".")


@pytest.mark.dvc
def test_a_whole_corpus_goes_with_its_pointer(repo, ask):
    said = ask("--source", "mine", "--yes")
    assert "so the whole folder goes" in said
    assert "1. take mine out of inventory.corpora in params.yaml" in said
    assert not (repo / "data/raw/mine").exists()
    assert not (repo / "data/raw/mine.dvc").exists()
    assert (repo / "data/raw/embedded").is_dir()
    assert (repo / "data/speakers.csv").read_text() == "speaker,part\n"


@pytest.mark.dvc
def test_a_corpus_that_a_stage_makes_is_refused(repo, ask):
    with pytest.raises(ValueError, match=r"embedded is made by the stage synthesize: its voices"):
        ask("--source", "embedded")


@pytest.mark.dvc
def test_a_corpus_that_was_not_fetched_is_said(repo, ask):
    shutil.rmtree(repo / "data/raw/mine")
    with pytest.raises(ValueError, match=r"mine isn't here; fetch it first: dvc pull data/raw/m"):
        ask("--speaker", "mine/ana")


@pytest.mark.dvc
def test_a_version_that_is_not_in_the_cache_may_hold_them(repo, ask):
    shutil.rmtree(repo / ".dvc/cache")
    assert "may hold them: it isn't in the cache, dvc fetch it" in ask("--speaker", "mine/ana")


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A corpus without git and without DVC."""
    monkeypatch.chdir(tmp_path)
    return corpus(tmp_path / "data/raw")


def test_neither_git_nor_dvc_is_needed(bare, ask):
    said = ask("--source", "mine/a friend", "--yes")
    assert [clip.path for clip in read_clips(bare)] == ["ana/2.wav", "ivo/1.wav"]
    assert "xargs" not in said


def test_a_source_of_the_corpus_is_that_of_rows_that_say_none(bare, ask):
    ask("--source", "mine/a test", "--yes")
    # of what says another source only the clip that has a copy which says none goes with it
    assert [clip.path for clip in read_clips(bare)] == ["ivo/2.wav"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give SPEAKER=corpus/name, or SOURCE=corpus"),
        (["--speaker", "mine/ana", "--source", "mine"], "give SPEAKER=corpus/name, or SOURCE"),
        (["--speaker", "mine"], "'mine': expected corpus/name"),
        (["--speaker", "../x"], r"'\.\./x': expected corpus/name"),
        (["--speaker", "yours/ana"], r"holds no corpus 'yours', only \['mine'\]"),
        (["--speaker", "mine/anna"], r"mine: no clip of speaker 'anna', .*; did you mean 'ana'"),
        (["--source", "mine/other"], r"mine: no clip of source 'other', and none in git's hist"),
        (["--speaker", "mine/ana", "--also", "x"], r"--also 'x': no such file below data/raw/mine"),
    ],
)
def test_what_names_nobody_is_refused_in_one_sentence(words, message, bare, ask):
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
    assert not is_unsettled(bare)


@pytest.mark.parametrize("at", ["first rename", "second rename"])
def test_a_kill_between_the_renames_is_mended_by_the_next_run(at, bare, ask):
    before = contents(bare)
    waiting = bare.with_name(".mine.before.part")
    shutil.copytree(bare, waiting)
    if at == "first rename":
        shutil.copytree(bare, bare.with_name(".mine.after.part"))
        shutil.rmtree(bare)
    with pytest.raises(
        ValueError, match="an earlier run was interrupted; make forget SPEAKER=mine"
    ):
        ask("--speaker", "mine/ana")
    settle(bare)
    assert contents(bare) == before
    assert [path.name for path in bare.parent.iterdir()] == ["mine"]


def test_a_row_goes_though_its_file_is_gone_already(bare, ask):
    (bare / "ana/2.wav").unlink()
    assert "2 recordings, 2 files beside them, 3 rows" in ask("--speaker", "mine/ana", "--yes")
    assert {clip.speaker for clip in read_clips(bare)} == {"ivo"}


def test_what_is_named_too_goes_with_its_copies(bare, ask):
    ask("--speaker", "mine/ivo", "--also", "copies/x.wav", "--yes")
    assert [clip.path for clip in read_clips(bare)] == ["ana/2.wav"]


def test_links_stay_links_and_hidden_files_stay(bare):
    (bare / ".keep").write_text("x")
    (bare / "link.wav").symlink_to("ivo/1.wav")
    rewrite(bare, {"ana/1.wav", "copies/x.wav"})
    assert (bare / "link.wav").is_symlink()
    assert (bare / ".keep").read_text() == "x"
    assert not (bare / "copies").exists()


def test_a_family_of_copies_goes_together_whoever_is_named():
    rows = [
        {"path": path, "speaker": speaker, "parent": parent}
        for path, speaker, parent in (
            ("a", "ana", ""), ("b", "x", "a"), ("c", "x", "b"), ("d", "y", "e"), ("e", "y", ""),
        )
    ]  # fmt: skip
    assert find(Who("m", "ana"), rows, "").paths == {"a", "b", "c"}
    assert find(Who("m", "x"), rows, "").elsewhere == {"a": "ana"}


def test_a_file_belongs_to_the_clip_with_the_longest_name_it_begins_with():
    files = ["x/a.txt", "x/a.b.txt", "x/a.wav.lab", "x/ab.txt", "s.txt", "metadata.csv"]
    clips = ["x/a.wav", "x/a.b.wav", "s.wav", "s.flac"]
    found = sidecars(files, clips, ["x/a.wav", "s.wav"])
    assert (found.gone, found.shared) == ({"x/a.txt", "x/a.wav.lab"}, {"s.txt"})


def test_a_name_is_the_same_however_it_is_spelled():
    assert name_key(" Đorđe  M.") == name_key("đORĐE m.")
    assert who_of("mine/a/b", "") == Who("mine", "a/b")


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
    found = artefacts(lock, "data/raw", "mine")
    assert [artefact.stage for artefact in found] == ["inventory", "package", "train"]
    assert artefacts(lock, "data/raw", "yours") == []
    assert read_lock("<<<<<<< merge: [") == {}


def test_make_forget_runs_it():
    text = (TOP / "Makefile").read_text(encoding="utf-8")
    assert "python -m fonoteka.erasure.command $${SPEAKER:+--speaker" in text


@pytest.mark.dvc
def test_a_name_in_the_other_script_is_found_and_said(repo, ask):
    table = repo / "data/raw/mine/metadata.csv"
    text = table.read_text(encoding="utf-8")
    assert text.count(",Ana,") == 1
    table.write_text(text.replace(",Ana,", ",Ана,"), encoding="utf-8")
    said = ask("--speaker", "mine/ana")
    assert "3 recordings, 2 files beside them, 3 rows, 3 lines of phones" in said
    assert "spelled    Ана too, which the split takes for the same voice" in said
    assert "spelled    ana too" in ask("--speaker", "mine/Ана")
