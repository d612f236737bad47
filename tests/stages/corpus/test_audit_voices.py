"""The audit finds one person under two names, and two people under one, by their voices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from audit_maker import VOICES, Scene
from numpy.testing import assert_array_equal

from fonoteka.tables import read_table, write_table
from fonoteka.voices.store import COLUMNS, PIECES, TABLE, WIDTH, read_voices
from stages.corpus.audit import stage as audit
from stages.corpus.audit.voices import speaker_voices

AXES = np.eye(WIDTH)


def turned(cosine, axis=0, other=100):
    """Return a vector of length 1 with this cosine to an axis."""
    return cosine * AXES[axis] + np.sqrt(1 - cosine**2) * AXES[other]


def with_two_names(cosine=0.95, synthetic=False):
    """Return a corpus in which a voice of test sounds like one of train."""
    scene = Scene()
    scene.voices = {"c/a": [AXES[0]] * 2, "c/t": [turned(cosine)] * 2}
    if synthetic:
        for part, rows in scene.parts.items():
            scene.parts[part] = [replace(row, synthetic=True) for row in rows]
    return scene


def with_two_people(cosine=0.3):
    """Return a corpus in which a name of train has pieces of two voices."""
    scene = Scene()
    scene.voices = {"c/b": [AXES[0], turned(cosine)]}
    return scene


def test_names_that_fit_are_not_flagged(tmp_path):
    voices = Scene().audit(tmp_path)["voices"]
    # 3 voices in train, 2 in valid and 2 in test: 3 * 2 + 3 * 2 + 2 * 2 pairs.
    assert voices["alike"] == {"compared": 16, "pairs": 0, "listed": []}
    assert voices["divided"] == {"compared": 7, "names": 0, "listed": []}
    assert (voices["speakers"], voices["pieces"], voices["left_out"]) == (7, 14, {})


def test_one_person_under_two_names_is_flagged_under_pseudonyms(tmp_path, capsys):
    report = with_two_names().audit(tmp_path)
    # By name: a, b, c, t, u, v, w.
    (flag,) = report["voices"]["alike"]["listed"]
    assert flag["names"] == ["c/speaker 001", "c/speaker 004"]
    assert (flag["splits"], flag["cosine"]) == (["train", "test"], 0.95)
    advice = "1 of 16 pairs of names in two splits sound like one person"
    assert any(line.startswith(advice) for line in report["recommendations"])
    page = (tmp_path / "c.md").read_text(encoding="utf-8")
    assert "c/speaker 004" in page
    assert "c/t" not in page
    assert "'c/a' in train and 'c/t' in test sound like one person" in capsys.readouterr().out


def test_names_of_people_are_shown_where_they_may_be(tmp_path):
    (flag,) = with_two_names().audit(tmp_path, named=True)["voices"]["alike"]["listed"]
    assert flag["names"] == ["c/a", "c/t"]


def test_a_cosine_below_the_threshold_is_not_flagged(tmp_path):
    assert with_two_names(0.84).audit(tmp_path)["voices"]["alike"]["pairs"] == 0
    low = replace(VOICES, same_voice=0.83)
    assert with_two_names(0.84).audit(tmp_path, voices=low)["voices"]["alike"]["pairs"] == 1


def test_two_names_in_one_split_are_not_flagged(tmp_path):
    scene = Scene()
    scene.voices = {"c/a": [AXES[0]] * 2, "c/b": [AXES[0]] * 2}
    assert scene.audit(tmp_path)["voices"]["alike"]["pairs"] == 0


def test_alike_voices_of_one_synthetic_corpus_are_counted_apart_and_never_refused(tmp_path):
    refuse = replace(VOICES, action="refuse")
    report = with_two_names(synthetic=True).audit(tmp_path, voices=refuse)
    assert report["voices"]["alike"] == {"compared": 0, "pairs": 0, "listed": []}
    (flag,) = report["voices"]["alike_synthetic"]["listed"]
    assert flag["names"] == ["c/a", "c/t"]  # voices of a machine keep their names
    assert not [line for line in report["recommendations"] if "sound like one" in line]


def test_two_people_under_one_name_are_flagged(tmp_path, capsys):
    scene = with_two_people()
    report = scene.audit(tmp_path)
    (flag,) = report["voices"]["divided"]["listed"]
    assert flag == {
        "name": "c/speaker 002", "split": "train", "pieces": 2, "apart": 1, "cosine": 0.3,
    }  # fmt: skip
    assert scene.parts["train"][2].id in capsys.readouterr().out
    assert any("1 of 7 names sound like two" in line for line in report["recommendations"])


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (with_two_names, "^1 pairs of names in two splits .*nearest 'c/a' and 'c/t'; listen to"),
        (with_two_people, "^1 names sound like two people each, first 'c/b'; listen to its clips"),
    ],
    ids=["two names", "two people"],
)
def test_a_flag_is_an_error_if_it_is_to_be_refused(scene, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        scene().audit(tmp_path, voices=replace(VOICES, action="refuse"))
    assert not (tmp_path / "c.json").exists()


def test_the_list_is_short_and_the_count_is_whole(tmp_path):
    scene = Scene()
    scene.voices = dict.fromkeys((f"c/{name}" for name in "abcvwtu"), [AXES[0]] * 2)
    alike = scene.audit(tmp_path, voices=replace(VOICES, listed=3))["voices"]["alike"]
    assert (alike["pairs"], len(alike["listed"])) == (16, 3)
    assert "13 more pairs are not listed." in (tmp_path / "c.md").read_text(encoding="utf-8")


def test_speakers_without_a_voice_are_counted_with_the_reason(tmp_path):
    scene = Scene()
    scene.voiceless = dict.fromkeys((f"c/{name}" for name in "abcvwt"), "less than 2 s of speech")
    voices = scene.audit(tmp_path, draw=True)["voices"]
    assert voices["left_out"] == {"less than 2 s of speech": 6}
    assert (voices["speakers"], voices["alike"]["compared"]) == (1, 0)
    scene.voiceless["c/u"] = "less than 2 s of speech"
    voices = scene.audit(tmp_path, draw=True)["voices"]
    assert (voices["speakers"], voices["divided"]["compared"]) == (0, 0)
    assert "6 without" not in (page := (tmp_path / "c.md").read_text(encoding="utf-8"))
    assert "0 pieces of speech, 7 without (less than 2 s of speech)." in page


def test_voices_of_another_run_are_refused(tmp_path):
    paths = Scene().lay(tmp_path)
    rows = read_table(paths.voices / TABLE, COLUMNS)
    write_table(paths.voices / TABLE, COLUMNS, [row | {"speaker": "c/x"} for row in rows])
    parts = {part: audit.read(path) for part, path in paths.parts.items()}
    with pytest.raises(ValueError, match=r"^10 speakers are in the splits or in data/corpus/voic"):
        speaker_voices(read_voices(paths.voices), parts)


@pytest.mark.parametrize("damage", ["missing", "cut", "other type", "one row less"])
def test_damaged_voices_are_one_sentence(damage, tmp_path):
    folder = Scene().lay(tmp_path).voices
    path = folder / PIECES
    vectors = np.load(path)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:40])
    else:
        np.save(path, vectors[1:] if damage == "one row less" else vectors.astype(np.float32))
    with pytest.raises(ValueError, match=r"pieces\.npy: .*; run dvc repro (-f )?embed_voices"):
        read_voices(folder)


def test_stored_voices_are_read_as_written(tmp_path):
    voices = read_voices(with_two_names().lay(tmp_path).voices)
    assert voices.vectors.shape == (14, WIDTH)
    assert_array_equal(voices.vectors[0], 2048 * AXES[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "ignore"}, "action must be refuse or report, found 'ignore'"),
        ({"same_voice": 1.0}, r"same_voice must be between 0 and 1, found 1\.0"),
        ({"two_voices": 0.0}, r"two_voices must be between 0 and 1, found 0\.0"),
        ({"listed": -1}, "listed must be at least 0, found -1"),
    ],
    ids=["action", "same_voice", "two_voices", "listed"],
)
def test_params_of_voices_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=rf"^audit_voices\.{message}"):
        replace(VOICES, **change)
