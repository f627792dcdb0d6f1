"""The ten domains of every world, with their attributes, relations and words.

The order of attributes matters: presets that show fewer of them (`starter`) take the first ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from wideseek_env.worlds.schema import Domain, category, date, number, relation, text

_PROVINCE = category("province", "Province", "", "[are|is] in the province of {a}")

_RIVER = Domain(
    "river", "river", "rivers", ("{}",),
    (
        number("length", "Length", "km", 20, 900, other="Total length",
               more="[are|is] longer than {a}", less="[are|is] shorter than {a}",
               most="longest", least="shortest"),
        relation("mouth", "Mouth city", "city", "[reach|reaches] the sea at",
                 "the mouth city of {x}"),
        category("regime", "Regime", "glacial, nival, pluvial, karstic, tidal",
                 "[have|has] a {a} regime"),
        date("surveyed", "First survey", "first surveyed", 1750, 1960, other="Surveyed"),
        number("discharge", "Discharge", "m³/s", 5, 950, other="Mean discharge"),
        number("basin", "Basin area", "km²", 200, 60_000, other="Catchment"),
        number("source", "Source elevation", "m", 150, 3400, other="Height of source"),
        _PROVINCE,
    ),
)  # fmt: skip

_CITY = Domain(
    "city", "city", "cities", ("{}",),
    (
        number("population", "Population", "people", 8_000, 900_000, other="Inhabitants",
               most="most populous", least="least populous"),
        relation("river", "River", "river", "[lie|lies] on", "the river beside {x}"),
        category("climate", "Climate", "oceanic, continental, alpine, semi-arid, subtropical",
                 "[lie|lies] in the {a} climate zone"),
        date("charter", "Town charter", "chartered", 1200, 1890, other="Chartered"),
        number("elevation", "Elevation", "m", 2, 1900, other="Altitude",
               more="[lie|lies] higher than {a}", less="[lie|lies] lower than {a}",
               most="highest", least="lowest"),
        number("area", "Area", "km²", 12, 780, other="Municipal area"),
        text("mayor", "Mayor", other="Head of the council"),
        _PROVINCE,
    ),
)  # fmt: skip

_MOUNTAIN = Domain(
    "mountain", "mountain", "mountains", ("Mount {}", "{} Peak", "{} Horn"),
    (
        number("height", "Height", "m", 900, 5900, other="Summit height",
               more="[are|is] higher than {a}", less="[are|is] lower than {a}",
               most="highest", least="lowest"),
        relation("near", "Nearest city", "city", "[rise|rises] near",
                 "the nearest city of {x}"),
        category("rock", "Rock", "granite, limestone, basalt, gneiss, sandstone",
                 "[consist|consists] of {a}", other="Rock type"),
        date("ascent", "First ascent", "first climbed", 1780, 1975, other="First climbed"),
        number("prominence", "Prominence", "m", 40, 2600),
        number("glacier", "Glacier area", "km²", 1, 140, other="Ice cover"),
        text("climber", "First climber", other="First ascent by"),
        _PROVINCE,
    ),
)  # fmt: skip

_BRIDGE = Domain(
    "bridge", "bridge", "bridges", ("{} Bridge", "{} Crossing", "{} Viaduct"),
    (
        number("length", "Length", "m", 40, 4200, other="Total length",
               more="[are|is] longer than {a}", less="[are|is] shorter than {a}",
               most="longest", least="shortest"),
        relation("river", "River", "river", "[cross|crosses]",
                 "the river crossed by {x}"),
        category("type", "Type", "suspension, arch, truss, cantilever, cable-stayed",
                 "[are|is] of the {a} type", other="Design"),
        date("opened", "Opened", "opened", 1820, 2018, other="Opening date"),
        number("cost", "Cost", "million crowns", 2, 890, other="Construction cost"),
        number("clearance", "Clearance", "m", 4, 75, other="Clearance below"),
        relation("city", "City", "city", "[stand|stands] in", "the city around {x}"),
        text("engineer", "Engineer", other="Chief engineer"),
        _PROVINCE,
    ),
)  # fmt: skip

_COMPANY = Domain(
    "company", "company", "companies",
    ("{} Works", "{} Industries", "{} Trading", "{} Group", "{} Holdings"),
    (
        number("staff", "Workforce", "people", 40, 60_000, other="Employees"),
        relation("seat", "Seat", "city", "[have|has] [their|its] seat in",
                 "the seat of {x}"),
        category("industry", "Industry", "shipping, textiles, mining, brewing, electronics, glass",
                 "[work|works] in the {a} industry", other="Sector"),
        date("founded", "Founded", "founded", 1790, 2012, other="Foundation"),
        number("revenue", "Revenue", "million crowns", 3, 9_500, other="Annual revenue"),
        text("founder", "Founder", other="Founded by"),
        text("director", "Chief executive", other="Managing director"),
        _PROVINCE,
    ),
)  # fmt: skip

_UNIVERSITY = Domain(
    "university", "university", "universities", ("{} University", "{} College", "{} Academy"),
    (
        number("students", "Enrolment", "people", 600, 58_000, other="Students"),
        relation("city", "City", "city", "[are|is] based in", "the home city of {x}"),
        category("focus", "Focus", "medicine, engineering, law, music, agriculture",
                 "[have|has] a focus on {a}", other="Main field"),
        date("founded", "Founded", "founded", 1350, 1995, other="Foundation"),
        number("staff", "Academic staff", "people", 45, 4_800, other="Teaching staff"),
        number("library", "Library stock", "items", 12_000, 4_000_000, other="Library holdings"),
        text("rector", "Rector", other="Head"),
        _PROVINCE,
    ),
)  # fmt: skip

_FILM = Domain(
    "film", "film", "films",
    ("The {} Letters", "Return to {}", "A Winter in {}", "The House of {}", "Farewell {}"),
    (
        number("duration", "Running time", "min", 62, 214, other="Duration",
               more="[are|is] longer than {a}", less="[are|is] shorter than {a}",
               most="longest", least="shortest"),
        relation("studio", "Studio", "company", "[were|was] made by",
                 "the studio of {x}"),
        category("genre", "Genre", "drama, comedy, thriller, western, documentary, musical",
                 "[are|is] of the {a} genre"),
        date("released", "Released", "released", 1922, 2022, other="Release date"),
        number("budget", "Budget", "million crowns", 1, 240, other="Production budget"),
        text("director", "Director", other="Directed by"),
        text("lead", "Leading actor", other="Starring"),
        relation("city", "Filming city", "city", "[were|was] shot in",
                 "the filming city of {x}"),
        _PROVINCE,
    ),
)  # fmt: skip

_AIRPORT = Domain(
    "airport", "airport", "airports", ("{} Airport", "{} Field", "{} Aerodrome"),
    (
        number("traffic", "Annual traffic", "people", 9_000, 9_800_000, other="Passengers a year",
               most="busiest"),
        relation("city", "City served", "city", "[serve|serves]", "the city served by {x}"),
        category("surface", "Surface", "asphalt, concrete, gravel, grass",
                 "[have|has] a runway of {a}", other="Runway surface"),
        date("opened", "Opened", "opened", 1918, 2014, other="Opening date"),
        number("runway", "Runway length", "m", 650, 4_100, other="Longest runway"),
        number("elevation", "Elevation", "m", 2, 1_700, other="Altitude",
               most="highest", least="lowest"),
        text("code", "Code", other="Airport code"),
        _PROVINCE,
    ),
)  # fmt: skip

_MUSEUM = Domain(
    "museum", "museum", "museums", ("{} Museum", "{} Gallery", "{} Collection"),
    (
        number("visitors", "Annual attendance", "people", 1_500, 2_400_000,
               other="Visitors a year", most="most visited", least="least visited"),
        relation("city", "City", "city", "[stand|stands] in", "the city around {x}"),
        category("subject", "Subject", "painting, natural history, technology, archaeology, "
                 "folk art", "[are|is] devoted to {a}", other="Collection"),
        date("opened", "Opened", "opened", 1795, 2016, other="Opening date"),
        number("items", "Collection size", "items", 350, 1_900_000, other="Objects"),
        number("floor", "Exhibition hall length", "m", 20, 640, other="Length of the main hall"),
        text("curator", "Curator", other="Chief curator"),
        _PROVINCE,
    ),
)  # fmt: skip

_CHEMIST = Domain(
    "chemist", "chemist", "chemists", ("{given} {}",),
    (
        number("papers", "Publication count", "papers", 6, 480, other="Published papers"),
        relation("university", "University", "university", "[teach|teaches] at",
                 "the university of {x}"),
        category("field", "Field", "polymers, catalysis, electrochemistry, crystallography, "
                 "biochemistry", "[work|works] on {a}", other="Research field"),
        date("born", "Born", "born", 1890, 1990, other="Date of birth"),
        relation("birthplace", "Birthplace", "city", "[come|comes] from",
                 "the birthplace of {x}"),
        number("prize", "Prize money", "million crowns", 1, 60, other="Awards received"),
        text("advisor", "Doctoral advisor", other="Advisor"),
        _PROVINCE,
    ),
    pronoun="",
)  # fmt: skip

DOMAINS: Mapping[str, Domain] = {
    domain.key: domain
    for domain in (
        _RIVER, _CITY, _MOUNTAIN, _BRIDGE, _COMPANY, _UNIVERSITY, _FILM, _AIRPORT, _MUSEUM,
        _CHEMIST,
    )
}  # fmt: skip
"""All domains by key."""
