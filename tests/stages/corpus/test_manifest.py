"""The manifest joins what is known of a clip, on the clock of the prepared clip."""

from __future__ import annotations

import pytest

from fonoteka.corpus.corpus import ACCEPTED_COLUMNS, INDEX_COLUMNS
from fonoteka.manifest import Transcript, read, write, write_transcripts
from fonoteka.tables import write_table
from stages.corpus import manifest as stage
from stages.corpus.manifest import join, utterance


def clip(name, **columns):
    values = {
        "id": f"mine-{name}", "corpus": "mine", "path": f"mine/{name}.wav", "text": "Da!",
        "duration_s": "1.500000", "speaker": "mine/ana", "licence": "CC0", "synthetic": "false",
    }  # fmt: skip
    return dict.fromkeys(ACCEPTED_COLUMNS, "") | values | columns


def spelled(name, times=None):
    return Transcript(f"mine-{name}", "hr", "da", ("d", "a"), times)


def prepared(name, duration_s="1.0000", offset_s="0.0000", problem=""):
    values = (f"mine-{name}", f"s.tar/mine-{name}.flac", duration_s, offset_s, problem)
    return dict(zip(INDEX_COLUMNS, values, strict=True))


def test_an_utterance_has_the_columns_of_its_clip_and_the_audio_of_the_index():
    row = clip("a", synthetic="true", session="mine/s1", sex="f")
    result = utterance(row, spelled("a"), prepared("a", "0.9000"))
    assert (result.id, result.speaker, result.language) == ("mine-a", "mine/ana", "hr")
    assert (result.text, result.normalized, result.phones) == ("Da!", "da", ("d", "a"))
    assert (result.audio, result.duration_s) == ("s.tar/mine-a.flac", 0.9)
    assert (result.source, result.licence, result.synthetic) == ("mine", "CC0", True)
    assert (result.session, result.sex, result.parent, result.group) == ("mine/s1", "f", None, None)


def test_phone_times_move_with_what_was_trimmed():
    transcript = spelled("a", times=((0.1, 0.5), (0.5, 0.95)))
    result = utterance(clip("a"), transcript, prepared("a", "0.6000", "0.2500"))
    assert result.phone_times_s == ((0.0, 0.25), (0.25, 0.6))


def test_a_clip_without_text_or_without_audio_is_not_an_utterance():
    clips = {f"mine-{name}": clip(name) for name in "abc"}
    transcripts = {f"mine-{name}": spelled(name) for name in "ab"}
    index = [prepared("a"), prepared("b", problem="silent"), prepared("c")]
    assert [each.id for each in join(clips, transcripts, index)] == ["mine-a"]


def laid(folder, problem=""):
    write_table(folder / "accepted.csv", ACCEPTED_COLUMNS, [clip("a"), clip("b")])
    times = ((0.1, 0.2), (0.2, 0.3))
    write_transcripts(folder / "t.jsonl", [spelled("b"), spelled("a", times)])
    rows = [prepared("a", problem=problem), prepared("b", problem="silent")]
    (folder / "audio").mkdir()
    write_table(folder / "audio/index.csv", INDEX_COLUMNS, rows)


def test_the_command_line_writes_the_manifest(tmp_path, monkeypatch, capsys):
    laid(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["manifest", "accepted.csv", "t.jsonl", "audio", "m.jsonl"])
    stage.main()
    (only,) = read(tmp_path / "m.jsonl")
    assert (only.id, only.phone_times_s) == ("mine-a", ((0.1, 0.2), (0.2, 0.3)))
    assert capsys.readouterr().out == "manifest: 1 utterances; 1 dropped in preprocessing\n"


def test_a_manifest_without_utterances_is_an_error(tmp_path):
    laid(tmp_path, problem="too short")
    names = ("accepted.csv", "t.jsonl", "audio", "m.jsonl")
    with pytest.raises(ValueError, match="none of 2 transcripts has prepared audio; see the col"):
        stage.run(*(tmp_path / name for name in names))


def test_a_text_with_a_line_separator_is_one_line_of_the_manifest(tmp_path):
    row = utterance(clip("a", text="Da,\u2028ne!"), spelled("a"), prepared("a"))
    write(tmp_path / "m.jsonl", [row])
    assert read(tmp_path / "m.jsonl") == [row]
