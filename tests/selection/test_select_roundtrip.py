"""A queue goes to Label Studio and comes back as a corpus, and no clip is queued twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_maker import make_corpus, write_rows
from filelock import FileLock
from tone_model import ToneModel, tone_phones

from fonoteka.core.files import read_json
from fonoteka.corpus.clip_terms import own_terms
from fonoteka.corpus.corpus import read_card, read_clips
from fonoteka.selection import import_answers, predict
from fonoteka.selection.choose import quotas
from fonoteka.selection.ledger import LEDGER, read_ledger
from fonoteka.selection.pool import RAW
from fonoteka.selection.same_speakers import rows_to_add
from fonoteka.selection.select import SelectOptions, run
from fonoteka.tables import read_table

CLIPS = 8  # of half a second each
QUEUE = "data/selection/queue-00{}.json"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project with a corpus of untranscribed tones and one transcribed clip, and a model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    rows = [f"c{n}.wav,,s{n % 2},{'sr' if n % 4 else 'hr'}" for n in range(CLIPS)]
    make_corpus(tmp_path / RAW, [*rows, "done.wav,dobar dan,s0,sr"], "radio", licence="CC BY 4.0")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.onnx").write_bytes(b"tones")
    monkeypatch.setattr(predict, "open_phone_model", tone_phones)
    return tmp_path


def select(seconds: float = 2.0, *per_language: str, **more: object) -> None:
    limits = quotas(seconds / 3600, per_language)
    run(SelectOptions(limits, model="model", words=None, **more))


def queue(number: int = 1) -> list[dict]:
    return read_json(Path(QUEUE.format(number)))


def export(tasks, **texts: str):
    """Write the export of a project in which all tasks of a queue were answered."""
    path = Path("export.json")
    done = [
        {
            "id": number, "data": each["data"],
            "annotations": [
                {
                    "id": number, "completed_by": 7, "lead_time": 12.34,
                    "result": [{
                        "from_name": "transcription", "to_name": "audio", "type": "textarea",
                        "value": {"text": [texts.get(f"t{number}", f"odgovor {number}")]},
                    }],
                }
            ],
        }
        for number, each in enumerate(tasks)
    ]  # fmt: skip
    path.write_text(json.dumps(done))
    return path


def bring_back(tasks, name="radio_1", leave_out=False, **texts: str):
    import_answers.run(export(tasks, **texts), name, "", leave_out, dvc=False)


def files():
    """Return what the project has under data, which a refusal must not change."""
    paths = (p for p in Path("data").rglob("*") if p.is_file() and p.suffix != ".lock")
    return {p.as_posix(): p.read_bytes() for p in paths}


def test_a_queue_has_tasks_within_the_hours_and_no_name_of_a_speaker():
    select()
    tasks = queue()
    assert len(tasks) == 4
    for each in tasks:
        assert sorted(each["data"]) == [
            "audio", "clip", "language", "seconds", "sha256", "uncertainty",
        ]  # fmt: skip
        assert each["data"]["audio"].startswith("/data/local-files/?d=raw/radio/c")
        assert each["predictions"][0]["result"][0]["value"]["text"][0] in ("a", "d", "o")


def test_the_least_certain_recordings_are_queued_first():
    select(2.0, strategy="uncertainty")
    assert [t["data"]["audio"][-6:] for t in queue()] == ["c7.wav", "c6.wav", "c5.wav", "c4.wav"]
    values = [t["data"]["uncertainty"] for t in queue()]
    assert values == sorted(values, reverse=True)


def test_a_second_queue_has_no_clip_of_the_first_and_a_third_is_refused():
    for _ in range(2):
        select()
    clips = [{t["data"]["clip"] for t in queue(n)} for n in (1, 2)]
    assert len(clips[0] | clips[1]) == CLIPS
    with pytest.raises(ValueError, match=f"no recording is left .* {CLIPS} of {CLIPS} were queued"):
        select()
    assert not Path(QUEUE.format(3)).exists()


def test_the_same_project_gives_the_same_queue_and_each_recording_is_decoded_once(monkeypatch):
    select()
    first = Path(QUEUE.format(1)).read_bytes()
    shutil.rmtree("data/selection")
    monkeypatch.setattr(ToneModel, "run", None)  # a second pass over the sound would fail
    select()
    assert Path(QUEUE.format(1)).read_bytes() == first


def test_a_run_that_was_killed_before_the_ledger_is_repeated():
    select()
    first = Path(QUEUE.format(1)).read_bytes()
    LEDGER.unlink()
    select()
    assert Path(QUEUE.format(1)).read_bytes() == first
    assert len(read_ledger(LEDGER)) == 4


def test_a_queue_with_other_tasks_is_not_overwritten():
    Path("mine.json").write_text("[]")
    with pytest.raises(ValueError, match=r"mine\.json: exists with other tasks; name another"):
        select(queue=Path("mine.json"))
    assert not LEDGER.exists()


def test_a_quota_of_a_language_leaves_the_others_out():
    select(9.0, "hr=1")
    assert {t["data"]["language"] for t in queue()} == {"hr"}


def test_a_silent_or_unreadable_recording_is_counted_and_not_queued(capsys):
    folder = RAW / "radio"
    rows = [f"c{n}.wav,,s0,sr" for n in range(CLIPS)]
    write_rows(folder, [*rows, "none.wav,,s0,sr", "odd.wav,,s0,sr"])
    soundfile.write(folder / "none.wav", np.zeros(8000), 16_000)
    (folder / "odd.wav").write_bytes(b"no sound")
    select(99.0)
    assert len(queue()) == CLIPS
    out = capsys.readouterr().out
    assert "left out   1 in which the model decodes no phone" in out
    assert "odd.wav" in out


def test_an_unknown_corpus_and_a_corpus_without_a_gap_are_one_sentence():
    with pytest.raises(ValueError, match=r"no such corpus; expected one of \['radio'\]"):
        select(corpora=["tv"])
    write_rows(RAW / "radio", [f"c{n}.wav,da,s0,sr" for n in range(CLIPS)])
    with pytest.raises(ValueError, match=r"no recording without a transcript \(8 transcribed"):
        select()


def test_two_selections_at_once_are_refused():
    LEDGER.parent.mkdir(parents=True)
    held = FileLock(LEDGER.with_name(f".{LEDGER.name}.lock"))
    with held, pytest.raises(ValueError, match="another select is at work on it"):
        select()


def test_answers_come_back_as_a_corpus_with_annotator_and_time(capsys):
    select()
    bring_back(queue())
    folder = RAW / "radio_1"
    clips = read_clips(folder)
    origins = {row.id: row for row in read_ledger(LEDGER).values()}
    assert {c.text for c in clips} == {f"odgovor {n}" for n in range(4)}
    for row, each in zip(read_table(folder / "metadata.csv", ["annotator"]), clips, strict=True):
        assert (row["annotator"], row["lead_time_s"]) == ("7", "12.3")
        queued = origins[row["origin"]]
        assert queued.imported == "radio_1"
        assert (folder / each.path).read_bytes() == (RAW / "radio" / queued.path).read_bytes()
    assert read_card(folder).licence == "CC BY 4.0"
    assert {t.licence for t in own_terms(folder).values()} == {"CC BY 4.0"}
    assert (
        "annotator  7: 4 recordings, 2.0 s of speech in 49.4 s of work" in capsys.readouterr().out
    )


def test_without_its_ledger_a_project_still_knows_what_was_imported(capsys):
    select()
    bring_back(queue())
    shutil.rmtree("data/selection")
    select(99.0)
    assert len(queue()) == CLIPS - 4
    assert "4 transcribed in another corpus" in capsys.readouterr().out


def test_an_export_is_imported_once():
    select()
    bring_back(queue())
    with pytest.raises(ValueError, match="no answer is new; the corpus radio_2 is not written"):
        bring_back(queue(), "radio_2")
    assert not (RAW / "radio_2").exists()
    with pytest.raises(ValueError, match="is there already; choose another --name"):
        bring_back(queue())


def test_an_export_of_another_project_changes_nothing():
    select()
    before, tasks = files(), queue()
    for key, value, sentence in (
        ("clip", "tv-a-1", r"task 0: clip 'tv-a-1' is in no queue of"),
        (
            "sha256",
            "ab" * 32,
            r"has hash 'abababababab', but .* it is the queue of another project",
        ),
    ):
        other = json.loads(json.dumps(tasks))
        other[0]["data"][key] = value
        with pytest.raises(ValueError, match=sentence):
            bring_back(other, leave_out=True)
    with pytest.raises(ValueError, match="is in no queue"):
        bring_back([{"data": {"image": "a.jpg"}}])
    with pytest.raises(ValueError, match=r"is also .*task 0; remove one of the two tasks"):
        bring_back([tasks[0], tasks[0]])
    assert files() == before


def test_erased_clips_and_empty_answers_are_refused_or_left_out(capsys):
    select()
    tasks = queue()
    erased = read_ledger(LEDGER)[tasks[0]["data"]["clip"]].path
    rows = [f"c{n}.wav,,s0,sr" for n in range(CLIPS) if f"c{n}.wav" != erased]
    (RAW / "radio" / erased).unlink()
    write_rows(RAW / "radio", rows)
    changed = RAW / "radio" / read_ledger(LEDGER)[tasks[1]["data"]["clip"]].path
    changed.write_bytes(changed.read_bytes()[:-2])
    before = files()
    with pytest.raises(ValueError, match=r"was erased .*, and 2 more; --leave-out imports the re"):
        bring_back(tasks, t2=" ")
    assert files() == before
    bring_back(tasks, leave_out=True, t2=" ")
    assert [c.text for c in read_clips(RAW / "radio_1")] == ["odgovor 3"]
    out = capsys.readouterr().out
    assert "is another recording than the one that was queued" in out
    assert "is empty; write it or skip the task" in out
    # What was left out can be imported later.
    assert [q.imported for q in read_ledger(LEDGER).values()].count("") == 3


def test_a_speaker_of_the_split_keeps_the_part(tmp_path):
    table = tmp_path / "speakers.csv"
    table.write_text("speaker,part\nradio/ana,test\nradio/ivo,train\n")
    speakers = {"ana": {"radio", "radio_1"}, "eva": {"radio"}}
    assert rows_to_add("radio_2", speakers, table) == ["radio_2/ana,test"]
    assert rows_to_add("radio_2", speakers, tmp_path / "none.csv") == []


def test_a_ledger_with_an_id_twice_is_one_sentence():
    select()
    lines = LEDGER.read_text().splitlines()
    LEDGER.write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(ValueError, match=r"ledger\.csv:6: id '.*' occurs twice"):
        select()
