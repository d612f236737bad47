"""Pages are of clips whose licence allows it, and the index counts the others by reason."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import soundfile
import yaml
from clip_maker import save_clips
from corpus_maker import utterance
from spoken_words import spoken

from fonoteka import manifest
from fonoteka.corpus.clip_terms import ClipTerms
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS
from fonoteka.g2p.g2p import phones_of
from fonoteka.shards import write_arrays
from fonoteka.tables import table_line
from stages.alignment import karaoke as stage
from stages.alignment.karaoke import KaraokeParams, allowed, drawn

PARAMS = KaraokeParams(
    clips_per_language=2, least_words=2, seed=1, licences=("CC0*", "synthetic: * espeak-ng")
)
TEXT = "dobar dan"


def clip(key, language="sr", text=TEXT, **more):
    return utterance(
        "m/ana", id=key, language=language, text=text, normalized=text,
        phones=tuple(phones_of(text, language)), **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("licence", "is_allowed"),
    [("cc0 1.0", True), ("synthetic: spoken by espeak-ng", True), ("CC BY-NC 4.0", False),
     ("not CC0", False), ("", False)],
)  # fmt: skip
def test_a_licence_is_allowed_if_a_pattern_matches_all_of_it(licence, is_allowed):
    assert allowed(licence, PARAMS) == is_allowed


def test_each_clip_is_drawn_or_counted_with_its_reason():
    clips = [clip(f"s{n}") for n in range(4)] + [clip("h", "hr"), clip("short", text="dan")]
    clips += [clip("closed0"), clip("closed1")]
    terms = {u.id: ClipTerms("CC BY-NC" if u.id.startswith("closed") else "CC0") for u in clips}
    chosen, left_out = drawn(clips, terms, PARAMS)
    assert [u.language for u in chosen] == ["hr", "sr", "sr"]
    assert left_out == {"licence: CC BY-NC": 2, "too few words": 1, "not drawn": 2}
    assert len(chosen) + left_out.total() == len(clips)


def test_the_draw_does_not_depend_on_the_order_of_the_clips():
    clips = [clip(f"s{n}") for n in range(6)]
    terms = {u.id: ClipTerms("CC0") for u in clips}
    assert drawn(clips, terms, PARAMS) == drawn(clips[::-1], terms, PARAMS)
    other = drawn(clips, terms, replace(PARAMS, seed=3))
    assert other[0] != drawn(clips, terms, PARAMS)[0]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two clips that may be shown, one of them silent, and one that may not."""
    monkeypatch.chdir(tmp_path)
    signal, log_probs = spoken(TEXT.split())
    signals = {"open": signal, "silent": np.zeros_like(signal), "closed": signal}
    places = {u.id: u.audio for u in save_clips(tmp_path / "audio", signals)}
    write_arrays(tmp_path, dict.fromkeys(signals, log_probs), 1)
    manifest.write(tmp_path / "test.jsonl", [clip(k, audio=places[k]) for k in signals])
    lines = [table_line(ACCEPTED_COLUMNS)]
    for key in signals:
        values = {"id": key, "licence": "secret" if key == "closed" else "CC0", "source": "<a> & b"}
        lines.append(table_line([values.get(column, "") for column in ACCEPTED_COLUMNS]))
    (tmp_path / "accepted.csv").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"karaoke": asdict(PARAMS) | {
        "licences": list(PARAMS.licences)}}))  # fmt: skip
    return tmp_path


def test_the_pages_play_beside_their_recordings_and_the_index_states_the_terms(
    project, monkeypatch, capsys
):
    for out in ("1", "2"):
        monkeypatch.setattr(sys, "argv", f"karaoke test.jsonl accepted.csv audio . {out}".split())
        stage.main()
    files = {path.name: path.read_bytes() for path in (project / "1").iterdir()}
    assert set(files) == {"index.html", "sr-1.html", "sr-1.flac"}
    assert files == {path.name: path.read_bytes() for path in (project / "2").iterdir()}
    page, index = (files[name].decode() for name in ("sr-1.html", "index.html"))
    assert 'src="sr-1.flac"' in page
    assert "добар" in page
    assert "Licence: CC0. Source: &lt;a&gt; &amp; b." in index
    assert "<li>licence: secret: 1</li>" in index
    assert "<li>no times: 1</li>" in index  # the silent one
    assert "ana" not in index + page.partition('id="data"')[2]
    samples, rate_hz = soundfile.read(project / "1" / "sr-1.flac")
    assert (len(samples), rate_hz) == (len(spoken(TEXT.split())[0]), 16_000)
    assert "karaoke: 1 pages" in capsys.readouterr().out


def test_without_an_allowed_clip_the_index_says_so(project, monkeypatch):
    params = {"karaoke": asdict(PARAMS) | {"licences": []}}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setattr(sys, "argv", ["karaoke", "test.jsonl", "accepted.csv", "audio", ".", "out"])
    stage.main()
    assert [path.name for path in (project / "out").iterdir()] == ["index.html"]
    assert "No page: all clips were left out." in (project / "out/index.html").read_text()
