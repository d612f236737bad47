"""Tasks and exports are those of Label Studio's guide."""

from __future__ import annotations

import csv
import json

import pytest

from fonoteka.selection.label_studio import Annotation, read_answers, task

DATA = {"audio": "/data/local-files/?d=raw/radio/a.wav", "clip": "radio-a-1", "sha256": "5f"}


def region(*texts: str, name: str = "transcription") -> dict[str, object]:
    return {
        "id": "Dx_aB91ISN", "from_name": name, "to_name": "audio", "type": "textarea",
        "origin": "manual", "value": {"text": [*texts]},
    }  # fmt: skip


def annotation(*regions: object, **more: object) -> dict[str, object]:
    """An annotation with the keys of the guide's page "Label Studio task format"."""
    return {
        "id": 1001, "result": [*regions], "was_cancelled": False, "ground_truth": False,
        "created_at": "2026-03-09T22:16:08.728353Z", "updated_at": "2026-03-09T22:16:08.728378Z",
        "lead_time": 4.288, "result_count": 1, "task": 1, "completed_by": 10,
    } | more  # fmt: skip


def exported(*annotations: object, **more: object) -> dict[str, object]:
    return {
        "id": 1, "created_at": "2026-03-09T21:52:49.513742Z", "project": 83, "data": DATA,
        "annotations": [*annotations], "predictions": [],
    } | more  # fmt: skip


def save(folder, value, name="export.json"):
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def save_csv(folder, rows):
    with (folder / "export.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder / "export.csv"


def min_row(**more: object) -> dict[str, object]:
    """A row of JSON-MIN and CSV: the task's data, its results and the annotation beside them."""
    return DATA | {
        "id": 1, "transcription": "dobar dan", "annotator": 10, "annotation_id": 1001,
        "created_at": "2026-03-09T22:16:08.728353Z", "updated_at": "2026-03-09T22:16:08.728378Z",
        "lead_time": 4.288,
    } | more  # fmt: skip


ANSWER = ("radio-a-1", "5f", "dobar dan", "10", 4.288, False)


def parts(answer: Annotation) -> tuple[object, ...]:
    return (
        answer.clip, answer.sha256, answer.text, answer.annotator, answer.lead_time_s,
        answer.skipped,
    )  # fmt: skip


def test_a_task_has_the_models_text_as_a_prediction_of_the_text_area():
    result = task(DATA, "dobar dan", "whisper", 0.123456)
    assert result["data"] == DATA
    (prediction,) = result["predictions"]
    assert prediction["model_version"] == "whisper"
    assert prediction["score"] == 0.1235
    assert prediction["result"] == [
        {
            "from_name": "transcription", "to_name": "audio", "type": "textarea",
            "value": {"text": ["dobar dan"]},
        }
    ]  # fmt: skip
    assert task(DATA, "", "whisper", 0.5)["predictions"] == []


def test_all_formats_of_an_export_give_the_same_answer(tmp_path):
    paths = [
        save(tmp_path, [exported(annotation(region("dobar", " dan\n")))]),
        save(tmp_path, [min_row()], "min.json"),
        save(tmp_path, [min_row(transcription=[{"text": ["dobar", "dan"]}])], "regions.json"),
        save_csv(tmp_path, [min_row()]),
    ]
    assert [[parts(a) for a in read_answers(path)] for path in paths] == [[ANSWER]] * 4


def test_a_cell_with_a_list_is_read_and_a_text_in_brackets_stays(tmp_path):
    rows = [
        min_row(transcription='[{"text": ["a", "b"]}]'),
        min_row(id=2, transcription="[smijeh] pa dobro"),
    ]
    assert [a.text for a in read_answers(save_csv(tmp_path, rows))] == ["a b", "[smijeh] pa dobro"]


def test_the_annotation_that_was_updated_last_counts(tmp_path):
    old = annotation(region("staro"), updated_at="2026-03-08T00:00:00Z", id=9)
    new = annotation(region("novo"), completed_by={"id": 12, "email": "ana@example.org"})
    cancelled = annotation(
        region("ne"), was_cancelled=True, updated_at="2026-04-01T00:00:00Z", completed_by=11
    )
    (answer,) = read_answers(save(tmp_path, [exported(new, cancelled, old)]))
    assert (answer.text, answer.annotator) == ("novo", "12")
    rows = [min_row(transcription="novo"), min_row(transcription="staro", updated_at="2026-01-01")]
    (answer,) = read_answers(save(tmp_path, rows))
    assert answer.text == "novo"


def test_a_task_that_was_skipped_or_is_open_has_no_answer(tmp_path):
    tasks = [exported(annotation(was_cancelled=True)), exported(id=2)]
    assert [a.skipped for a in read_answers(save(tmp_path, tasks))] == [True, True]


def test_other_regions_of_an_annotation_are_not_its_text(tmp_path):
    done = annotation(region("bilješka", name="note"), region("dan"))
    (answer,) = read_answers(save(tmp_path, [exported(done)]))
    assert answer.text == "dan"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"tasks": []}, "expected a list of tasks, as Label Studio exports"),
        ([], "expected a list of tasks"),
        (["a"], "expected a list of tasks"),
        ([{"image": "a.jpg"}], "entry 1 has no 'annotator'; export the project to JSON"),
        ([min_row(lead_time="long")], "task 1: lead_time 'long' is not a number of seconds"),
    ],
    ids=["object", "empty", "texts", "other", "time"],
)
def test_a_file_of_another_kind_is_one_sentence(value, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        read_answers(save(tmp_path, value))


def test_a_file_that_is_not_json_is_one_sentence(tmp_path):
    (tmp_path / "export.json").write_text("[{")
    with pytest.raises(ValueError, match="not valid JSON"):
        read_answers(tmp_path / "export.json")
