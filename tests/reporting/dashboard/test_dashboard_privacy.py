"""A page names people, and quotes their texts, only as far as parameters and licences allow."""

from __future__ import annotations

import json

import pytest
from dashboard_files import CLIPS, PARAMS, ToyClip, inputs_of, privacy_in, save_project

from fonoteka.reporting.dashboard.clips import Privacy
from fonoteka.reporting.dashboard.document import document_of
from fonoteka.reporting.dashboard.page.render import render

NAMES = ("real/ana", "real/ivo")


def document_in(top, name_people=False):
    return document_of(inputs_of(top), PARAMS.document, privacy_in(top, name_people))[0]


PRIVATE = [*CLIPS, ToyClip("real/ivo", "sr", "d a n a s", ("d a", "d a n a s"), "Tajna rečenica",
                           (None, "Tajna rečenica"), "CC BY-NC 4.0")]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    top = tmp_path_factory.mktemp("private")
    save_project(top, PRIVATE)
    return top


def test_people_have_pseudonyms_and_synthetic_voices_keep_their_names(project):
    document = document_in(project)
    page = render(document)
    assert not [name for name in NAMES if name in page]
    speakers = document["clips"]["speaker"]["values"]
    assert speakers == ["real/speaker 001", "real/speaker 002", "tts/eva", "tts/max"]
    assert document["clips"]["id"][2:4] == ["real/speaker 002, clip 001", "clip-3"]
    assert document["clips"]["id"][5] == "real/speaker 002, clip 002"


def test_texts_and_phones_under_other_licences_are_withheld_and_their_errors_stay(project):
    document = document_in(project)
    withheld = document["clips"]["withheld"]
    assert withheld == [1, 2, 5]
    reason = document["clips"]["withheld_reason"]
    assert reason.startswith("Texts and phones of 3 clips are withheld")
    assert reason.endswith("CC BY-NC 4.0 (1), secret (2).")
    for task in document["tasks"]:
        for name in task["normalisations"]:
            columns = [task["references"][name]]
            columns += [m[key][name] for m in task["models"] for key in ("hypotheses", "ops")]
            assert {column[index] for column in columns for index in withheld} == {None}
            assert all(task["units"][name][index] for index in withheld)
            assert all(
                model["deletions"][name][index] is not None
                for model in task["models"]
                for index in withheld
                if model["name"] != "whisper_base"
            )
    text = json.dumps(document, ensure_ascii=False).lower()
    assert "tajna" not in text
    assert "rečenica" not in render(document).lower()


def test_with_names_everything_is_quoted_and_nothing_is_counted_as_withheld(tmp_path):
    save_project(tmp_path, PRIVATE, name_people=True)
    document = document_in(tmp_path, name_people=True)
    assert document["clips"]["speaker"]["values"][:2] == [*NAMES]
    assert document["clips"]["id"] == [f"clip-{number}" for number in range(6)]
    assert (document["clips"]["withheld"], document["clips"]["withheld_reason"]) == ([], "")
    assert document["tasks"][1]["references"]["canonical"][5] == "tajna rečenica"


@pytest.mark.parametrize(
    ("licence", "is_quoted"),
    [("cc0 1.0", True), ("synthetic: x", True), ("CC BY-NC 4.0", False), ("not CC0", False),
     ("", False)],
)  # fmt: skip
def test_a_pattern_has_to_match_the_whole_licence(licence, is_quoted):
    private = Privacy(False, {}, PARAMS.licences)
    assert private.quotes(licence) == private.licensed(licence) == is_quoted
    assert Privacy(True, {}, PARAMS.licences).quotes(licence)
    # Names are a matter of privacy, and copies of the audio of the licence alone.
    assert Privacy(True, {}, PARAMS.licences).licensed(licence) == is_quoted


HOSTILE = "</script><script>alert(1)</script> <!-- \u2028 &amp; ${x} '\" \\u003c"


def test_hostile_texts_stay_text(tmp_path):
    clip = ToyClip("tts/<b>", "en", "h i", ("h", "h i"), HOSTILE, (HOSTILE, HOSTILE),
                   "synthetic: </script>")  # fmt: skip
    save_project(tmp_path, [*CLIPS, clip])
    document = document_in(tmp_path)
    assert document["tasks"][1]["references"]["as_written"][5].startswith("</script><script>")
    page = render(document)
    assert "alert(1)</script>" not in page
    assert page.count("</script>") == page.count("<script")
    assert "tts/<b>" not in page
    assert "\u2028" not in page
