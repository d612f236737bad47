"""Other programs' readers return the words and times of subtitles and lyrics, hostile text too.

A reader that knows no escape returns the wide forms of the signs that the format cannot contain.
"""

import re
import shutil
import subprocess

import ass_tag_parser
import lrcparser
import pysubs2
import pytest
import srt
import webvtt
from aligned_text_maker import HOSTILE, aligned, aligned_texts, seen
from hypothesis import given
from ttconv.vtt.tokenizer import CueTextTokenizer, StringToken, TimestampTagToken

from fonoteka.alignment.formats import SubtitleOptions, render

MS, CS = 0.001, 0.01  # a rounded time differs by half of its unit at most
WIDE = dict(zip(r"<>{}\[]", "＜＞｛｝＼［］", strict=True))

DUET = aligned(
    [("Dobar", 0.5, 0.9), ("dan,", 0.9, 1.2), ("svete", 1.5, 2.0)],
    [("Ђаче!", 3725.004, 3726.0)],
    duration_s=3730.0,
)


def wide(text, signs):
    return "".join(WIDE[sign] if sign in signs else sign for sign in seen(text))


def near(seconds, tolerance_s):
    return pytest.approx(seconds, rel=0, abs=tolerance_s)


def vtt_words(caption):
    """Return the text of a WebVTT cue, and the time from which each of its letters is past."""
    start_s, letters, times = caption.start_in_seconds, "", []
    time_s = start_s + caption.start_time.milliseconds / 1000
    for token in CueTextTokenizer(caption.raw_text):
        if isinstance(token, TimestampTagToken):
            hours, minutes, seconds = token.timestamp.split(":")
            assert int(hours) * 3600 + int(minutes) * 60 + float(seconds) > time_s
            time_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        else:
            assert isinstance(token, StringToken)
            letters += token.value
            times += [time_s] * len(token.value)
    return letters, times


def ass_words(event):
    """Return (text, start_cs, end_cs) for each syllable of an ASS line, pauses too."""
    time_cs, syllables = event.start // 10, []
    for item in ass_tag_parser.parse_ass(event.text):
        if isinstance(item, ass_tag_parser.AssTagKaraoke):
            syllables.append(["", time_cs, time_cs := time_cs + round(item.duration / 10)])
        elif isinstance(item, ass_tag_parser.AssText):
            syllables[-1][0] += item.text
    assert time_cs == event.end // 10
    return syllables


@given(aligned_texts())
def test_srt_has_the_lines_and_their_times(text):
    cues = [*srt.parse(render(text, "srt", "a"))]
    assert [cue.index for cue in cues] == [*range(1, len(text.lines) + 1)]
    for cue, line in zip(cues, text.lines, strict=True):
        assert cue.content == " ".join(wide(word.text, r"<>{}\\") for word in line.words)
        assert cue.start.total_seconds() == near(line.start_s, MS)
        assert cue.end.total_seconds() == near(line.end_s, 2 * MS)  # of 1 ms at least
        assert cue.start < cue.end


@given(aligned_texts())
def test_vtt_has_the_words_and_their_starts(text):
    captions = webvtt.from_string(render(text, "vtt", "a"), strict=True)
    assert [style.text for style in captions.styles] == [
        "::cue(:past) { color: yellow; }\n::cue(:future) { color: white; }"
    ]
    for caption, line in zip(captions, text.lines, strict=True):
        letters, times = vtt_words(caption)
        assert letters == " ".join(seen(word.text) for word in line.words)
        position = 0
        for word in line.words:
            assert times[position] == near(word.start_s, MS)
            position += len(seen(word.text)) + 1
        end_s = caption.end_in_seconds + caption.end_time.milliseconds / 1000
        assert end_s == near(line.end_s, 2 * MS)
        assert end_s > times[-1]


@pytest.mark.parametrize("tag", ["k", "kf"])
@given(text=aligned_texts())
def test_ass_has_the_words_with_their_starts_and_ends(text, tag):
    script = render(text, "ass", "a\nTitle: b", SubtitleOptions(ass_tag=tag))
    events = pysubs2.SSAFile.from_string(script, format_="ass")
    assert events.info["Title"] == "a Title: b"
    assert [*events.styles] == ["Karaoke"]
    for event, line in zip(events, text.lines, strict=True):
        assert (event.type, event.style, event.layer) == ("Dialogue", "Karaoke", 0)
        syllables = [s for s in ass_words(event) if s[0].strip()]
        for (letters, start_cs, end_cs), word in zip(syllables, line.words, strict=True):
            assert letters.strip() == wide(word.text, r"{}\\")
            assert start_cs / 100 == near(word.start_s, CS)
            assert end_cs / 100 == near(word.end_s, CS)
        assert event.plaintext == " ".join(wide(word.text, r"{}\\") for word in line.words)
        assert {*re.findall(r"\{\\(\w+?)\d+\}", event.text)} == {tag}


