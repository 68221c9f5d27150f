"""The people of the tests: two organisations with director, deputy and clerk, and the region's groups."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from flows.approval import policies
from flows.approval.audit import Actor
from flows.approval.people import Caller, Regional
from flows.model import Organisation, OrganisationRole, Person, RegionalRole
from tests.database import Database

SPACE = UUID("6f2f6c0e-0000-4000-8000-000000000000")


@dataclass(frozen=True)
class Cast:
    school: Organisation
    hospital: Organisation
    director: Caller
    deputy: Caller
    clerk: Caller
    hospital_director: Caller
    approver: Caller
    second_approver: Caller
    founder: Caller
    security: Caller
    dpo: Caller
    it: Caller
    auditor: Caller


NAMES = {
    "director": "Radek Hanzlík",
    "deputy": "Marie Kolářová",
    "clerk": "Jitka Adámková",
    "hospital_director": "Pavel Říha",
    "approver": "Jana Dvořáková",
    "second_approver": "Martin Kubala",
    "founder": "Olga Němcová",
    "security": "Šimon Žák",
    "dpo": "Eva Černá",
    "it": "Tomáš Bárta",
    "auditor": "Ludmila Veselá",
}
REGIONAL = {
    "approver": Regional.REGION_IT,
    "second_approver": Regional.REGION_IT,
    "founder": Regional.FOUNDER,
    "security": Regional.SECURITY,
    "dpo": Regional.DPO,
    "it": Regional.IT,
    "auditor": Regional.AUDITOR,
}


def plant(database: Database) -> Cast:
    """Writes the rows as the owner of the database; the same ids every time."""
    school = Organisation(id=uuid5(SPACE, "school"), slug="gym-opava", name="Gymnázium Opava", ico="47813113", domain="gym-opava.example")
    hospital = Organisation(
        id=uuid5(SPACE, "hospital"), slug="nem-karvina", name="Nemocnice Karviná", ico="00844853", domain="nem-karvina.example"
    )
    engine = create_engine(database.url("nastup_owner"))
    with Session(engine, expire_on_commit=False) as session, session.begin():
        session.add_all([school, hospital])
        for key, name in NAMES.items():
            given, family = name.split()
            session.add(Person(id=uuid5(SPACE, key), given_name=given, family_name=family, email=f"{key}@kraj.example"))
        session.flush()
        for key, place in (("director", school), ("deputy", school), ("clerk", school), ("hospital_director", hospital)):
            session.add(OrganisationRole(person_id=uuid5(SPACE, key), organisation_id=place.id, role=key.removeprefix("hospital_")))
        for key, role in REGIONAL.items():
            session.add(RegionalRole(person_id=uuid5(SPACE, key), role=role.value, granted_by="tests"))
        session.flush()
        policies.adopt_shipped(session, Actor("tests"))
    engine.dispose()
    return Cast(school, hospital, **{key: caller(key) for key in NAMES})


def caller(key: str) -> Caller:
    roles = frozenset({REGIONAL[key]}) if key in REGIONAL else frozenset[Regional]()
    return Caller(uuid5(SPACE, key), NAMES[key], roles, second_factor=key in REGIONAL)
