"""A clip's text is paired with what was decoded for it."""

from __future__ import annotations

import pytest
from corpus_maker import utterance

from fonoteka.whisper.decode import Recognised
from fonoteka.whisper.word_pairs import word_pairs
from fonoteka.whisper.word_scores import WordPair


def test_each_pair_has_the_texts_and_the_loops_of_its_clip():
    clips = [utterance("mine/ana", 0, "sr", text="Да"), utterance("mine/iva", 1, "en", text="the")]
    results = [Recognised("da", -0.1, True, False), Recognised("a a a", -0.2, False, True)]
    assert word_pairs(clips, results) == [
        WordPair("Да", "da", "sr", "mine/ana", redone=True, loops=False),
        WordPair("the", "a a a", "en", "mine/iva", redone=False, loops=True),
    ]
    with pytest.raises(ValueError, match="zip"):
        word_pairs(clips, results[:1])
