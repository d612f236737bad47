"""Units and currencies after a number, in the form that the number asks for.

    1 km jedan kilometar, 2 km dva kilometra, 5 km pet kilometara, 2,5 km dva zarez pet kilometara

The noun follows the number said last, as it does in speech.
"""

from __future__ import annotations

import re

from stages.common.numerals import Forms, Gender, agree, decimal, whole
from stages.common.rules import Rule, apart, rule

Unit = tuple[Gender, Forms]

_EVERYWHERE = """
km    m kilometar kilometra kilometara
m     m metar metra metara
dm    m decimetar decimetra decimetara
cm    m centimetar centimetra centimetara
mm    m milimetar milimetra milimetara
kg    m kilogram kilograma kilograma
dag   m dekagram dekagrama dekagrama
dkg   m dekagram dekagrama dekagrama
g     m gram grama grama
mg    m miligram miligrama miligrama
t     f tona tone tona
hl    m hektolitar hektolitra hektolitara
dl    m decilitar decilitra decilitara
cl    m centilitar centilitra centilitara
ml    m mililitar mililitra mililitara
ha    m hektar hektara hektara
h     m sat sata sati
s     f sekunda sekunde sekundi
sek.  f sekunda sekunde sekundi
ms    f milisekunda milisekunde milisekundi
god.  f godina godine godina
km/h  m kilometar_na_sat kilometra_na_sat kilometara_na_sat
m/s   m metar_u_sekundi metra_u_sekundi metara_u_sekundi
km²   m kvadratni_kilometar kvadratna_kilometra kvadratnih_kilometara
m²    m kvadratni_metar kvadratna_metra kvadratnih_metara
cm²   m kvadratni_centimetar kvadratna_centimetra kvadratnih_centimetara
m³    m kubni_metar kubna_metra kubnih_metara
cm³   m kubni_centimetar kubna_centimetra kubnih_centimetara
W     m vat vata vata
kW    m kilovat kilovata kilovata
MW    m megavat megavata megavata
kWh   m kilovatsat kilovatsata kilovatsati
V     m volt volta volti
kV    m kilovolt kilovolta kilovolti
Hz    m herc herca herca
kHz   m kiloherc kiloherca kiloherca
MHz   m megaherc megaherca megaherca
GHz   m gigaherc gigaherca gigaherca
KB    m kilobajt kilobajta kilobajta
MB    m megabajt megabajta megabajta
GB    m gigabajt gigabajta gigabajta
TB    m terabajt terabajta terabajta
‰     m promil promila promila
$     m dolar dolara dolara
£     f funta funte funti
KM    f konvertibilna_marka konvertibilne_marke konvertibilnih_maraka
kn    f kuna kune kuna
RSD   m dinar dinara dinara
din.  m dinar dinara dinara
mlrd. f milijarda milijarde milijardi
"""
_BY_LANGUAGE = {
    "bs": """
l     m litar litra litara
min.  f minuta minute minuta
°     m stepen stepena stepeni
°C    m stepen_Celzijusa stepena_Celzijusa stepeni_Celzijusa
%     m posto posto posto
€     m euro eura eura
CHF   m švicarski_franak švicarska_franka švicarskih_franaka
mil.  m milion miliona miliona
""",
    "hr": """
l     f litra litre litara
min.  f minuta minute minuta
°     m stupanj stupnja stupnjeva
°C    m stupanj_Celzija stupnja_Celzija stupnjeva_Celzija
%     m posto posto posto
€     m euro eura eura
CHF   m švicarski_franak švicarska_franka švicarskih_franaka
mil.  m milijun milijuna milijuna
""",
    "sr": """
l     m litar litra litara
min.  m minut minuta minuta
°     m stepen stepena stepeni
°C    m stepen_Celzijusa stepena_Celzijusa stepeni_Celzijusa
%     m odsto odsto odsto
€     m evro evra evra
CHF   m švajcarski_franak švajcarska_franka švajcarskih_franaka
mil.  m milion miliona miliona
""",
}
_OTHER_NAMES = {
    "EUR": "€", "USD": "$", "GBP": "£", "BAM": "KM", "HRK": "kn", "lit.": "l", "m2": "m²",
    "km2": "km²", "cm2": "cm²", "m3": "m³", "cm3": "cm³", "Kg": "kg", "Km": "km", "L": "l",
    "mio.": "mil.", "mrd.": "mlrd.",
}  # fmt: skip
_FRACTIONS = {
    "½": ("pola", "i po"), "¼": ("četvrtina", "i četvrt"), "¾": ("tri četvrtine", "i tri četvrt")
}  # fmt: skip
_SIGNS = "€$£"
_MONEY = "(?:€|\\$|£|EUR|USD|KM|BAM|RSD|CHF|kn|din)"


def _units() -> dict[str, dict[str, Unit]]:
    """Return for each language its units by their symbols, without the dots of abbreviations."""
    found: dict[str, dict[str, Unit]] = {}
    for language, more in _BY_LANGUAGE.items():
        table: dict[str, Unit] = {}
        for line in filter(None, (_EVERYWHERE + more).split("\n")):
            symbol, gender, one, few, many = line.split()
            forms = (one.replace("_", " "), few.replace("_", " "), many.replace("_", " "))
            table[symbol.rstrip(".")] = ("f" if gender == "f" else "m", forms)
        table |= {name.rstrip("."): table[of.rstrip(".")] for name, of in _OTHER_NAMES.items()}
        found[language] = table
    return found


