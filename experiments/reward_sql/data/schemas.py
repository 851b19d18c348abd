"""The databases of the generator: a table a paragraph, a column a word or two.

A column is ``name:kind``: ``id``; ``>table`` (refers to that table's id, and has its name); ``label(words)`` (names
that differ); ``cat(A|B)``; ``int(low,high,step)``; ``real(low,high,step)``, whose step is a power of two, so that sums
do not depend on their order; ``date(first,last)`` in years. The number after a table's name is its rows. The names of
tables and columns are words that a question can use as they are, and none of the words that questions are made of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

SEEN = {
    "library": """
        authors 40: author_id:id name:label(person) country:cat(@countries) born:int(1900,1990,1)
        books 260: book_id:id title:label(title) >authors genre:cat(Fantasy|Crime|Poetry|History|Travel|Romance)
            language:cat(English|French|German|Spanish) published:int(1930,2023,1) pages:int(60,900,10)
        members 90: member_id:id name:label(person) city:cat(@cities) joined:date(2015,2023)
        loans 400: loan_id:id >books >members borrowed:date(2019,2024) days:int(1,60,1) fine:real(0,20,0.5)
    """,
    "airline": """
        airports 30: airport_id:id name:label(place) country:cat(@countries) elevation:int(0,2500,50)
        planes 40: plane_id:id model:label(code) maker:cat(Airbus|Boeing|Embraer|Fokker|Saab)
            seats:int(20,500,10) range:int(500,9000,100)
        flights 400: flight_id:id >planes >airports departed:date(2018,2024) distance:int(100,8000,100)
            delay:int(0,180,5) status:cat(landed|cancelled|diverted)
        pilots 60: pilot_id:id name:label(person) >airports hired:date(2005,2022) salary:int(30000,150000,1000)
    """,
    "school": """
        teachers 40: teacher_id:id name:label(person) department:cat(Science|Arts|Languages|Sports|Music)
            hired:date(2000,2022) salary:int(25000,80000,500)
        courses 60: course_id:id title:label(title) >teachers level:cat(basic|middle|upper) credits:int(1,12,1)
            room:int(100,420,5)
        students 150: student_id:id name:label(person) city:cat(@cities) born:int(1998,2010,1)
            enrolled:date(2016,2023)
        grades 420: grade_id:id >students >courses score:int(0,100,1) given:date(2018,2024)
            exam:cat(oral|written|project) attempt:cat(first|second)
    """,
    "shop": """
        suppliers 30: supplier_id:id company:label(company) country:cat(@countries) rating:real(1,5,0.25)
        products 160: product_id:id name:label(thing) >suppliers category:cat(Toys|Garden|Kitchen|Office|Audio)
            color:cat(black|white|green|silver) price:real(2,400,0.5) stock:int(0,300,5)
        customers 100: customer_id:id name:label(person) city:cat(@cities) joined:date(2014,2023)
            points:int(0,5000,50)
        orders 420: order_id:id >customers >products ordered:date(2019,2024) quantity:int(1,20,1)
            status:cat(paid|shipped|returned|open)
    """,
    "hospital": """
        doctors 40: doctor_id:id name:label(person)
            specialty:cat(Surgery|Cardiology|Neurology|Pediatrics|Oncology) experience:int(1,40,1)
            salary:int(50000,250000,5000)
        patients 160: patient_id:id name:label(person) city:cat(@cities) blood:cat(A|B|AB|O)
            born:int(1930,2015,1) weight:int(40,130,1)
        drugs 50: drug_id:id name:label(code) maker:cat(Bayer|Roche|Pfizer|Novartis) dose:int(5,500,5)
        visits 420: visit_id:id >patients >doctors >drugs visited:date(2017,2024) cost:real(20,2000,0.5)
            duration:int(5,120,5)
    """,
    "football": """
        teams 24: team_id:id club:label(place) country:cat(@countries) founded:int(1880,1990,1)
            budget:int(1,300,1)
        players 240: player_id:id name:label(person) >teams position:cat(keeper|defender|midfielder|forward)
            foot:cat(left|right) height:int(165,205,1) goals:int(0,200,2)
        coaches 30: coach_id:id name:label(person) >teams experience:int(1,35,1) since:date(2010,2023)
        games 300: game_id:id >teams played:date(2018,2024) stadium:cat(North|South|East|West|Central)
            spectators:int(500,80000,500) scored:int(0,8,1)
    """,
    "cinema": """
        directors 40: director_id:id name:label(person) country:cat(@countries) born:int(1930,1990,1)
        films 200: film_id:id title:label(title) >directors genre:cat(Drama|Comedy|Thriller|Horror|Western)
            language:cat(English|French|German|Spanish) released:int(1960,2023,1) minutes:int(70,220,5)
            budget:int(1,250,1)
        halls 30: hall_id:id name:label(place) city:cat(@cities) seats:int(50,600,10)
        shows 420: show_id:id >films >halls shown:date(2019,2024) sold:int(0,500,5) ticket:real(4,20,0.5)
    """,
    "hotel": """
        hotels 30: hotel_id:id name:label(place) city:cat(@cities) stars:int(1,5,1) opened:date(1990,2018)
        rooms 200: room_id:id >hotels type:cat(single|double|suite|family) outlook:cat(sea|garden|street)
            price:real(30,500,0.5) floor:int(1,20,1)
        guests 120: guest_id:id name:label(person) country:cat(@countries) born:int(1940,2004,1)
        bookings 420: booking_id:id >rooms >guests arrived:date(2018,2024) nights:int(1,21,1)
            paid:real(50,4000,0.5)
    """,
    "logistics": """
        depots 25: depot_id:id name:label(place) country:cat(@countries) capacity:int(100,5000,50)
        trucks 80: truck_id:id plate:label(code) >depots brand:cat(Volvo|Scania|Iveco|Renault)
            color:cat(black|white|green|silver) bought:date(2008,2022) mileage:int(1000,400000,1000)
        drivers 70: driver_id:id name:label(person) >depots license:cat(C1|C2|D1|D2) hired:date(2005,2023)
            wage:real(12,40,0.5)
        trips 420: trip_id:id >trucks >drivers started:date(2019,2024) distance:int(10,1500,10) load:int(1,40,1)
    """,
}
HELD_OUT = {
    "museum": """
        artists 40: artist_id:id name:label(person) country:cat(@countries) born:int(1400,1980,5)
        paintings 220: painting_id:id title:label(title) >artists style:cat(Baroque|Cubist|Gothic|Modern|Rococo)
            technique:cat(oil|ink|fresco) painted:int(1450,2015,5) value:int(1,900,1)
        visitors 100: visitor_id:id name:label(person) city:cat(@cities) joined:date(2015,2023)
        tours 400: tour_id:id >paintings >visitors toured:date(2018,2024) minutes:int(10,180,5)
            fee:real(0,40,0.5)
    """,
    "bank": """
        branches 25: branch_id:id name:label(place) city:cat(@cities) opened:date(1980,2015)
            assets:int(10,900,10)
        clients 120: client_id:id name:label(person) >branches country:cat(@countries) born:int(1940,2003,1)
        accounts 220: account_id:id >clients type:cat(savings|checking|business|student)
            currency:cat(euro|dollar|franc) opened:date(2010,2023) balance:real(0,90000,0.5)
        payments 420: payment_id:id >accounts sent:date(2019,2024) amount:real(1,3000,0.5)
            channel:cat(online|card|cash|transfer)
    """,
    "music": """
        bands 35: band_id:id name:label(company) country:cat(@countries) formed:int(1960,2018,1)
        albums 150: album_id:id title:label(title) >bands genre:cat(Rock|Jazz|Folk|Metal|Soul)
            released:date(1995,2023) copies:int(1000,900000,1000)
        songs 400: song_id:id title:label(title) >albums seconds:int(90,600,5) plays:int(1000,990000,1000)
        concerts 260: concert_id:id >bands held:date(2015,2024) city:cat(@cities) crowd:int(50,60000,50)
            ticket:real(5,150,0.5)
    """,
}
POOLS = {
    "countries": "France|Japan|Brazil|Kenya|Canada|Norway|India|Spain|Peru|Egypt",
    "cities": "Oslo|Lima|Paris|Kyoto|Cairo|Boston|Madrid|Delhi|Nairobi|Quebec",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: Its name.
        kind: ``id``, ``ref``, ``label``, ``cat``, ``int``, ``real`` or ``date``.
        detail: What stands in its brackets; the table that a ``ref`` refers to.
    """

    name: str
    kind: str
    detail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table with its columns; the first is its key."""

    name: str
    rows: int
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """Name of its key."""
        return self.columns[0].name

    def of_kind(self, *kinds: str) -> list[Column]:
        """Its columns of some kinds, in order."""
        return [column for column in self.columns if column.kind in kinds]


@cache
def tables_of(db_id: str) -> dict[str, Table]:
    """Tables of one of the databases, in an order in which each comes after those that it refers to."""
    tables: dict[str, Table] = {}
    parts = re.split(r"(\w+) (\d+): ", ({**SEEN, **HELD_OUT})[db_id])[1:]
    for name, rows, rest in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        columns = tuple(_column(word, tables) for word in re.findall(r">?\w+(?::\w+(?:\([^)]*\))?)?", rest))
        tables[name] = Table(name, int(rows), columns)
    return tables


def names() -> list[str]:
    """Names of all tables and columns of all databases, each once, in order."""
    found = [
        name
        for db_id in (*SEEN, *HELD_OUT)
        for table in tables_of(db_id).values()
        for name in (table.name, *(column.name for column in table.columns))
    ]
    return list(dict.fromkeys(found))


def _column(word: str, tables: dict[str, Table]) -> Column:
    if word.startswith(">"):
        target = tables[word[1:]]
        return Column(target.key, "ref", (target.name,))
    name, _, kind = word.partition(":")
    kind, _, detail = kind.rstrip(")").partition("(")
    if detail.startswith("@"):
        detail = POOLS[detail[1:]]
    return Column(name, kind, tuple(re.split(r"[|,]", detail)) if detail else ())