@given(aligned_texts())
def test_lrc_has_the_lines_and_their_starts(text):
    parsed = lrcparser.LrcParser.parse(render(text, "lrc", "a"))
    assert parsed["attributes"].keys() == {"re", "length"}
    for parsed_line, line in zip(parsed["lrc_lines"], text.lines, strict=True):
        letters = "".join(segment.text for segment in parsed_line.text)
        assert letters == " ".join(wide(word.text, r"<>[]{}\\") for word in line.words)
        assert float(parsed_line.start_time) == near(line.start_s, CS)


@given(aligned_texts())
def test_enhanced_lrc_has_the_words_their_starts_and_the_end_of_the_line(text):
    parsed = lrcparser.LrcParser.parse(render(text, "lrc_words", "a"))
    assert parsed["attributes"].keys() == {"re", "length"}
    for parsed_line, line in zip(parsed["lrc_lines"], text.lines, strict=True):
        head, *words, last = parsed_line.text
        assert (head.text.strip(), last.text) == ("", "")
        assert float(parsed_line.start_time) == near(line.start_s, CS)
        assert float(last.time) == near(line.end_s, CS)
        for segment, word in zip(words, line.words, strict=True):
            assert segment.text.strip() == wide(word.text, r"<>[]{}\\")
            assert float(segment.time) == near(word.start_s, CS)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    ("format_name", "signs"),
    [("srt", r"<>{}\\"), ("ass", r"{}\\"), ("lrc", r"<>[]{}\\"), ("vtt", "")],
)
def test_ffmpeg_reads_each_line_of_hostile_text(tmp_path, format_name, signs):
    # ffmpeg's own decoder of WebVTT changes braces and backslashes.
    words = [w for w in HOSTILE if format_name != "vtt" or not {*r"{}\\"} & {*w}]
    text = aligned(*([(word, n, n + 1)] for n, word in enumerate(words)), duration_s=90.0)
    path = tmp_path / f"a.{format_name}"
    path.write_text(render(text, format_name, "a", SubtitleOptions(vtt_style=False)), "utf-8")
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "srt", "-"]
    output = subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8")
    assert output.stderr == ""
    cues = [*srt.parse(output.stdout)]
    lines = [re.sub("</?font[^>]*>", "", cue.content) for cue in cues]
    assert lines == [wide(word, signs) for word in words]
    assert [cue.start.total_seconds() for cue in cues] == [*range(len(words))]


def test_the_colours_of_vtt_can_be_left_out():
    plain = render(DUET, "vtt", "a", SubtitleOptions(vtt_style=False))
    assert plain.startswith("WEBVTT\n\n00:00:00.500 --> ")
    assert plain.split("\n\n")[1:] == render(DUET, "vtt", "a").split("\n\n")[2:]


def test_a_cue_of_vtt_tags_each_word_after_the_first():
    assert render(DUET, "vtt", "a").split("\n\n")[2:] == [
        "00:00:00.500 --> 00:00:02.000\nDobar <00:00:00.900>dan, <00:00:01.500>svete",
        "01:02:05.004 --> 01:02:06.000\nЂаче!\n",
    ]


def test_a_pause_in_ass_is_a_syllable_of_its_own():
    first, second = render(DUET, "ass", "a").splitlines()[-2:]
    assert first == (
        r"Dialogue: 0,0:00:00.50,0:00:02.00,Karaoke,,0,0,0,,"
        r"{\k40}Dobar {\k30}dan,{\k30} {\k50}svete"
    )
    assert second == r"Dialogue: 0,1:02:05.00,1:02:06.00,Karaoke,,0,0,0,,{\k100}Ђаче!"


def test_the_minutes_of_lyrics_continue_after_an_hour():
    assert render(DUET, "lrc_words", "a").splitlines() == [
        "[re:Fonoteka]",
        "[length:62:10]",
        "[00:00.50] <00:00.50> Dobar <00:00.90> dan, <00:01.50> svete <00:02.00>",
        "[62:05.00] <62:05.00> Ђаче! <62:06.00>",
    ]
    assert render(DUET, "lrc", "a").splitlines()[2] == "[00:00.50]Dobar dan, svete"


def test_rounding_does_not_add_up_over_a_thousand_words():
    words = [("a", n * 0.0149, (n + 1) * 0.0149) for n in range(1000)]
    script = render(aligned(words, duration_s=15.0), "ass", "a")
    (event,) = pysubs2.SSAFile.from_string(script, format_="ass")
    starts = [start_cs / 100 for _, start_cs, _ in ass_words(event)]
    assert starts == [near(start_s, 0.0051) for _, start_s, _ in words]


@pytest.mark.parametrize("format_name", ["srt", "vtt", "ass", "lrc", "lrc_words"])
def test_long_lines_are_broken_if_it_is_requested(format_name):
    text = aligned([("riječ", n, n + 1) for n in range(20)], duration_s=20.0)
    whole, broken = (
        render(text, format_name, "a", options).count("riječ")
        for options in (SubtitleOptions(), SubtitleOptions(line_letters=12))
    )
    assert whole == broken == 20
    lines = [
        line
        for line in render(text, format_name, "a", SubtitleOptions(line_letters=12)).splitlines()
        if "riječ" in line
    ]
    assert [line.count("riječ") for line in lines] == [2] * 10
