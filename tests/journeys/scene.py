"""Requests in every state that a page can show, made by the product's own functions on a database of their own.

Runs as a program (`python -m tests.journeys.scene DATABASE`), because Prefect and the database are chosen by the environment of a process;
its last line is the Scene as JSON. The three servers outside are those in memory; everything else is real.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from infra.servers import prefect
from infra.state import State

if "NASTUP_TEST_STATE" in os.environ:  # before the first import of Prefect, which reads them then
    os.environ["PREFECT_API_URL"] = f"{State.of_tests().address('prefect')}/api"
    os.environ["PREFECT_API_AUTH_STRING"] = prefect.auth(State.of_tests())

from flows import activations
from flows.approval import saved_filters
from flows.approval.decide import StageRef, Verdict, decide
from flows.approval.drafts import my_draft, new_draft, save_draft, typed_of
from flows.approval.people import Caller
from flows.approval.submit import submit
from flows.connectors import registry
from flows.connectors.base import Bounce, Unavailable
from flows.model import Lookup, OnboardingRequest, Organisation
from flows.model.session import open_session, transaction
from flows.onboard_employee import onboard_employee
from flows.sentence import say
from flows.settings import load
from tests import database as databases
from tests.cast import plant
from tests.database import Database
from tests.faults.outside import Outside

QUICK = {
    "NASTUP_PROVISIONING__FIRST_WAIT_SECONDS": "0.05",
    "NASTUP_PROVISIONING__ATTEMPTS": "2",
    "NASTUP_PROVISIONING__LEASE_SECONDS": "5",
    "NASTUP_PROVISIONING__SETTLING_SECONDS": "0.5",
    "NASTUP_KEYCLOAK__ADDRESS": "http://127.0.0.1:1",
    "NASTUP_KEYCLOAK__CLIENT_SECRET": "none",
    "NASTUP_KEYCLOAK__ACTIVATION_RETURN": "http://127.0.0.1:1/activated",
}
# the longest things that people really write: nothing may stick out of a telephone's screen
LONG = {
    "title_before": "prof. PhDr. et JUDr. Ing.",
    "given_name": "Maxmiliána Konstantina",
    "family_name": "Nejneobhospodařovávatelnější-Rozkošná",
    "title_after": "Ph.D., DSc., MBA",
    "position": "zástupkyně vedoucího odboru školství, mládeže, sportu, kultury a památkové péče pro venkov",
}
STATES = {
    "waiting": ("Žofie", "Šťastná", "učitelka fyziky"),
    "overdue": ("Ctibor", "Ďurďovič", "školník"),
    "refused": ("Řehoř", "Ťulpík", "kuchař"),
    "withdrawn": ("Ňadežda", "Hájková", "asistentka pedagoga"),
    "returned": ("Čeněk", "Ůstrý", "správce sítě"),
    "corrected": ("Otýlie", "Ďásková", "dietní sestra"),
    "expired": ("Lýdie", "Křížová", "knihovnice"),
    "approved": ("Hynek", "Šámal", "učitel dějepisu"),
    "running": ("Běla", "Němečková", "účetní"),
    "retrying": ("Květa", "Žížalová", "vychovatelka"),
    "waiting_retry": ("Slavěna", "Böhmová", "hospodářka"),
    "prepared": ("Přemysl", "Jiříček", "učitel tělocviku"),
    "needs_attention": ("Dobroslav", "Kůň", "psycholog"),
    "cancelled": ("Oldřiška", "Víchová", "uklízečka"),
    "sent": ("Anežka", "Příhodová", "zdravotní sestra"),
    "used": ("Jáchym", "Vágner", "speciální pedagog"),
    "link_expired": ("Šárka", "Čapková", "logopedka"),
    "bounced": ("Tadeáš", "Zemánek", "učitel hudby"),
    "second_device": ("Zdislava", "Holoubková", "výchovná poradkyně"),
}
CARRIED_OUT = ("sent", "used", "link_expired", "bounced", "second_device")
SILENT = Unavailable(say("The tables of the mail servers do not answer."), "connection refused")
PATIENCE = Unavailable(say("The tables of the mail servers do not answer."), "connection refused", after=7200)
COMMENTS = {"quota_gb": "Stačila by sdílená složka na videa?", "position": "Uveďte celý název pozice."}
MANY = 27  # more than one page of the queue


@dataclass
class Scene:
    """What there is to look at. `numbers` and `people` by the name of the state, `hospital` = those of the other organisation."""

    database: str
    numbers: dict[str, str] = field(default_factory=dict[str, str])
    people: dict[str, str] = field(default_factory=dict[str, str])
    drafts: dict[str, str] = field(default_factory=dict[str, str])
    saved: str = ""  # a filter of the approver
    absence: str = ""  # of one of the region's people
    day: str = ""  # on which the school is closed


class Stage:
    """Files, decides and carries out, as the people of the cast."""

    def __init__(self, database: Database) -> None:
        self.database, self.cast = database, plant(database)
        self.scene, self.outside, self.filed = Scene(database.name), Outside(), 0
        self.outside.serve(self.cast)

    def file(self, key: str, by: Caller, organisation: Organisation, **changes: str) -> OnboardingRequest:
        given, family, position = STATES.get(key, ("Kristýna", "Novotná", "učitelka"))
        self.filed += 1
        typed = {"title_before": "Ing.", "given_name": given, "family_name": family, "title_after": "", "contract": "employment"}
        typed |= {"position": position, "manager": by.name, "start": date.today().isoformat(), "end": "", "quota_gb": "10"}
        typed |= {"personal_number": f"{self.filed:04}"} | changes
        with self.database.used_as("nastup_portal"), open_session(by.person) as session, transaction(session):
            draft = new_draft(session, by, organisation.id)
            save_draft(session, by, draft.id, typed, private_address(key))
            request = submit(session, by, draft.id)
        self.scene.numbers[key], self.scene.people[key] = str(request.number), str(request.beneficiary_id)
        return request

    def decide(
        self, request: OnboardingRequest, verdict: Any = "approve", reason: str = "", comments: Mapping[str, str] | None = None
    ) -> OnboardingRequest:
        by = self.cast.approver
        with self.database.used_as("nastup_portal"), open_session(by.person, by.roles) as session, transaction(session):
            return decide(
                session, by, StageRef(str(request.number), 1), Verdict(verdict, str(request.plan_hash), reason, comments or {})
            ).request

    def carry_out(self, request: OnboardingRequest) -> str:
        """The name of the state in which the run ends."""
        outside = self.outside
        with self.database.used_as("nastup_worker"), registry.use(identity=outside.identity, mail=outside.mail, backup=outside.backup):
            return str(onboard_employee(str(request.id), return_state=True).name)

    def by_worker(self, deed: Callable[[], object]) -> None:
        outside = self.outside
        with self.database.used_as("nastup_worker"), registry.use(identity=outside.identity, mail=outside.mail, backup=outside.backup):
            deed()

    def change(self, statement: str, *values: object) -> None:
        """What takes days in life, past the guards of the database."""
        with self.database.superuser() as db:
            db.execute("SET session_replication_role = replica")
            db.execute(statement.encode(), values)


def play(database: Database) -> Scene:
    stage = Stage(database)
    _waiting(stage)
    _ended_early(stage)
    _corrected(stage)
    _under_way(stage)
    _carried_out(stage)
    _activations(stage)
    _away(stage)
    _queue(stage)
    return stage.scene


def _waiting(stage: Stage) -> None:
    cast = stage.cast
    stage.file("waiting", cast.clerk, cast.school)
    late = stage.file("overdue", cast.director, cast.school, contract="external", end=(date.today() + timedelta(days=200)).isoformat())
    stage.change(
        "UPDATE stage SET due_at = now() - interval '6 days', opened_at = now() - interval '9 days' WHERE request_id = %s", late.id
    )
    stage.file("long", cast.director, cast.school, **LONG)
    stage.file("hospital", cast.hospital_director, cast.hospital)
    for n in range(MANY):
        stage.file(f"many-{n}", cast.director, cast.school, given_name="Jan", family_name="Novák", position="učitel")
    by = cast.director
    with stage.database.used_as("nastup_portal"), open_session(by.person) as session, transaction(session):
        whole, part = new_draft(session, by, cast.school.id), new_draft(session, by, cast.school.id)
        typed = {"given_name": "Vojtěch", "family_name": "Žák", "personal_number": "9001", "contract": "employment", "position": "učitel"}
        typed |= {"start": date.today().isoformat(), "quota_gb": "10", "title_before": "", "title_after": "", "manager": "", "end": ""}
        save_draft(session, by, whole.id, typed, "vojtech.zak@posta.cz")
        save_draft(session, by, part.id, {"given_name": "Běta"}, "")
    stage.scene.drafts |= {"whole": str(whole.id), "part": str(part.id)}


def _ended_early(stage: Stage) -> None:
    cast = stage.cast
    stage.decide(
        stage.file("refused", cast.director, cast.school), "refuse", "Nástup až po schválení rozpočtu, podejte prosím znovu v lednu."
    )
    back = stage.file("withdrawn", cast.director, cast.school)
    with stage.database.used_as("nastup_portal"), open_session(cast.director.person) as session, transaction(session):
        decide(session, cast.director, StageRef(str(back.number), 1), Verdict("withdraw"))
    old = stage.file("expired", cast.director, cast.school)  # no function of this version leads there yet; the pages have words for it
    stage.change("UPDATE onboarding_request SET state = 'expired' WHERE id = %s", old.id)
    stage.change("UPDATE stage SET state = 'closed' WHERE request_id = %s", old.id)


def _corrected(stage: Stage) -> None:
    """One that is to be corrected, and one that was corrected and waits again."""
    director = stage.cast.director
    for key in ("returned", "corrected"):
        request = stage.decide(stage.file(key, director, stage.cast.school), "return", "Prosím ještě jednou.", COMMENTS)
        stage.scene.drafts[key] = str(request.id)
    with stage.database.used_as("nastup_portal"), open_session(director.person) as session, transaction(session):
        answers = typed_of(my_draft(session, director, UUID(stage.scene.drafts["corrected"]))) | {"quota_gb": "5"}
        save_draft(session, director, request.id, answers, "jina.adresa@posta.cz")
        submit(session, director, request.id)


def _under_way(stage: Stage) -> None:
    cast, mail = stage.cast, stage.outside.mail
    stage.decide(stage.file("approved", cast.director, cast.school))
    stopped = stage.decide(stage.file("needs_attention", cast.director, cast.school))
    mail.faults.fail("ensure", SILENT, times=2)
    assert stage.carry_out(stopped) == "NeedsAttention"
    patient = stage.decide(stage.file("waiting_retry", cast.director, cast.school))
    mail.faults.fail("ensure", PATIENCE)
    assert stage.carry_out(patient) == "WaitingRetry"
    ahead = stage.decide(stage.file("prepared", cast.director, cast.school, start=(date.today() + timedelta(days=12)).isoformat()))
    assert stage.carry_out(ahead) == "Prepared"
    for state, effect in (("running", "intent"), ("retrying", "unknown")):
        request = stage.decide(stage.file(state, cast.director, cast.school))
        mail.faults.fail("ensure", SILENT, times=2)
        assert stage.carry_out(request) == "NeedsAttention"
        stage.change("UPDATE onboarding_request SET state = 'running', sentence = NULL, owner = NULL WHERE id = %s", request.id)
        wait = "now() + interval '2 hours'" if state == "retrying" else "NULL"
        stage.change(
            f"UPDATE effect SET state = '{effect}', next_try = {wait}, tries_at_most = 5 WHERE request_id = %s AND state = 'failed'",
            request.id,
        )
    gone = stage.decide(stage.file("cancelled", cast.director, cast.school))
    stage.change("UPDATE onboarding_request SET cancel_asked = true WHERE id = %s", gone.id)
    assert stage.carry_out(gone) == "Cancelled"


def _carried_out(stage: Stage) -> None:
    cast = stage.cast
    for key in CARRIED_OUT:
        request = stage.decide(stage.file(key, cast.director, cast.school))
        assert stage.carry_out(request) == "Completed"
    number = stage.scene.numbers["sent"]
    lines = ["2026-11-23 08:41:34 info flow: Beginning flow run", "2026-11-23 08:41:35 info keycloak.ensure account: " + "1234567890" * 9]
    answer = {"lines": lines, "run": "0b9e2f7e-0000-4000-8000-000000000001", "state": "Completed"}
    with stage.database.used_as("nastup_portal"), open_session(cast.it.person, cast.it.roles) as session, transaction(session):
        for each in (number, stage.scene.numbers["running"]):
            session.add(Lookup(kind="run_log", asked_by_id=cast.it.person, question={"number": each}))
    stage.change("UPDATE lookup SET answered_at = now(), answer = %s WHERE question->>'number' = %s", json.dumps(answer), number)


def _activations(stage: Stage) -> None:
    people = {key: UUID(stage.scene.people[key]) for key in CARRIED_OUT}
    for key in ("used", "second_device"):
        stage.outside.identity.opens_link(people[key])
    mine = "(SELECT id FROM onboarding_request WHERE number = %s)"
    overdue = f"UPDATE activation_contact SET expires_at = now() - interval '1 hour' WHERE request_id = {mine}"
    stage.change(overdue, stage.scene.numbers["link_expired"])
    stage.by_worker(activations.follow)
    stage.outside.identity.opens_link(people["second_device"])
    stage.by_worker(activations.follow)
    stage.outside.mail.returned.append(Bounce(private_address("bounced"), datetime.now().astimezone(), "550 5.1.1 user unknown"))
    stage.by_worker(activations.read_bounces)


def _away(stage: Stage) -> None:
    """Absences that run, are ahead and are over, with and without a deputy; closed days of the region and of the school."""
    cast, insert = stage.cast, "INSERT INTO absence (person_id, group_name, from_day, until_day, deputy_id)"
    days = " VALUES (%s, 'security', current_date + %s, current_date + %s, %s)"
    for first, last, deputy in ((-1, 3, cast.it.person), (20, 34, None), (-40, -30, cast.it.person)):
        stage.change(insert + days, cast.security.person, first, last, deputy)
    for place in (None, cast.school.id):
        closed = "INSERT INTO closed_day (organisation_id, day, note) VALUES (%s, current_date + 40, 'malování a celková odstávka budovy')"
        stage.change(closed, place)
    with stage.database.superuser() as db:
        asked = (("SELECT id FROM absence LIMIT 1", ()), ("SELECT id FROM closed_day WHERE organisation_id = %s", (stage.cast.school.id,)))
        stage.scene.absence, stage.scene.day = (str((db.execute(words.encode(), values).fetchone() or ("",))[0]) for words, values in asked)


def _queue(stage: Stage) -> None:
    """A filter that the approver keeps, and what a rule approved and chance chose for a look."""
    cast = stage.cast
    with stage.database.used_as("nastup_portal"), open_session(cast.approver.person, cast.approver.roles) as session, transaction(session):
        saved_filters.keep(session, cast.approver, "po termínu bez řešitele", {"due": "overdue", "whose": "free"})
        stage.scene.saved = str(saved_filters.kept(session, cast.approver)[0].id)
    stage.change("INSERT INTO sample (request_id) SELECT id FROM onboarding_request WHERE number = %s", stage.scene.numbers["sent"])
    stage.change("INSERT INTO sample (request_id) SELECT id FROM onboarding_request WHERE number = %s", stage.scene.numbers["used"])


def private_address(key: str) -> str:
    return f"{key.replace('_', '.')}@posta.cz"


def main(name: str) -> None:
    os.environ.update(QUICK)
    load.cache_clear()
    database = databases.of_tests(name)
    database.create()
    print(json.dumps(asdict(play(database))))


if __name__ == "__main__":
    main(sys.argv[1])
