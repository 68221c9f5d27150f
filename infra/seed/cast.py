"""The people of the demo as values, read from cast.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from uuid import UUID, uuid5

NAMESPACE = UUID("6f0b7a52-3f4c-5d1e-9a86-0d6c2b7e4f10")  # of this demo: the same names give the same ids on every machine


@dataclass(frozen=True)
class Place:
    """An organisation that the region serves."""

    id: UUID
    slug: str
    name: str
    ico: str
    domain: str
    people_limit: int | None = None
    mail_gb_limit: int | None = None


@dataclass(frozen=True)
class Member:
    """One of the cast. `place` is None for the people of the region; `role` is a regional role for them, else one in the organisation."""

    id: UUID
    user_name: str
    address: str
    given_name: str
    family_name: str
    title_before: str
    title_after: str
    role: str
    place: Place | None = None
    position: str = ""
    personal_number: str = ""

    @property
    def name(self) -> str:
        plain = " ".join(part for part in (self.title_before, self.given_name, self.family_name) if part)
        return f"{plain}, {self.title_after}" if self.title_after else plain


@dataclass(frozen=True)
class Cast:
    region_domain: str
    places: tuple[Place, ...]
    members: tuple[Member, ...]

    def regional(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.place is None)

    def employees(self) -> tuple[tuple[Member, Place], ...]:
        return tuple((member, member.place) for member in self.members if member.place)

    def one(self, role: str, slug: str | None = None) -> Member:
        """The first who has that role (in that organisation). Raises LookupError."""
        for member in self.members:
            if member.role == role and (member.place.slug if member.place else None) == slug:
                return member
        raise LookupError(f"nobody of the cast is {role} of {slug or 'the region'}")


@cache
def cast() -> Cast:
    data = tomllib.loads(files("infra").joinpath("seed", "cast.toml").read_text(encoding="utf-8"))
    places = {each["slug"]: Place(id=uuid5(NAMESPACE, f"organisation:{each['slug']}"), **each) for each in data["organisation"]}
    region = data["region"]["domain"]
    regional = [_member(each, None, region) for each in data["regional"]]
    employees = [_member(each, places[each["organisation"]], places[each["organisation"]].domain) for each in data["employee"]]
    return Cast(region, tuple(places.values()), (*regional, *employees))


def _member(each: Mapping[str, str], place: Place | None, domain: str) -> Member:
    told = {"title_before": "", "title_after": ""} | {name: value for name, value in each.items() if name != "organisation"}
    return Member(id=uuid5(NAMESPACE, f"person:{each['user_name']}"), address=f"{each['user_name']}@{domain}", place=place, **told)
