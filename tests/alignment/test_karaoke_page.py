"""The karaoke page is one file, which no text can break, with the recording beside or inside it."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from dvc_yaml import TOP
from hypothesis import given
from hypothesis import strategies as st
from karaoke_maker import aligned, long_text, with_texts, write_noise

from fonoteka.alignment.aligned_text import AlignedText
from fonoteka.alignment.karaoke_audio import (
    AudioSource,
    embedded_audio,
    linked_audio,
    media_type_of,
)
from fonoteka.alignment.karaoke_page import (
    data_json,
    highlight_ends,
    karaoke_html,
    language_tag,
    write_karaoke,
)
from fonoteka.core.errors import UserError
from fonoteka.text.to_cyrillic import to_cyrillic

AUDIO = AudioSource("a.wav", "audio/wav", embedded=False)
HOSTILE = "</script><!--<script>\0\u2028\u2029\ufeff]]>&quot;\"'\\ \ud800 $data ${style} \x85"


class PageElements(HTMLParser):
    """The elements of a page with their attributes and contents, as an HTML parser reads them."""

    def __init__(self, page):
        super().__init__()
        self.starts, self.contents, self.comments, self.key = [], {}, 0, ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.starts.append((tag, dict(attrs)))
        self.key = dict(attrs).get("id") or tag

    def handle_endtag(self, tag):
        self.key = ""

    def handle_data(self, data):
        self.contents[self.key] = self.contents.get(self.key, "") + data

    def handle_comment(self, data):
        self.comments += 1

    def only(self, tag, **attributes):
        (element,) = (a for t, a in self.starts if t == tag and attributes.items() <= a.items())
        return element


def elements(text=None, title="Title", audio=AUDIO, other_script=None):
    return PageElements(karaoke_html(text or long_text(), title, audio, other_script))


def policy(page):
    meta = page.only("meta", **{"http-equiv": "Content-Security-Policy"})
    rules = (rule.split() for rule in meta["content"].split(";"))
    return {name: values for name, *values in rules}


def test_the_data_are_the_words_with_their_times():
    text = aligned(("Dobar", 0.1, 0.4004), ("dan!", 0.5, 1.0))
    data = json.loads(elements(text).contents["data"])
    assert data["duration"] == 20_000
    (line,) = data["lines"]
    assert [(word["texts"], word["start"], word["until"]) for word in line] == [
        (["Dobar"], 100, 500),
        (["dan!"], 500, 1000),
    ]


def test_no_word_and_no_title_breaks_out_of_its_place():
    plain = elements(aligned(("word", 0, 1)))
    hostile = elements(aligned((HOSTILE, 0, 1)), title=f"a{HOSTILE}")
    assert [tag for tag, _ in hostile.starts] == [tag for tag, _ in plain.starts]
    assert hostile.comments == plain.comments == 0
    assert json.loads(hostile.contents["data"])["lines"][0][0]["texts"] == [HOSTILE]
    assert hostile.contents["title"].startswith("a</script><!--<script>\ufffd")
    assert hostile.contents["h1"] == hostile.contents["title"]


@given(st.text(min_size=1))
def test_any_text_is_read_back_from_ascii_markup_and_utf8(word):
    encoded = data_json(aligned((word, 0, 1)))
    assert not {*encoded} & {*"<>&\0\u2028\u2029\ufeff"}
    assert json.loads(encoded.encode("utf-8"))["lines"][0][0]["texts"] == [word]


def test_a_page_with_lone_surrogates_can_be_written(tmp_path):
    recording = write_noise(tmp_path / "a.wav", 1)
    text = aligned(("\ud800", 0, 1))
    write_karaoke(text, recording, tmp_path / "a.html", embed=False, title="\udcff")
    page = PageElements((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert page.contents["title"] == "\ufffd"


def test_a_highlight_stays_over_a_gap_below_300_ms_and_ends_before_a_longer_one():
    words = [*aligned(("a", 0, 1), ("b", 1.29, 2), ("c", 2.31, 3), ("d", 3, 4)).words]
    assert highlight_ends(words) == [1.29, 2, 3, 4]


def test_the_policy_allows_the_script_the_style_and_the_recording_alone():
    page = elements()
    hashes = {
        name: f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
        for name in ("script", "style")
        for content in [page.contents[name]]
    }
    assert policy(page) == {
        "default-src": ["'none'"],
        "script-src": [hashes["script"]],
        "style-src": [hashes["style"]],
        "media-src": ["'self'", "file:"],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    inside = AudioSource("data:audio/wav;base64,", "audio/wav", embedded=True)
    assert policy(elements(audio=inside))["media-src"] == ["data:"]


def test_a_page_names_no_address_and_has_no_handlers_or_styles_in_attributes():
    page = elements()
    assert "//" not in page.contents["script"].replace("// ", "")
    for tag, attributes in page.starts:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        addresses = {attributes[name] for name in ("src", "href") if name in attributes}
        assert addresses <= {"a.wav", "data:,"}, tag


def test_script_and_style_take_at_most_15_kb():
    page = elements()
    assert len((page.contents["script"] + page.contents["style"]).encode()) <= 15_000


@pytest.mark.parametrize(
    ("language", "word", "tag"),
    [
        ("sr", "đače", "sr-Latn"),
        ("sr", "ђаче", "sr-Cyrl"),
        ("bs", "2,", "bs-Latn"),
        ("hr", "đače", "hr"),
        ("hr", "ђаче", "hr-Cyrl"),
        ("en", "pupil", "en"),
    ],
)
def test_the_language_of_the_page_contains_the_script(language, word, tag):
    text = aligned((word, 0, 1), language=language)
    assert language_tag(text) == tag
    assert elements(text).only("html") == {"lang": tag}


def test_both_scripts_are_in_the_data():
    text = aligned(("Đače,", 0, 1), ("dan", 1, 2))
    page = elements(text, other_script=with_texts(text, to_cyrillic))
    data = json.loads(page.contents["data"])
    assert [word["texts"] for word in data["lines"][0]] == [["Đače,", "Ђаче,"], ["dan", "дан"]]
    assert data["scripts"] == [
        {"language": "sr-Latn", "name": "Latin"},
        {"language": "sr-Cyrl", "name": "Cyrillic"},
    ]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([("а", 0, 1)], "'а'"),
        ([("а", 0, 1), ("б", 1, 2.5)], "'а б'"),
        ([("а", 0, 1), ("б", 1, 2), ("в", 2, 3)], "'а б в'"),
    ],
)
def test_another_script_with_other_words_or_times_is_refused(words, shown):
    message = f"line 1 of the other script is {shown}, whose words or times differ from 'a b'"
    with pytest.raises(UserError, match=message):
        karaoke_html(aligned(("a", 0, 1), ("b", 1, 2)), "Title", AUDIO, aligned(*words))


def test_another_script_with_fewer_lines_is_refused():
    text = long_text()
    cyrillic = with_texts(text, to_cyrillic)
    other = AlignedText("sr", text.duration_s, cyrillic.lines[:-1])
    count = len(text.lines)
    message = f"the text has {count} lines and the other script {count - 1}; transliterate"
    with pytest.raises(UserError, match=message):
        karaoke_html(text, "Title", AUDIO, other)


def test_another_script_in_the_same_letters_is_refused():
    with pytest.raises(UserError, match="both versions of the text are in Latin letters; leave"):
        karaoke_html(long_text(), "Title", AUDIO, long_text())


def test_a_text_without_words_and_an_empty_title_are_refused():
    with pytest.raises(UserError, match="the text has no words to show; align"):
        karaoke_html(AlignedText("sr", 1.0, ()), "Title", AUDIO)
    with pytest.raises(UserError, match=r"the title ' \\n' is empty; name the recording"):
        karaoke_html(long_text(), " \n", AUDIO)


NAMES = ("a.wav", "š 100%#?&+.wav", "http:x.wav", "..a.wav", "'\"<b>.wav", "%41.wav", "\udcff.wav")


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_beside_the_page_has_its_name_as_url(tmp_path, name):
    recording = write_noise(tmp_path / "a.wav", 0.1).rename(tmp_path / name)
    audio = linked_audio(recording, tmp_path / "page.html")
    assert audio.url.isascii()
    url = urlsplit(urljoin("http://host/folder/page.html", audio.url))
    assert (url.netloc, url.query, url.fragment) == ("host", "", "")
    assert unquote(url.path, errors="surrogateescape") == f"/folder/{name}"
    assert elements(audio=audio).only("audio")["src"] == audio.url


def test_a_recording_in_another_folder_has_a_relative_url(tmp_path, monkeypatch):
    (tmp_path / "in put").mkdir()
    recording = write_noise(tmp_path / "in put" / "a.wav", 0.1)
    assert linked_audio(recording, tmp_path / "out" / "a.html").url == "../in%20put/a.wav"
    monkeypatch.chdir(tmp_path)
    relative = recording.relative_to(tmp_path)
    assert linked_audio(relative, tmp_path / "a.html").url == "in%20put/a.wav"


def test_an_embedded_recording_keeps_its_bytes(tmp_path):
    recording = write_noise(tmp_path / "a.wav", 0.5)
    out = tmp_path / "new" / "a.html"
    write_karaoke(long_text(), recording, out, embed=True, title="A")
    page = PageElements(out.read_text(encoding="utf-8"))
    head, _, content = page.only("audio")["src"].partition(",")
    assert head == "data:audio/wav;base64"
    assert base64.b64decode(content, validate=True) == recording.read_bytes()


def test_a_recording_above_20_mb_stays_beside_the_page(tmp_path):
    recording = write_noise(tmp_path / "a.wav", 0.1)
    with recording.open("r+b") as file:
        file.truncate(20_000_000)
    assert len(embedded_audio(recording).url) > 26_000_000
    with recording.open("r+b") as file:
        file.truncate(20_400_001)
    message = r"a\.wav: 20\.4 MB are more than the 20 MB .*; leave the recording beside the page"
    with pytest.raises(UserError, match=message):
        write_karaoke(long_text(), recording, tmp_path / "a.html", embed=True, title="A")
    assert not (tmp_path / "a.html").exists()
    write_karaoke(long_text(), recording, tmp_path / "a.html", embed=False, title="A")
    assert (tmp_path / "a.html").stat().st_size < 30_000


PLAYED = [
    ("WAV", "PCM_16", "audio/wav"),
    ("FLAC", "PCM_16", "audio/flac"),
    ("OGG", "VORBIS", "audio/ogg"),
    ("OGG", "OPUS", "audio/ogg"),
    ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
]


@pytest.mark.parametrize(("container", "subtype", "media_type"), PLAYED)
def test_formats_that_browsers_play_are_recognised(tmp_path, container, subtype, media_type):
    path = write_noise(tmp_path / "a.bin", 0.5, format=container, subtype=subtype)
    assert media_type_of(path) == media_type


HEADS = [
    (b"ID3\x04", "audio/mpeg"),
    (b"\xff\xe3\x18\xc4", "audio/mpeg"),
    (b"\xff\xf1\x50\x80", "audio/aac"),
    (b"\0\0\0\x1cftypM4A ", "audio/mp4"),
    (b"\x1aE\xdf\xa3", "audio/webm"),
]


@pytest.mark.parametrize(("head", "media_type"), HEADS)
def test_formats_are_recognised_by_their_first_bytes(tmp_path, head, media_type):
    (tmp_path / "a").write_bytes(head + bytes(100))
    assert media_type_of(tmp_path / "a") == media_type


@pytest.mark.parametrize("container", ["AIFF", "AU", "NIST", "CAF", "RF64", "W64"])
@pytest.mark.parametrize("embed", [False, True])
def test_formats_that_browsers_do_not_play_are_refused(tmp_path, container, embed):
    path = write_noise(tmp_path / "a.wav", 0.5, format=container)
    name = {"NIST": "SPHERE"}.get(container, container)
    message = rf"a\.wav: browsers do not play {name}; convert it to WAV, FLAC, Ogg,"
    with pytest.raises(UserError, match=message):
        write_karaoke(long_text(), path, tmp_path / "a.html", embed=embed, title="A")
    assert [path] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.wav: has no bytes, which browsers do not play"),
        (b"#EXTM3U", r"a\.wav: begins with 0x23455854, which browsers do not play"),
        (b"RIFX\0\0\0\0WAVE", r"a\.wav: browsers do not play RIFX"),
    ],
)
def test_files_that_are_not_recordings_are_refused(tmp_path, content, message):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UserError, match=message):
        media_type_of(tmp_path / "a.wav")


def test_a_missing_recording_is_one_sentence(tmp_path):
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(UserError, match=rf"{path}: no such file$"):
            write_karaoke(long_text(), path, tmp_path / "a.html", embed=True, title="A")


def test_a_page_never_replaces_its_recording_and_ends_in_html(tmp_path):
    recording = write_noise(tmp_path / "a.wav", 0.1).rename(tmp_path / "a.html")
    before = recording.read_bytes()
    with pytest.raises(UserError, match=r"a\.html: the page would replace the recording"):
        write_karaoke(long_text(), recording, recording, embed=True, title="A")
    with pytest.raises(UserError, match=r"a\.txt: .* has to end in \.html"):
        write_karaoke(long_text(), recording, tmp_path / "a.txt", embed=True, title="A")
    assert recording.read_bytes() == before


def test_the_installed_package_contains_the_page():
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["fonoteka.alignment"]
    folder = TOP / "fonoteka/alignment"
    files = {path for pattern in patterns for path in folder.glob(pattern)}
    assert {path.name for path in files} == {"page.css", "page.html", "page.js"}
