"""A corpus with augmented copies: each copy has its recording as parent, and the same bytes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from clip_maker import noise, write_recipes

from fonoteka.audio.recipe import AugmentRecipe, Codec, Gain, Noise, Pitch, Speed
from fonoteka.core.files import read_json
from fonoteka.corpus.augment_corpus import run
from fonoteka.corpus.clip_terms import ClipTerms, own_terms
from fonoteka.corpus.copy_task import CopyItem, CopyTask
from fonoteka.corpus.corpus import read_card, read_clips, read_phones

FASTER = AugmentRecipe("faster", (
    Speed("speed", 1.0, 0.3), Pitch("pitch", 0.5, (-2.0, 2.0)),
    Noise("noise", 1.0, (10.0, 20.0), (0.0, 0.9)),
    Codec("codec", 0.5, ("mp3", "opus", "gsm"), (0.2, 0.8)),
))  # fmt: skip
LOUD = AugmentRecipe("loud", (Gain("gain", 1.0, (40.0, 40.0)),))
EXECUTION = {
    "executor": "serial", "workers": 1, "scheduler": "",
    "slurm": {"partition": "", "array_limit": 1, "time": "", "extra": [], "poll_s": 0.05},
}  # fmt: skip
TABLE = """\
path,text,speaker,language,session,licence
ana/a.wav,da,ana,hr,one,
ana/a.flac,ne,ana,hr,one,CC0
ivo.wav,the,ivo,en,,
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project with the corpus `mine`, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FONOTEKA_CACHE", raising=False)
    write_recipes(tmp_path, FASTER, LOUD)
    execute("serial", 1)
    folder = tmp_path / "data/raw/mine"
    (folder / "ana").mkdir(parents=True)
    soundfile.write(folder / "ana/a.wav", noise(0.5, 1), 16_000)
    soundfile.write(folder / "ana/a.flac", noise(0.6, 2), 16_000)
    soundfile.write(folder / "ivo.wav", np.stack([noise(0.4, 3)] * 2, axis=1), 8_000)
    (folder / "metadata.csv").write_text(TABLE)
    card = {"name": "mine", "licence": "CC BY 4.0", "source": "a friend", "synthetic": False}
    (folder / "corpus.json").write_text(json.dumps(card))
    phones = {"path": "ana/a.wav", "phones": ["d", "a"], "times_s": [[0.0, 0.2], [0.2, 0.5]]}
    (folder / "phones.jsonl").write_text(f"{json.dumps(phones)}\n")
    return tmp_path


def execute(executor, workers):
    sections = {"execution": EXECUTION | {"executor": executor, "workers": workers}}
    Path("params.yaml").write_text(yaml.safe_dump(sections))


def written(recipe="faster", copies=2, seed=1, name="", corpus="mine"):
    return run(corpus, name, recipe, copies, seed, Path("data/raw"))


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_recordings_stay_and_each_has_its_copies(project):
    out = written()
    assert out == Path("data/raw/mine-faster")
    before, after = contents(project / "data/raw/mine"), contents(out)
    names = {"corpus.json", "metadata.csv", "phones.jsonl"}
    assert {p: b for p, b in after.items() if p in before.keys() - names} == {
        p: b for p, b in before.items() if p not in names
    }
    copies = {f"augmented/{p}-{n}.flac" for p in before.keys() - names for n in (1, 2)}
    assert after.keys() == before.keys() | copies | {"report.json"}
    assert len({after[path] for path in copies}) == 6


def test_a_copy_names_its_parent_and_has_its_text_speaker_and_terms():
    out = written(copies=1)
    clips = {clip.path: clip for clip in read_clips(out)}
    copy, original = clips["augmented/ana/a.flac-1.flac"], clips["ana/a.flac"]
    assert (copy.parent, original.parent) == ("ana/a.flac", "")
    assert (copy.text, copy.speaker, copy.language, copy.session) == ("ne", "ana", "hr", "one")
    cc0 = ClipTerms("CC0")
    assert own_terms(out) == {"ana/a.flac": cc0, "augmented/ana/a.flac-1.flac": cc0}
    card = read_card(out)
    assert (card.name, card.licence, card.source) == ("mine-faster", "CC BY 4.0", "a friend")
    report = read_json(out / "report.json")
    assert (report["of"], report["recipe"], report["seed"], report["copies"]) == (
        "mine", "faster", 1, 1,
    )  # fmt: skip
    assert report["changes"][0] == {"kind": "speed", "probability": 1.0, "largest": 0.3}


def test_phones_move_with_the_speed_of_their_copy():
    out = written(copies=3)
    phones = read_phones(out)
    assert len(phones) == 4  # of one recording, and of its copies
    factors = set()
    for number in (1, 2, 3):
        path = f"augmented/ana/a.wav-{number}.flac"
        duration_s = soundfile.info(out / path).duration
        factor = 0.5 / duration_s
        (start, middle), (again, end) = phones[path].times_s
        assert (start, middle, phones[path].phones) == (0.0, again, ("d", "a"))
        # a length is a whole number of samples, each 0.06 ms
        assert middle == pytest.approx(0.2 / factor, abs=0.001)
        assert end == pytest.approx(0.5 / factor, abs=0.001)
        assert end <= duration_s
        factors.add(round(factor, 3))
    assert len(factors) == 3


