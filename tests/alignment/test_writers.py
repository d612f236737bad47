"""Files are whole, in UTF-8 and under their names; a wrong name is refused in one sentence."""

import errno

import pytest
from aligned_text_maker import HOSTILE, aligned

from fonoteka.alignment.formats import (
    FORMATS,
    SubtitleOptions,
    read_alignment,
    render,
    write_alignment,
    write_outputs,
    writers,
)
from fonoteka.alignment.formats.printable import printable
from fonoteka.core.errors import UserError

TEXT = aligned(
    [("Dobar", 0.5, 0.9), ("dan", 0.9, 1.2)], [("ђаче\0", 1.5, 2.0)], duration_s=2.5
)  # fmt: skip


def test_the_formats_are_those_of_the_documentation():
    assert {name: form.suffix for name, form in FORMATS.items()} == {
        "json": ".json", "textgrid": ".TextGrid", "ctm": ".ctm", "srt": ".srt", "vtt": ".vtt",
        "ass": ".ass", "lrc": ".lrc", "lrc_words": ".lrc",
    }  # fmt: skip


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_has_what_render_returns_for_its_name(tmp_path, format_name):
    path = tmp_path / "new" / "moja pjesma.x"
    write_alignment(TEXT, format_name, path)
    expected = render(TEXT, format_name, "moja pjesma")
    assert path.read_bytes() == expected.encode("utf-8")
    assert b"\r" not in path.read_bytes()
    assert expected.endswith("\n")
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("format_name", FORMATS)
def test_no_control_character_reaches_a_file(format_name):
    text = aligned([(word, n, n + 1) for n, word in enumerate(HOSTILE)], duration_s=60.0)
    content = render(text, format_name, "a\0\n")
    content.encode("utf-8")
    assert all(sign.isprintable() or sign in "\n\u202e\u200f\u200b" for sign in content)


def test_marks_of_direction_and_letters_with_accents_are_kept():
    assert printable("שלום\u200f e\u0301") == "שלום\u200f e\u0301"


def test_an_unknown_format_is_refused_with_the_list():
    with pytest.raises(UserError, match=r"^format 'sub' is not one of json, textgrid, ctm, srt, "):
        render(TEXT, "sub", "a")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    # A mode of 0o500 does not stop the superuser, who runs these tests in containers.
    def refuse(path, content):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(writers, "write_text", refuse)
    with pytest.raises(
        UserError,
        match=r"a\.srt: cannot be written: Read-only file system; choose another folder$",
    ):
        write_alignment(TEXT, "srt", tmp_path / "a.srt")


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.srt" / "b").mkdir(parents=True)
    (tmp_path / "c.srt").write_text("old")
    for path in (tmp_path / "a.srt", tmp_path / "c.srt" / "d.srt"):
        with pytest.raises(UserError, match="cannot be written"):
            write_alignment(TEXT, "srt", path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.srt", "c.srt"]
    assert (tmp_path / "c.srt").read_text() == "old"


def test_the_outputs_of_a_recording_are_its_json_text_and_karaoke(tmp_path):
    folder = write_outputs(TEXT, tmp_path, "pjesma-1")
    assert folder == tmp_path / "outputs" / "pjesma-1"
    assert sorted(path.name for path in folder.iterdir()) == [
        "karaoke.lrc", "transcription_base.json", "transcription_base.txt",
    ]  # fmt: skip
    words = [word.text for word in read_alignment(folder / "transcription_base.json").words]
    assert words == ["Dobar", "dan", "ђаче"]
    assert (folder / "transcription_base.txt").read_text("utf-8") == "Dobar dan\nђаче\n"
    assert (folder / "karaoke.lrc").read_text("utf-8") == render(TEXT, "lrc_words", "")


@pytest.mark.parametrize("file_id", ["", ".", "..", "a/b", "/a", "a\\b", "a\0", "a\nb", " a"])
def test_an_id_that_is_not_the_name_of_a_folder_is_refused(tmp_path, file_id):
    with pytest.raises(UserError, match=r"^file_id .* must be the name of one folder"):
        write_outputs(TEXT, tmp_path, file_id)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"line_letters": 0}, "line_letters must be at least 1, got 0"),
        ({"line_pause_s": -0.5}, "line_pause_s must be at least 0 s, got -0.5"),
        ({"line_pause_s": float("nan")}, "line_pause_s must be at least 0 s, got nan"),
        ({"ass_tag": "ko"}, "ass_tag must be k or kf, got 'ko'"),
    ],
)
def test_an_option_out_of_range_is_refused(options, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        SubtitleOptions(**options)
