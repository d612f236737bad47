"""Guess whether a text is Bosnian, Croatian, Serbian or English.

    language, confidence = guess("Djeca su u kazalištu")        # hr, 0.98 or so

Evidence is counted in bits: a word that one language has and another hasn't speaks for the first.
Confidence is a language's share of 2 to the power of the evidence for each. Bosnian, Croatian and
Serbian are one language to a large extent: a sentence of words that all three share gets a third
each, and no method could do better. Ask `confidence` before you believe it.

Cyrillic of the Serbian alphabet is taken for Serbian; Bosnian has it too, but hardly in speech
corpora. Other Cyrillic, and text without letters, is no evidence at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from fonoteka.phones import LANGUAGES
from fonoteka.text.transliteration import CYRILLIC, to_latin

_CYRILLIC_BITS = 5  # for Serbian, of a text in Serbian Cyrillic
_MOST = 40  # bits that count; above all is certain
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")

# Each line: the languages that the words speak for, bits, and beginnings of words; `=` is a whole
# word. Source: the differences that grammars of the three standards list, and the most frequent
# function words of English against those of the others.
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
# Beyond words: after `can`, `must` and the like, Serbian has da and the present, Croatian the
# infinitive and Bosnian rather that; and pairs of letters that only one side writes.
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
class Guess:
    """Which language a text may be in.

    Attributes:
        language: the likeliest; of equal ones the first by name.
        confidence: its share, 0.25 to 1, rounded to two decimals.
        script: latin, cyrillic, mixed, or none where the text has no letter.
    """

    language: str
    confidence: float
    script: str


def _table(source: str) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Return whole words and beginnings with the bits they give each language."""
    whole: dict[str, dict[str, int]] = {}
    begins: dict[str, dict[str, int]] = {}
    for line in filter(None, source.split("\n")):
        languages, bits, *entries = line.split()
        for entry in entries:
            table, word = (whole, entry[1:]) if entry[0] == "=" else (begins, entry)
            given = table.setdefault(word, {})
            for language in languages.split(","):
                given[language] = max(int(bits), given.get(language, 0))
    return whole, begins


_WHOLE, _BEGINS = _table(_EVIDENCE)
_LONGEST = max(map(len, _BEGINS))


def guess(text: str) -> Guess:
    """Return the likeliest language of a text and how sure that is.

    >>> guess("Где је млеко?").language, guess("Where is the milk?").language
    ('sr', 'en')
    >>> guess("Ana ima psa.").confidence < 0.5
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
    for pattern, languages, worth in _PATTERNS:
        if pattern.search(latin.lower()):
            bits |= {name: bits[name] + worth for name in languages}
    for word in _WORD.findall(latin.lower()):
        for language, worth in _bits_of(word).items():
            bits[language] += worth
    return _share(bits, script)


def _bits_of(word: str) -> dict[str, int]:
    """Return what a word says for each language: as a whole, by its beginning, by its letters."""
    found = dict(_WHOLE.get(word, {}))
    for length in range(min(len(word), _LONGEST), 1, -1):
        if word[:length] in _BEGINS:
            for language, worth in _BEGINS[word[:length]].items():
                found[language] = max(worth, found.get(language, 0))
            break
    if not set("čćđšž").isdisjoint(word):
        for language in ("bs", "hr", "sr"):
            found[language] = found.get(language, 0) + 4
    if not set("qwxy'").isdisjoint(word):
        found["en"] = found.get("en", 0) + 3
    return found


def _share(bits: dict[str, int], script: str) -> Guess:
    """Turn bits into shares; exact, so that no machine rounds otherwise."""
    most = max(bits.values())
    weights = {name: Fraction(1, 2 ** min(most - bits[name], _MOST)) for name in sorted(bits)}
    best = max(weights, key=lambda name: weights[name])
    confidence = weights[best] / sum(weights.values())
    return Guess(best, float(round(confidence, 2)), script)