def test_a_copy_depends_on_the_seed_the_clip_and_its_number_alone(project):
    first = contents(written(copies=3, name="first"))
    rows = TABLE.splitlines(keepends=True)
    (project / "data/raw/mine/metadata.csv").write_text("".join([rows[0], rows[2]]))
    alone = contents(written(copies=1, name="alone"))
    path = "augmented/ana/a.flac-1.flac"
    assert alone[path] == first[path]
    assert contents(written(copies=1, seed=2, name="other"))[path] != first[path]


@pytest.mark.parametrize(("executor", "workers"), [("serial", 1), ("processes", 3)])
def test_two_runs_are_equal_at_any_number_of_workers(executor, workers, project, monkeypatch):
    first = contents(written(name="first"))
    monkeypatch.setenv("FONOTEKA_CACHE", str(project / "another"))  # everything is computed again
    execute(executor, workers)
    second = contents(written(name="second"))
    card = "corpus.json"
    assert {p: b for p, b in second.items() if p != card} == {
        p: b for p, b in first.items() if p != card
    }


def test_a_run_that_was_killed_continues(monkeypatch):
    whole, changed, done = contents(written(name="whole", seed=2)), CopyTask.changed, []

    def dies_at_the_fourth(task, item: CopyItem):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(item)
        return changed(task, item)

    with monkeypatch.context() as patch:
        patch.setattr(CopyTask, "changed", dies_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            written(seed=3)
    assert not Path("data/raw/mine-faster").exists()
    later = []
    monkeypatch.setattr(
        CopyTask, "changed", lambda task, item: later.append(item) or changed(task, item)
    )
    continued = contents(written(seed=3))
    assert len(later) == 3  # of 6
    assert not {(i.path, i.number) for i in later} & {(i.path, i.number) for i in done}
    assert continued.keys() == whole.keys()


def test_a_copy_beyond_full_scale_is_lowered_and_not_cut():
    out = written("loud", 1)
    copy, _ = soundfile.read(out / "augmented/ana/a.wav-1.flac")
    original, _ = soundfile.read(out / "ana/a.wav")
    assert np.abs(copy).max() == pytest.approx(0.98, abs=1e-4)
    assert np.corrcoef(copy, original)[0, 1] > 0.999_999  # 16 bits; a cut copy has 0.6


def test_copies_of_a_corpus_that_has_copies_are_of_its_recordings_alone(capsys, project):
    written(copies=1, name="once")
    renamed = Path("data/raw/once/copies")
    Path("data/raw/once/augmented").rename(renamed)
    table = Path("data/raw/once/metadata.csv")
    table.write_text(table.read_text().replace("augmented/", "copies/"))
    Path("data/raw/once/more.wav").write_bytes(b"")
    out = written("loud", 1, corpus="once")
    parents = {clip.path: clip.parent for clip in read_clips(out)}
    names = ("ana/a.flac", "ana/a.wav", "ivo.wav")
    copies = (f"{top}/{path}-1.flac" for top in ("augmented", "copies") for path in names)
    assert parents.keys() == {*names, *copies}
    assert parents["copies/ivo.wav-1.flac"] == parents["augmented/ivo.wav-1.flac"] == "ivo.wav"
    printed = capsys.readouterr().out
    assert "6 recordings of once and 3 copies of them" in printed
    assert "left out   1 audio files of once without a row" in printed


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"corpus": "yours"}, "data/raw: no corpus 'yours', only ['mine']; name one of them"),
        ({"copies": 0}, "--copies must be at least 1, found 0"),
        ({"recipe": "none"}, "--recipe 'none' changes nothing, so copies would equal"),
        ({"recipe": "quiet"}, "--recipe: configs/augment.yaml has no recipe 'quiet'; use one of"),
        ({"name": "a#b"}, "--name: name 'a#b': expected letters, digits, - and _ only"),
        ({"name": "mine"}, "data/raw/mine is there already; choose another --name or remove it"),
    ],
    ids=["corpus", "copies", "no change", "recipe", "name", "folder"],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(changed, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        written(**changed)
    assert [path.name for path in Path("data/raw").iterdir()] == ["mine"]


def test_a_corpus_that_dvc_tracks_is_not_written_over():
    Path("data/raw/mine-faster.dvc").write_text("outs: []\n")
    with pytest.raises(ValueError, match=r"mine-faster\.dvc is there already"):
        written()


def test_a_recording_that_cannot_be_read_is_named_and_nothing_is_written(project):
    (project / "data/raw/mine/ivo.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match=r"ivo\.wav: not a recording that can be read"):
        written()
    assert [p.name for p in Path("data/raw").iterdir() if p.name[0] != "."] == ["mine"]


def test_a_recording_in_the_folder_of_copies_is_refused():
    written(copies=1, name="once")
    message = r"once/metadata\.csv: 'augmented/ana/a\.flac-1\.flac' is in the folder of copies"
    with pytest.raises(ValueError, match=message):
        written(copies=1, corpus="once")
