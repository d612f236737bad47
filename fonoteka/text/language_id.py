"""Language identification: Bosnian, Croatian, Serbian or English.

    identify_language("Djeca su u kazalištu").language        # hr, with a confidence near 0.98

Evidence is counted in bits: a word that occurs in one language and not in another is evidence for
the first. Confidence is a language's share of the sum of 2 ** bits. Bosnian, Croatian and Serbian
overlap to a large extent: a sentence of words that all three share gets a third each, and no method
can do better. Check `confidence` before you use the result.

Serbian Cyrillic counts as evidence for Serbian; Bosnian uses it too, but rarely in speech corpora.
Other Cyrillic text and text without letters do not count as evidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from fonoteka.phones import LANGUAGES
from fonoteka.text.transliteration import CYRILLIC, to_latin

_CYRILLIC_BITS = 5  # evidence for Serbian of a text in Serbian Cyrillic
_MAX_BITS = 40  # a larger difference in bits counts as this one: 2 ** -40 is certainty
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")

# Each line: languages, bits, and prefixes of words that are evidence for them; `=` marks a whole
# word. Source: the differences that grammars of the three standards list, and the most frequent
# function words of English compared with those of the others.
_EVIDENCE = """
en 4 =the =and =of =is =are =was =were =this =that =with =it =he =she =they =we =you =his =her
en 4 =have =has =had =not =what =which =would =there =their =from =been =will =can =my =your
en 3 =in =at =by =for =an =or =if =all =two =three =four =five =six =seven =eight =nine =zero
bs,hr,sr 4 =je =su =se =u =na =da =ne =sam =smo =ste =ili =ali =za =kao =koji =koja =koje =od
bs,hr,sr 3 =bi =će =ću =ćemo =iz =sa =po =što =sve =ja =ti =mi =vi =nije =bio =bila =samo =već
bs,hr,sr 2 =tu =dva =tri =pet =šest =sedam =osam =devet =deset =nula =jedan =četiri

sr 5 =gde =ovde =negde =nigde =svugde =posle =pre =uvek =lepo =lep =lepa =lepe =dete =deca =dece
sr 5 =deci =beo =bela =belo =beli =bele =svet =sveta =svetu svetsk =reč =reči =rečju =reka =reke
sr 5 =reku =hteo =hteti =hteo =videti =videla =videli =sedeo =sedi =mesto =mesta =mestu =dve =obe
sr 5 =vek =veka =veku =lek =ceo =cela =celo =celi =cele =telo =tela =takođe =ume =evro =evra
sr 5 mlek vremen vreme čovek devojk devojč mesec nedelj sneg zvezd potreb razume sreć primer cvet
sr 5 cveć vetar vetr pesm pevač peva pesnik lekar zamen promen smeh smej sused sledeć poved
sr 5 opštin sopstven istorij šargarep avgust hleb =niko =svako

bs,hr 5 =gdje =ovdje =negdje =nigdje =svugdje =poslije =prije =uvijek =htio =htjeti =dvije =obje
bs,hr 5 =vijek =vijeka =lijek =cijeli =cijela =cijelo =živjeti lijep dijete djec mlijek bijel
bs,hr 5 vrijem čovjek djevojk djevojč svijet mjesec snijeg zvijezd riječ rijek razumij vidje vidio
bs,hr 5 sjed mjest primje uspje cvijet cvijeć vjetar vjetr pjesm pjev pjesn ljekar zamije zamjen
bs,hr 5 promije promjen tijel vjer mjer smije mijenj sljede korijen dijel vijest djel ljet nedjelj
bs,hr 4 općin zrak grah mrkv susjed =također =uopće =euro =eura

hr 6 tisuć tjed kolodvor kruh vlak kazališ glazb sveučili zemljopis povijes obitelj milijun
hr 5 =tko =netko =nitko =svatko uvjet točk točn žlic juh nogomet siječanj siječnj veljač ožuj
hr 5 travnj svibnj svibanj lipanj lipnj srpanj srpnj kolovoz rujan rujn listopad studen prosin
hr 5 zrakoplov tvornic tiskov rajčic liječn časopis kemij vojsk stubišt ljekarn vlastit skladatelj
hr 4 =kat =kata =katu nazočn računal stupanj stupnj =unatoč =glede