UNITS = _units()
_SYMBOLS = "|".join(sorted(map(re.escape, UNITS["hr"]), key=len, reverse=True))
_WORD_FOLLOWS = re.compile(r"\s+[a-zčćđšž]")
NUMBER = r"\d+(?:,\d+)?"


def spoken(number: str, language: str, gender: Gender = "m") -> tuple[str, int]:
    """Return a number in words, and the number that a noun after it follows.

    >>> spoken("2,5", "hr"), spoken("22", "sr", "f")
    (('dva zarez pet', 5), ('dvadeset dve', 22))
    """
    before, comma, after = number.partition(",")
    if comma:
        last = int(after) if len(after) <= 3 else int(after[-1])
        return decimal(before, after, language, gender), last
    return whole(before, language, gender), int(before[-2:])


def with_unit(number: str, symbol: str, language: str) -> str:
    """Return a number and its unit in words.

    >>> with_unit("2", "KM", "bs"), with_unit("21", "°C", "hr")
    ('dvije konvertibilne marke', 'dvadeset jedan stupanj Celzija')
    """
    gender, forms = UNITS[language][symbol]
    words, last = spoken(number, language, gender)
    return f"{words} {agree(last, forms)}"


def _amount(match: re.Match[str], language: str) -> str | None:
    """Say a number with its unit; `5 s autobusom` is no five seconds."""
    if match["unit"] == "s" and _WORD_FOLLOWS.match(match.string, match.end()):
        return None
    words = with_unit(match["number"], match["unit"], language)
    if match["money"]:  # 5 mil. KM: five million marks
        words += " " + UNITS[language][match["money"]][1][2]
    minus = "minus " if match["minus"] else ""
    return apart(match, minus + words)


def _part(match: re.Match[str], language: str) -> str:
    """Say a half, a quarter or three, with the unit in the genitive singular."""
    alone, joined = _FRACTIONS[match["part"]]
    said = f"{whole(match['number'], language)} {joined}" if match["number"] else alone
    if match["part"] == "½" and match["number"] and language == "hr":
        said += "l"  # dva i pol
    unit = f" {UNITS[language][match['unit']][1][1]}" if match["unit"] else ""
    return apart(match, said + unit)


AMOUNTS: tuple[Rule, ...] = (
    rule(
        "currency first",
        rf"([{_SIGNS}])\s?({NUMBER})",
        lambda match, _: f"{match[2]} {match[1]}",
        _SIGNS,
        [("hr", "$5, €2,50", "5 $, 2,50 €")],
    ),
    rule(
        "fractions",
        rf"(?P<number>\d*)\s?(?P<part>[{''.join(_FRACTIONS)}])"
        rf"(?:\s?(?P<unit>{_SYMBOLS})(?![^\W_]))?",
        _part,
        _FRACTIONS,
        [
            ("hr", "½ kg i 2½", "pola kilograma i dva i pol"),
            ("sr", "2 ½ l i ¾", "dva i po litra i tri četvrtine"),
        ],
    ),
    rule(
        "units",
        rf"(?P<minus>(?<![^\s(\"])-)?(?<![\d.,])(?P<number>{NUMBER})\s?(?P<unit>{_SYMBOLS})"
        rf"(?![^\W_])(?:(?<=mil|lrd|mio|mrd)\.?\s?(?P<money>{_MONEY})(?![^\W_]))?\.?",
        _amount,
        "0123456789",
        [
            ("hr", "1 km, 2 km, 5 km", "jedan kilometar, dva kilometra, pet kilometara"),
            ("hr", "21 t", "dvadeset jedna tona"),
            ("sr", "2,5 l", "dva zarez pet litara"),
            ("bs", "2 KM i 5 KM", "dvije konvertibilne marke i pet konvertibilnih maraka"),
            ("sr", "1000 RSD, 21 din.", "hiljadu dinara, dvadeset jedan dinar"),
            ("hr", "2 kn, 5 €", "dvije kune, pet eura"),
            ("sr", "5 €, 1 EUR", "pet evra, jedan evro"),
            ("hr", "50 %", "pedeset posto"),
            ("sr", "50%", "pedeset odsto"),
            ("hr", "-3 °C", "minus tri stupnja Celzija"),
            ("bs", "25°C", "dvadeset pet stepeni Celzijusa"),
            ("hr", "80 km/h, 3 m/s", "osamdeset kilometara na sat, tri metra u sekundi"),
            ("bs", "60 m² i 2 m3", "šezdeset kvadratnih metara i dva kubna metra"),
            ("sr", "5 min. i 3 h", "pet minuta i tri sata"),
            ("bs", "5 mil. KM", "pet miliona konvertibilnih maraka"),
            ("hr", "ide ih 5 s njim", "ide ih 5 s njim"),
        ],
    ),
)
"""Numbers with a unit; thousands have no dots any more when these rules look."""
