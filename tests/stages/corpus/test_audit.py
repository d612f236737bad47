"""The audit counts every file once and finds every leak."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from audit_maker import PARAMS, Scene, babble
from corpus_maker import utterance

from fonoteka.core.files import read_json
from stages.corpus.audit import stage as audit
from stages.corpus.audit.advice import recommendations
from stages.corpus.audit.numbers import phone_counts
from stages.corpus.audit.proof import REMEDIES

INJECTIONS = {}


def injection(kind):
    """Register a function that puts a leak into a scene and returns the ids to be named."""

    def register(spoil):
        INJECTIONS[f"{kind}: {spoil.__name__.replace('_', ' ')}"] = kind, spoil
        return spoil

    return register


@injection("speaker")
def a_voice_in_two_parts(scene):
    return scene.parts["train"][0].id, scene.add("test", "c/a", 5).id


@injection("speaker")
def a_name_typed_otherwise(scene):
    return scene.add("valid", "c/ana marić").id, scene.add("test", "C/ Ana  Maric\u0301").id


@injection("speaker")
def a_voice_renamed_on_the_way(scene):
    scene.inventory[scene.change("test", 0, speaker="c/t").id]["speaker"] = "c/b"
    return scene.parts["train"][2].id, scene.parts["test"][0].id


@injection("session")
def a_sitting_in_two_parts(scene):
    scene.change("test", 1, session="c/Choir")
    return scene.change("train", 1, session="c/choir").id, scene.parts["test"][1].id


@injection("session")
def a_sitting_lost_on_the_way(scene):
    ids = scene.change("valid", 0, session=None).id, scene.change("test", 3, session=None).id
    for key in ids:
        scene.inventory[key]["session"] = "c/one day"
    return ids


@injection("group")
def a_group_in_two_parts(scene):
    first = scene.parts["train"][4].id
    scene.change("train", 4, group=first)
    return first, scene.change("test", 2, group=first).id


@injection("parent")
def a_copy_beside_its_recording(scene):
    return scene.parts["train"][0].id, scene.add(
        "test", "c/x", parent=scene.parts["train"][0].id
    ).id


@injection("parent")
def two_copies_of_what_was_set_aside(scene):
    return tuple(scene.add(part, f"c/{part}", parent="c-gone").id for part in ("train", "test"))


@injection("parent")
def a_copy_of_a_copy_that_was_set_aside(scene):
    oldest = scene.parts["train"][0].id
    scene.inventory["middle"] = {"parent": oldest}
    scene.quarantined.append({"id": "middle", "problem": "silent"})
    return oldest, scene.add("valid", "c/x", parent="middle").id


@injection("parent")
def a_circle_of_copies(scene):
    first, second = scene.parts["train"][0].id, scene.parts["test"][0].id
    scene.change("train", 0, parent=second)
    return first, scene.change("test", 0, parent=first).id


@injection("id")
def a_line_in_two_manifests(scene):
    scene.parts["test"].append(scene.parts["train"][3])
    return (scene.parts["train"][3].id,)


@injection("sound")
def one_recording_under_two_names(scene):
    ids = scene.parts["train"][0].id, scene.parts["test"][0].id
    for key in ids:
        scene.inventory[key]["pcm_sha256"] = "same"
    return ids


@injection("sound")
def one_sound_in_the_shards(scene):
    first, second = scene.parts["valid"][0], scene.parts["test"][0]
    scene.sounds[second.audio] = scene.sounds[first.audio]
    return first.id, second.id


@injection("audio")
def a_file_referred_to_twice(scene):
    first, second = scene.parts["train"][0], scene.parts["train"][1]
    scene.change("train", 1, audio=first.audio)
    return first.id, second.id


@injection("missing")
def a_file_that_is_not_in_its_shard(scene):
    row = scene.parts["test"][0]
    del scene.sounds[row.audio]
    return (row.id,)


@injection("missing")
def a_shard_that_is_not_there(scene):
    scene.index[scene.parts["valid"][1].id]["audio"] = "shard-77.tar/x.flac"
    return (scene.change("valid", 1, audio="shard-77.tar/x.flac").id,)


@injection("missing")
def a_file_that_is_not_audio(scene):
    row = scene.parts["train"][5]
    scene.sounds[row.audio] = b"fLaC and no more"
    return (row.id,)


@injection("duration")
def a_clip_of_another_length(scene):
    row = scene.parts["test"][3]
    scene.sounds[row.audio] = scene.sounds[row.audio][:-32]  # 2 ms
    return (row.id,)


@injection("reference")
def two_clips_with_each_others_sound(scene):
    first, second = scene.parts["train"][0], scene.parts["test"][0]
    scene.change("train", 0, audio=second.audio)
    return first.id, scene.change("test", 0, audio=first.audio).id


@injection("recording")
def a_copy_that_is_noisy_shifted_and_quieter(scene):
    original = scene.parts["train"][0]
    sound = 0.4 * np.pad(scene.sounds[original.audio], (5000, 3000))
    noise = np.random.default_rng(0).standard_normal(len(sound)) * sound.std() / 10  # 20 dB below
    return original.id, scene.add("test", "c/x", sound=(sound + noise).astype(np.float32)).id


@injection("sentence")
def a_sentence_in_two_parts(scene):
    sentence = scene.parts["train"][2].normalized
    return scene.parts["train"][2].id, scene.change("test", 0, normalized=sentence).id


def test_a_corpus_without_a_leak_passes_with_zero_leaks(tmp_path):
    assert set(Scene().audit(tmp_path)["leakage"].values()) == {0}


@pytest.mark.parametrize("name", INJECTIONS)
def test_each_leak_is_caught_and_named_with_its_clips(tmp_path, name, capsys):
    kind, spoil = INJECTIONS[name]
    scene = Scene()
    ids = spoil(scene)
    with pytest.raises(ValueError, match=re.escape(REMEDIES[kind])) as caught:
        scene.audit(tmp_path)
    (message,) = [
        part for part in str(caught.value).split("; ") if re.match(rf"{kind}(:| '.* is in )", part)
    ]
    assert all(key in message for key in ids)
    assert message.partition(", one of ")[0] in capsys.readouterr().out
    assert not list(tmp_path.glob("c.*"))


def test_each_kind_of_leak_is_injected():
    assert {kind for kind, _ in INJECTIONS.values()} == set(REMEDIES)


def test_further_leaks_are_counted_in_the_sentence_and_listed(tmp_path, capsys):
    scene = Scene()
    for voice in "ab":
        scene.add("test", f"c/{voice}", 5)
    with pytest.raises(
        ValueError, match=r"speaker 'c/a' is in .* and in test \(c-a-5-\w+\), one of 2"
    ):
        scene.audit(tmp_path)
    assert "audit: speaker 'c/b' is in train" in capsys.readouterr().out


def test_shared_sentences_are_counted_if_they_are_allowed(tmp_path):
    scene = Scene()
    for part, position in (("train", 0), ("valid", 0), ("test", 0), ("test", 1)):
        scene.change(part, position, normalized="zero")
    scene.change("valid", 1, normalized=scene.parts["test"][2].normalized)
    report = scene.audit(tmp_path, replace(PARAMS, shared_sentences="report"))
    assert report["leakage"]["sentences"] == 2
    assert report["leakage"]["test_utterances_with_a_train_sentence"] == 2
    assert (
        "2 of 4 test utterances have a sentence that is also in train"
        in report["recommendations"][1]
    )


def test_a_corpus_whose_sentences_may_be_shared_does_not_excuse_another(tmp_path):
    scene = Scene()
    for part in ("train", "test"):
        scene.add(part, f"digits/{part}", normalized="zero")
    params = replace(PARAMS, same_sentences=("digits",))
    assert scene.audit(tmp_path, params)["leakage"]["sentences"] == 1
    scene.add("valid", "c/v", 7, normalized="zero")
    assert scene.audit(tmp_path, params)["leakage"]["sentences"] == 1
    scene.add("test", "c/t", 7, normalized="zero")
    with pytest.raises(
        ValueError, match=r"sentence 'zero' is in valid \(c-v-\S+\) and in test \(c-t"
    ):
        scene.audit(tmp_path, params)


def test_every_file_is_counted_once(tmp_path):
    scene = Scene()
    for key in ("q", "r", "d", "l", "n"):
        scene.inventory[key] = {}
        scene.index[key] = {"problem": "too short" if key == "d" else ""}
    del scene.index["n"]
    scene.quarantined.append({"id": "q", "problem": "silent"})
    scene.refused.append({"id": "r", "reason": "digits"})
    scene.left_out.append({"id": "l", "reason": "its sentence is in test"})
    report = scene.audit(tmp_path)
    assert (report["files"], report["accepted"]) == (19, 18)
    assert report["quarantined"] == {"silent": 1}
    assert report["refused"] == {"digits": 1}
    assert report["dropped_in_preprocessing"] == {"not in the index": 1, "too short": 1}
    assert report["left_out_of_parts"] == {"its sentence is in test": 1}
    assert sum(part["utterances"] for part in report["parts"].values()) == 14
    page = (tmp_path / "c.md").read_text(encoding="utf-8")
    assert re.search(r"^\| quarantined +\| silent +\| +1 \|$", page, re.MULTILINE)


@pytest.mark.parametrize("table", ["none", "left out"])
def test_a_clip_that_no_table_explains_is_an_error(tmp_path, table):
    scene = Scene()
    key = scene.parts["valid"][0].id
    if table == "none":
        scene.index[key]["problem"] = "silent"
    else:
        scene.left_out.append({"id": key, "reason": "its sentence is in test"})
    with pytest.raises(ValueError, match=rf"first '{key}'; .*of different runs: run dvc repro"):
        scene.audit(tmp_path)


def test_a_part_is_summed_up(tmp_path):
    scene = Scene()
    scene.add("test", "c/t", 7, language="sr", text="Ђак", sex="f", synthetic=True)
    scene.add("test", "c/t", 8, language="sr", text="Ђак i đak", sound=babble("x", 1.2))
    first = scene.parts["train"][0].id
    scene.change("train", 0, group=first)
    scene.change("train", 1, group=first, parent=first)
    del scene.inventory[scene.parts["test"][0].id]["snr_db"]
    parts = scene.audit(tmp_path, draw=True)["parts"]  # train has no bar for Serbian
    test = parts["test"]
    assert (test["utterances"], test["speakers"], test["hours"]) == (6, 2, 0.0012)
    assert test["languages"]["sr"]["scripts"] == {"Cyrl": 1, "Cyrl and Latn": 1}
    assert test["speakers_by_sex"] == {"f": 1, "unknown": 1}
    assert (test["synthetic_hours"], test["with_phone_times"], test["phones"]) == (0.0002, 0, 12)
    assert test["sample_rates_hz"] == {"44100": 6}
    assert test["measures"]["snr_db"] == {
        "known": 5, "unknown": 1, "min": 31.0, "p5": 31.0, "median": 31.0, "p95": 31.0,
        "max": 31.0,
    }  # fmt: skip
    assert (test["sessions"], test["utterances_without_session"]) == (2, 2)
    assert parts["train"]["near_duplicates"] == {"groups": 1, "utterances": 2}
    assert parts["train"]["changed_copies"] == 1
    assert parts["valid"]["measures"]["duration_s"]["p95"] == 0.6


def test_values_that_were_not_measured_are_counted_as_unknown(tmp_path):
    scene = Scene()
    for row in scene.inventory.values():
        row["level_dbfs"], row["snr_db"], row["sample_rate_hz"] = "", "inf", ""
    measures = (report := scene.audit(tmp_path, draw=True))["parts"]["train"]["measures"]
    assert measures["level_dbfs"] == measures["snr_db"] == {"known": 0, "unknown": 6}
    assert report["parts"]["train"]["sample_rates_hz"] == {"unknown": 6}
    page = (tmp_path / "c.md").read_text(encoding="utf-8")
    assert re.search(r"^\| RMS level, dBFS +\| train( +\| +-){3} \| +6 \|$", page, re.MULTILINE)


def test_the_outputs_name_no_speaker_session_or_clip(tmp_path):
    scene = Scene()
    scene.audit(tmp_path)
    text = (tmp_path / "c.json").read_text() + (tmp_path / "c.md").read_text()
    assert not re.search(r"c/[abcvwtu]|day of|c-[abcvwtu]-\d", text)


def test_workers_and_the_order_of_files_change_no_byte(tmp_path):
    (first := Scene()).audit(tmp_path / "one", workers=1)
    second = Scene()
    for name in ("inventory", "index", "sounds"):
        setattr(second, name, dict(reversed(getattr(second, name).items())))
    second.audit(tmp_path / "two", workers=2)
    assert first.parts == second.parts
    for name in ("c.json", "c.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_phones_that_do_not_occur_are_counted_too():
    parts = {"train": [utterance("c/a"), utterance("c/b", language="en")], "test": []}
    counts = phone_counts(parts)
    assert counts["d"] == {"train": 2, "test": 0}
    assert counts["ʒ"] == {"train": 0, "test": 0}
    assert "θ" in counts
    assert "θ" not in phone_counts({"train": [utterance("c/a")]})
    assert "ʒ" not in phone_counts({"train": [utterance("c/a", language="en")]})


def advise(tmp_path, scene, **params):
    params = replace(PARAMS, **params)
    return recommendations(scene.audit(tmp_path, params), params.limits)


def test_nothing_is_recommended_if_nothing_is_missing(tmp_path):
    scene = Scene()
    assert advise(tmp_path, scene, min_train_tokens=0) == []
    assert "Nothing is missing." in (tmp_path / "c.md").read_text()


def test_languages_that_are_in_the_wrong_place_are_pointed_out(tmp_path):
    scene = Scene()
    for part, voice in (("test", "x"), ("test", "y"), ("train", "z")):
        scene.add(part, f"c/{voice}", language="bs")
    scene.add("test", "c/o", language="sr")
    advice = advise(tmp_path, scene, min_test_speakers=2)
    assert advice[0] == (
        "2 of 3 Bosnian speakers are in test and 1 in train: record more Bosnian speakers for "
        "train, or assign some of them to train in split.assigned"
    )
    assert advice[1].startswith("Bosnian has no speaker in valid")
    assert advice[2] == "none of 1 Serbian speakers is in train: record Serbian for train"
    assert advice[3].startswith("1 of 1 Serbian speakers is in test: record 1 more who are in no o")


def test_rare_phones_are_listed(tmp_path):
    advice = advise(tmp_path, Scene(), min_test_tokens=9)
    assert any("ʒ 0" in line and "fewer than 1 times in train" in line for line in advice)
    assert any("a 4, " in line and "fewer than 9 times in test" in line for line in advice)


def test_one_sex_alone_is_pointed_out_if_all_are_known(tmp_path):
    scene = Scene()
    for position in range(4):
        scene.change("test", position, sex="f")
    for position in range(5):
        scene.change("train", position, sex="m" if position < 4 else None)
    assert "all 2 speakers of test are women: record men" in (advice := advise(tmp_path, scene))
    assert not any("speakers of train" in line for line in advice)


def test_noise_and_quiet_recordings_are_pointed_out(tmp_path):
    scene = Scene()
    for row in scene.parts["valid"]:
        scene.inventory[row.id] |= {"snr_db": "9.5", "level_dbfs": "-51.0"}
    advice = advise(tmp_path, scene)
    assert any(line.startswith("half of valid has an SNR of 9.5 dB or less") for line in advice)
    assert any(
        line.startswith("half of valid has an RMS level of -51 dBFS or less, below the recommended")
        for line in advice
    )


def test_a_machines_voice_is_pointed_out(tmp_path):
    scene = Scene()
    for position in range(4):
        scene.change("valid", position, synthetic=True)
    assert "record people for valid: all audio there is synthetic" in advise(tmp_path, scene)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shared_sentences": "ignore"}, "must be refuse or report, found 'ignore'"),
        ({"same_recording_correlation": 1.0}, r"must be between 0 and 1, found 1\.0"),
    ],
)
def test_params_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PARAMS, **change)


def test_the_command_line_reads_params_and_paths(tmp_path, monkeypatch):
    Scene().lay(tmp_path)
    (tmp_path / "params.yaml").write_text(
        "audit: {shared_sentences: refuse, same_sentences: [], same_recording_correlation: 0.85, "
        "min_test_speakers: 1, min_train_tokens: 1, min_test_tokens: 1, min_snr_db: 15, "
        "min_level_dbfs: -40, dpi: 30}\n"
        "audit_voices: {action: report, same_voice: 0.85, two_voices: 0.6, listed: 20}\n"
        "privacy: {name_people: false}\n"
    )
    # The tables of one scene, in the order of the command line.
    tables = ["inventory.csv", "quarantined.csv", "refused.csv", "audio", "left_out.csv"]
    names = [*tables, "train.jsonl", "valid.jsonl", "test.jsonl", "again.json"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sys.argv",
        [
            "audit",
            *names,
            "--voices",
            "voices",
            "--speakers",
            "speakers.csv",
            "--page",
            "again.md",
            "--picture",
            "again.png",
        ],
    )
    audit.main()
    assert read_json(tmp_path / "again.json")["files"] == 14
    assert (tmp_path / "again.png").read_bytes().startswith(b"\x89PNG")
    assert (
        "![hours, speakers, levels, SNR and phones per split](again.png)"
        in (tmp_path / "again.md").read_text()
    )