bs 6 historij kahv lahk mehk polahk sahat hefta halal merak rahatl =sabah akšam =babo =nana =nani
bs 5 hljeb sedmic =august =augusta mahal ćilim
bs 3 avlij ćevap čaršij pendžer komšiluk begov
bs,sr 4 hiljad milion fabrik porodic univerzitet muzik pozorišt fudbal uslov vazduh hemij
bs,sr 3 tačk tačn januar februar septemb oktob novemb decemb kašik =ko =neko =šta =kafa =kafu
bs,sr 3 =mart =maj =maja =supa =supu =supe =voz =voza =vozu =vozom saobraćaj sijalic sveštenik
"""
# Beyond words: after modal verbs Serbian prefers da with the present, Croatian and Bosnian the
# infinitive; and letter pairs that only one side writes.
_PATTERNS = tuple(
    (re.compile(pattern), languages.split(","), bits)
    for pattern, languages, bits in (
        (r"\b(?:želi|može|mora|hoće|neće|će|ćemo|ću) (?:\w+ )?\w{2,}(?:ti|ći)\b", "bs,hr", 3),
        (r"\b(?:želi|može|mora|hoće|hoću|neće|treba|će|ćemo|ću) (?:\w+ )?da \w", "sr", 4),
        (r"th|sh|ck|ee|oo|wh|gh|ing\b|ed\b", "en", 2),
        (r"lj|nj|dž|ij", "bs,hr,sr", 2),
    )
)


@dataclass(frozen=True)
class LanguageGuess:
    """The most likely language of a text.

    Attributes:
        language: the most likely one; ties are resolved by name.
        confidence: its share, 0.25 to 1, rounded to two decimals.
        script: latin, cyrillic, mixed, or none if the text has no letter.
    """

    language: str
    confidence: float
    script: str


def _table(source: str) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Return whole words and prefixes with their bits per language."""
    whole: dict[str, dict[str, int]] = {}
    prefixes: dict[str, dict[str, int]] = {}
    for line in filter(None, source.split("\n")):
        languages, bits, *entries = line.split()
        for entry in entries:
            table, word = (whole, entry[1:]) if entry[0] == "=" else (prefixes, entry)
            word_bits = table.setdefault(word, {})
            for language in languages.split(","):
                word_bits[language] = max(int(bits), word_bits.get(language, 0))
    return whole, prefixes


_WHOLE, _PREFIXES = _table(_EVIDENCE)
_LONGEST = max(map(len, _PREFIXES))


def identify_language(text: str) -> LanguageGuess:
    """Return the most likely language of a text with its confidence.

    >>> [identify_language(text).language for text in ("Где је млеко?", "Where is the milk?")]
    ['sr', 'en']
    >>> identify_language("Ana ima psa.").confidence < 0.5
    True
    """
    letters = [character for character in text if character.isalpha()]
    cyrillic = sum("Ѐ" <= character <= "ӿ" for character in letters)
    script = "none" if not letters else "cyrillic" if cyrillic == len(letters) else "mixed"
    script = "latin" if letters and not cyrillic else script
    bits = dict.fromkeys(LANGUAGES, 0)
    if 2 * cyrillic > len(letters) and CYRILLIC.issuperset(c for c in letters if c >= "Ѐ"):
        bits["sr"] += _CYRILLIC_BITS
    latin = to_latin(text)
    if re.search(r"\bi\b", latin):  # `and`; the English pronoun is a capital
        bits |= {name: bits[name] + 2 for name in ("bs", "hr", "sr")}
    for pattern, languages, weight in _PATTERNS:
        if pattern.search(latin.lower()):
            bits |= {name: bits[name] + weight for name in languages}
    for word in _WORD.findall(latin.lower()):
        for language, weight in _word_bits(word).items():
            bits[language] += weight
    return _most_likely(bits, script)


def _word_bits(word: str) -> dict[str, int]:
    """Return the bits of a word per language: as a whole word, by its prefix, by its letters."""
    bits = dict(_WHOLE.get(word, {}))
    for length in range(min(len(word), _LONGEST), 1, -1):
        if word[:length] in _PREFIXES:
            for language, weight in _PREFIXES[word[:length]].items():
                bits[language] = max(weight, bits.get(language, 0))
            break
    if not set("čćđšž").isdisjoint(word):
        for language in ("bs", "hr", "sr"):
            bits[language] = bits.get(language, 0) + 4
    if not set("qwxy'").isdisjoint(word):
        bits["en"] = bits.get("en", 0) + 3
    return bits


def _most_likely(bits: dict[str, int], script: str) -> LanguageGuess:
    """Return the language with the largest share; exact fractions, so equal on every machine."""
    max_bits = max(bits.values())
    weights = {
        name: Fraction(1, 2 ** min(max_bits - bits[name], _MAX_BITS)) for name in sorted(bits)
    }
    best = max(weights, key=lambda name: weights[name])
    confidence = weights[best] / sum(weights.values())
    return LanguageGuess(best, float(round(confidence, 2)), script)
