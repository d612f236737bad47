"""Names of units and currencies in Bosnian, Croatian and Serbian, by symbol.

Each has its gender and its forms after 1, after 2 to 4 and from 5.
"""

from __future__ import annotations

from fonoteka.text.numerals import Forms, Gender

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
µg    m mikrogram mikrograma mikrograma
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
kom.  m komad komada komada
km/h  m kilometar_na_sat kilometra_na_sat kilometara_na_sat
m/s²  m metar_u_sekundi_na_kvadrat metra_u_sekundi_na_kvadrat metara_u_sekundi_na_kvadrat
km²   m kvadratni_kilometar kvadratna_kilometra kvadratnih_kilometara
m²    m kvadratni_metar kvadratna_metra kvadratnih_metara
cm²   m kvadratni_centimetar kvadratna_centimetra kvadratnih_centimetara
m³    m kubni_metar kubna_metra kubnih_metara
cm³   m kubni_centimetar kubna_centimetra kubnih_centimetara
W     m vat vata vata
kW    m kilovat kilovata kilovata
MW    m megavat megavata megavata
GW    m gigavat gigavata gigavata
Wh    m vatsat vatsata vatsati
kWh   m kilovatsat kilovatsata kilovatsati
MWh   m megavatsat megavatsata megavatsati
GWh   m gigavatsat gigavatsata gigavatsati
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
dB    m decibel decibela decibela
kcal  f kilokalorija kilokalorije kilokalorija
kJ    m kilodžul kilodžula kilodžula
hPa   m hektopaskal hektopaskala hektopaskala
KS    f konjska_snaga konjske_snage konjskih_snaga
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
mj    m mjesec mjeseca mjeseci
°     m stepen stepena stepeni
°C    m stepen_Celzijusa stepena_Celzijusa stepeni_Celzijusa
%     m posto posto posto
€     m euro eura eura
CHF   m švicarski_franak švicarska_franka švicarskih_franaka
mil.  m milion miliona miliona
hilj. f hiljada hiljade hiljada
""",
    "hr": """
l     f litra litre litara
min.  f minuta minute minuta
mj    m mjesec mjeseca mjeseci
°     m stupanj stupnja stupnjeva
°C    m stupanj_Celzija stupnja_Celzija stupnjeva_Celzija
%     m posto posto posto
€     m euro eura eura
CHF   m švicarski_franak švicarska_franka švicarskih_franaka
mil.  m milijun milijuna milijuna
hilj. f tisuća tisuće tisuća
""",
    "sr": """
l     m litar litra litara
min.  m minut minuta minuta
mj    m mesec meseca meseci
°     m stepen stepena stepeni
°C    m stepen_Celzijusa stepena_Celzijusa stepeni_Celzijusa
%     m odsto odsto odsto
€     m evro evra evra
CHF   m švajcarski_franak švajcarska_franka švajcarskih_franaka
mil.  m milion miliona miliona
hilj. f hiljada hiljade hiljada
""",
}
_OTHER_NAMES = {
    "EUR": "€", "USD": "$", "GBP": "£", "BAM": "KM", "HRK": "kn", "lit.": "l", "m2": "m²",
    "km2": "km²", "cm2": "cm²", "m3": "m³", "cm3": "cm³", "Kg": "kg", "Km": "km", "L": "l",
    "mio.": "mil.", "mrd.": "mlrd.", "tis.": "hilj.", "km/č": "km/h", "č": "h",
    "m/s2": "m/s²", "μg": "µg", "mjes.": "mj", "mes.": "mj",
}  # fmt: skip
MONEY = frozenset(
    ("€", "$", "£", "EUR", "USD", "GBP", "KM", "BAM", "HRK", "kn", "RSD", "din", "CHF")
)
# Words that may follow `/` instead of a symbol, with their locative after `po`.
_PER_WORDS = {
    "sat": "satu", "sata": "satu", "dan": "danu", "noć": "noći", "osoba": "osobi", "osobi": "osobi",
    "komad": "komadu", "mjesec": "mjesecu", "mesec": "mesecu", "godina": "godini",
    "stanovnik": "stanovniku", "minuta": "minuti", "minut": "minutu", "litra": "litri",
    "litar": "litru", "kilogram": "kilogramu", "kilometar": "kilometru", "metar": "metru",
}  # fmt: skip
_IN = {"s": "u sekundi", "sek": "u sekundi", "sekundi": "u sekundi"}
_ADJECTIVES = {"kvadratna": "kvadratnom", "kubna": "kubnom"}


def _units() -> dict[str, dict[str, Unit]]:
    """Return the units per language by symbol, without the dots of abbreviations."""
    units: dict[str, dict[str, Unit]] = {}
    for language, more in _BY_LANGUAGE.items():
        table: dict[str, Unit] = {}
        for line in filter(None, (_EVERYWHERE + more).split("\n")):
            symbol, gender, singular, few, many = line.split()
            forms = (singular.replace("_", " "), few.replace("_", " "), many.replace("_", " "))
            table[symbol.rstrip(".")] = ("f" if gender == "f" else "m", forms)
        table |= {name.rstrip("."): table[base.rstrip(".")] for name, base in _OTHER_NAMES.items()}
        units[language] = table
    return units


UNITS = _units()
_NOT_PER = MONEY | {
    "KS",
    "%",
    "‰",
    "mil",
    "mio",
    "mlrd",
    "mrd",
    "hilj",
    "tis",
    "km/h",
    "km/č",
    "m/s²",
    "m/s2",
}
PER = (*(symbol for symbol in UNITS["hr"] if symbol not in _NOT_PER), *_PER_WORDS, "sekundi")
"""Symbols and words that may follow `/` after a quantity."""


def per_words(symbol: str, language: str, money: bool) -> str:
    """Return the words for a rate per unit.

    A price per time is `po satu`, a speed is `na sat` or `u sekundi`.

    >>> per_words("kg", "hr", True), per_words("l", "hr", False), per_words("m²", "bs", True)
    ('po kilogramu', 'po litri', 'po kvadratnom metru')
    >>> per_words("h", "sr", False), per_words("h", "sr", True), per_words("s", "hr", False)
    ('na sat', 'po satu', 'u sekundi')
    """
    if symbol in _IN and not money:
        return _IN[symbol]
    if symbol in ("h", "sat", "sata") and not money:
        return "na sat"
    if symbol in _PER_WORDS:
        return f"po {_PER_WORDS[symbol]}"
    preposition = "u" if symbol == "min" and not money else "po"
    return f"{preposition} {_locative(UNITS[language][symbol][1][1])}"


def _locative(genitive: str) -> str:
    """Return the locative singular of a unit from its genitive.

    >>> _locative("kvadratna metra"), _locative("tone"), _locative("stepena Celzijusa")
    ('kvadratnom metru', 'toni', 'stepenu Celzijusa')
    """
    first, space, rest = genitive.partition(" ")
    if first in _ADJECTIVES:
        return f"{_ADJECTIVES[first]} {_locative(rest)}"
    return first[:-1] + ("u" if first.endswith("a") else "i") + space + rest
