"""Recordings with confident texts become a corpus whose clips state their origin."""

from __future__ import annotations

from math import log
from types import SimpleNamespace

import pytest
import soundfile
from clip_maker import noise

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.corpus.corpus import Card, read_card, read_clips
from fonoteka.pseudo_labels import Verdict
from fonoteka.self_training import whisper_corpus
from fonoteka.self_training.whisper_corpus import PathColumns, run
from fonoteka.tables import read_table

pytestmark = pytest.mark.torch  # imports of Whisper take 8 CPU seconds
CARD = Card("radio", "CC0", "a radio", False)
WORDS = ["one", "two", "three", "four"]


def folder(root, speaker, texts):
    """Write one clip per text, and a table with texts if the speaker is `known`."""
    (root / "audio").mkdir(parents=True)
    columns = "path,speaker" + (",text" if speaker == "known" else "")
    lines = [columns]
    for number, text in enumerate(texts):
        soundfile.write(root / f"audio/{number}.wav", 0.1 * noise(0.2, number), 16_000)
        cells = [f"audio/{number}.wav", speaker, *([text] if speaker == "known" else [])]
        lines.append(",".join(cells))
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return a call of `run` on two folders; the model writes `texts` with these scores."""
    labelled = folder(tmp_path / "known", "known", [WORDS[n % 4] for n in range(24)])
    new = folder(tmp_path / "new", "ana", ["-"] * 4)
    # Right above 0.5, wrong below; the last new recording has no usable text.
    texts = {labelled: [(WORDS[n % 4] if n >= 8 else "wrong", 0.3 + n / 40) for n in range(24)]}
    texts[new] = [("one", 0.95), ("Two!", 0.7), ("three", 0.2), ("", 0.9)]

    def verdicts(whisper, paths, language, min_log_prob):
        for path, (text, score) in zip(paths, texts[paths[0].parents[1]], strict=True):
            assert path.is_file()
            yield Verdict(text, log(score), "" if text else "no text")

    def load(model):
        rules = SimpleNamespace(prompt=lambda language: ())
        return SimpleNamespace(model=SimpleNamespace(rules=rules), short=True)

    monkeypatch.setattr(whisper_corpus, "verdicts", verdicts)
    monkeypatch.setattr(whisper_corpus, "open_model_folder", load)

    def call(out="radio", precision=0.95):
        run(new, labelled, tmp_path / out, tmp_path / "whisper_base", "en", CARD, precision,
            PathColumns())  # fmt: skip
        return tmp_path / out

    return call


def test_confident_texts_become_clips_that_state_origin_and_confidence(build):
    corpus = build()
    card = read_card(corpus)
    assert (card.licence, card.source) == ("CC0", "pseudo: a radio")
    clips = read_clips(corpus)
    assert [(clip.text, clip.speaker) for clip in clips] == [("one", "ana"), ("Two!", "ana")]
    rows = read_table(corpus / "metadata.csv", ("source", "confidence", "licence"))
    for row in rows:
        assert row["source"].startswith("pseudo: text by whisper_base, confidence 0.9")
        assert row["source"].endswith("; a radio")
        assert 0.9 < float(row["confidence"]) < 1
        assert row["licence"] == "CC0"


def test_a_harvested_corpus_can_be_labelled_and_keeps_its_sessions(build, tmp_path):
    table = tmp_path / "new/labels.csv"
    header, *lines = table.read_text(encoding="utf-8").splitlines()
    rows = [f"{line},,s{number}" for number, line in enumerate(lines)]
    table.write_text("\n".join([f"{header},text,session", *rows]) + "\n", encoding="utf-8")
    assert [clip.session for clip in read_clips(build())] == ["s0", "s1"]


def test_a_recording_that_has_a_text_already_is_refused(build, tmp_path):
    table = tmp_path / "new/labels.csv"
    header, *lines = table.read_text(encoding="utf-8").splitlines()
    rows = [f"{line},{text}" for line, text in zip(lines, ["", "one", "", ""], strict=True)]
    table.write_text("\n".join([f"{header},text", *rows]) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"1 of 4 recordings have a text, .* audio/1\.wav; give"):
        build()
    assert not (tmp_path / "radio").exists()


def test_each_recording_that_is_left_out_has_its_reason(build):
    corpus = build()
    rows = read_table(corpus / "left_out.txt", ("path", "reason"))
    assert [row["reason"] for row in rows] == [
        "score 0.200 is below the threshold 0.500", "no text",
    ]  # fmt: skip
    report = read_json(corpus / "report.json")
    assert (report["kept"], report["left_out"]) == (2, 2)
    assert report["threshold"]["valid_kept"] == 16
    assert report["threshold"]["valid_precision"] == 1.0


def test_a_corpus_that_exists_is_not_written_again(build):
    build()
    with pytest.raises(UserError, match="exists already"):
        build()
    with pytest.raises(UserError, match="letters, digits"):
        build("a#b")


def test_a_speaker_in_both_folders_is_refused(build, tmp_path):
    table = tmp_path / "known/labels.csv"
    table.write_text(table.read_text().replace(",known,", ",ana,"))
    with pytest.raises(UserError, match="speaker 'ana' is in"):
        build()


def test_texts_without_canonical_form_are_not_equal():
    assert not whisper_corpus.same_text("жаба", "жаба", "en")
