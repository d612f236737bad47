"""Word lists that decide whether four digits of English text are a year or a quantity.

All are in lower case. `fonoteka.text.english.years` applies them.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MONTHS = _words(
    "january february march april may june july august september october november december jan "
    "feb mar apr jun jul aug sept sep oct nov dec"
)
SEASONS = _words("spring summer autumn fall winter christmas easter")
OF_TIME = _words("in since until till before after during from by between circa through")
ABOUT = _words("about around roughly approximately nearly almost")
"""Ignored after a preposition of time: in about 1850."""
BEFORE_A_YEAR = MONTHS | _words(
    "year years fy est period season reign reigned lived early late mid born died established "
    "founded published released ca circa c ad anno vintage copyright dated spring summer autumn "
    "winter christmas easter olympics expo eurovision"
)
DETERMINERS = _words("the a an this his her its their our my your whose")
PAIRED = _words(
    "room rooms flight flights bus buses suite suites apartment apartments apt route highway tram "
    "train channel"
)
"""Nouns whose number is read in pairs of digits: flight 1549."""
NAMED_BY_NUMBER = _words("windows office boeing airbus model type version nokia intel series")
STREETS = _words(
    "street avenue road lane drive boulevard way place square court terrace st ave rd blvd"
)
BEFORE_A_QUANTITY = _words(
    "over under plus minus times least most further additional extra costs cost weighs weighed "
    "paid pays earned earns scored counted totaled totals employs killed owed owes hired"
)
MADE = _words(
    "built born made begun written died lived founded established created painted composed "
    "invented introduced published started began happened occurred settled constructed erected"
)
"""After these, `about` and `around` introduce a time: built around 1850."""
NOUNS_OF_QUANTITY = _words(
    "total population height altitude speed average maximum minimum sum number capacity weight "
    "length distance crew staff crowd audience group out team series set list price rate score "
    "depth limit salary army force collection"
)
NOUNS_OF_TIME = (
    MONTHS
    | SEASONS
    | _words(
        "war crisis crash election treaty act revolution class constitution law fire half quarter "
        "beginning end start days events olympics earthquake flood famine battle panic census coup "
        "massacre campaign rebellion uprising edition film vintage harvest summers flu plague "
        "pandemic epidemic strike drought hurricane storm treaties elections"
    )
)
FUNCTION_WORDS = _words(
    "a an the he she it they we you i him me us them this that these those there here his her its "
    "their our my your who which whose when while where what why how as because if although "
    "though and or but nor so yet was were is are be been am had has have did does do will would "
    "can could may might must should shall with without to for from in on at by into under over "
    "through during before after since until till between among against about not no nobody "
    "everyone someone everything nothing also then only even still already never always again "
    "alone onward one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty hundred "
    "thousand million many several onwards too later nearly almost both each except than via ago"
)
YEAR_AS_SUBJECT = _words("saw marked brought witnessed began ended marks sees brings begins ends")
NOT_PLURAL = _words(
    "james thomas charles paris texas congress chris francis louis nicholas athens brussels adams "
    "wales jones davies williams harris kansas arkansas illinois cyprus jesus mars venus hercules "
    "moses was has is this his its us yes as always perhaps sometimes besides afterwards nowadays "
    "politics physics mathematics economics news leaves departs arrives stops goes runs remains "
    "becomes makes takes gives shows looks seems appears means says wins loses falls rises comes "
    "feels belongs stands lies christmas"
)
"""Words that end in s and are not plural nouns."""
IRREGULAR = _words(
    "people men women children sheep cattle fish police feet teeth mice geese dead injured "
    "missing wounded remaining votes others personnel"
)
UNIT_NOUNS = _words(
    "meter metre mile kilometer kilometre centimeter centimetre millimeter millimetre inch inche "
    "foot feet yard acre hectare kilogram kilo gram pound ounce ton tonne liter litre gallon "
    "dollar euro cent franc yen ruble rupee year day week month hour minute second calorie watt "
    "kilowatt volt degree percent page word seat horsepower byte megabyte gigabyte kilobyte pixel "
    "point mph bit step square cubic person man room bed copy light baud rpm iso dpi fps psi ppm "
    "hp cc"
)
"""Nouns of measure, in the singular: a 1500 meter race, 1200 words."""
COUNTED = _words(
    "persons students soldiers workers members residents employees visitors guests passengers "
    "troops refugees inhabitants voters copies cases ways locations attempts tries instances "
    "times pieces books letters cities villages countries schools homes houses families customers "
    "users players fans prisoners patients islands jobs cars ships trees stars participants "
    "protesters spectators delegates immigrants settlers farmers teachers nurses miners slaves "
    "horses cows"
)
"""Plurals whose number is a quantity, not a year, after a determiner: the 1200 students."""
MEASURED = _words(
    "cases ways places locations attempts tries instances times pieces words pages copies steps"
)
"""Plurals whose number is a quantity after a preposition of time: in 1200 cases."""
EVENTS = _words(
    "film movie album song book novel election elections season war games olympics cup tournament "
    "championship championships crisis crash earthquake flood floods fire fires treaty act law "
    "laws constitution census report study survey edition version model debut revolution uprising "
    "coup famine epidemic pandemic remake sequel play opera recording recordings riots strike "
    "strikes protests attacks bombing bombings invasion massacre budget conference agreement "
    "convention hurricane storm eruption drought campaign concert tour festival paper article "
    "essay poem manifesto trial trials ruling classic hit single trilogy race races final finals "
    "negotiations"
)
OF_A_YEAR = _words(
    "results figures sales statistics earnings profits rankings standings awards numbers estimates "
    "guidelines rules standards models editions taxes prices levels regulations amendments reforms "
    "census data budgets forecasts targets accounts"
)
"""Plurals whose number is a year as often as a quantity: 2020 results."""
DATED = _words("style era vintage built model dated born made founded issued published")
"""Words joined to a year by a hyphen: a 1998-built house."""
