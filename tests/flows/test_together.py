"""Several requests decided in one go: each on its own, and one that fails stops no other."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from flows.approval.people import Caller
from flows.approval.refusals import FormProblems, SecondFactorNeeded
from flows.approval.together import MOST, Chosen, Result, decide_together, look
from flows.model import Decision, OnboardingRequest
from flows.model.session import open_session, transaction
from tests.approvals import PRIVILEGED, answer, file
from tests.cast import Cast
from tests.database import Database


def chosen(request: OnboardingRequest, position: int = 1) -> Chosen:
    return Chosen(str(request.number), position, request.version, str(request.plan_hash))


def together(by: Caller, *items: Chosen, verdict: str = "approve", reason: str = "") -> list[Result]:
    with open_session(by.person, by.roles) as session:
        return decide_together(session, by, items, verdict, reason)  # pyright: ignore[reportArgumentType]


def decisions(database: Database) -> int:
    with database.used_as("nastup_worker"), transaction() as session:
        return session.scalar(select(func.count()).select_from(Decision)) or 0


def test_each_gets_a_decision_of_its_own(database: Database, cast: Cast) -> None:
    requests = [file(cast, personal_number=str(n)) for n in range(3)]
    results = together(cast.approver, *map(chosen, requests))
    assert [(each.number, each.tone) for each in results] == [(request.number, "ok") for request in requests]
    assert decisions(database) == 3
    with database.used_as("nastup_worker"), transaction() as session:
        states = session.scalars(select(OnboardingRequest.state)).all()
    assert set(states) == {"approved"}


def test_what_cannot_be_decided_stops_none_of_the_others(database: Database, cast: Cast) -> None:
    late, changed, mine, gone = (file(cast, personal_number=str(n)) for n in range(4))
    answer(cast.second_approver, late)
    stale = replace(chosen(changed), plan_hash="0" * 64)
    results = together(cast.approver, chosen(late), stale, replace(chosen(gone), number="P-2026-999999"), chosen(mine))
    assert [each.tone for each in results] == ["warn", "err", "err", "ok"]
    assert cast.second_approver.name in str(results[0].told.params)
    assert decisions(database) == 2


def test_a_return_says_the_same_to_every_applicant(database: Database, cast: Cast) -> None:
    requests = [file(cast, personal_number=str(n)) for n in range(2)]
    assert [each.tone for each in together(cast.approver, *map(chosen, requests), verdict="return", reason="Doplňte pozici.")] == [
        "ok",
        "ok",
    ]
    with database.used_as("nastup_worker"), transaction() as session:
        assert session.scalars(select(Decision.reason)).all() == ["Doplňte pozici."] * 2


def test_the_facts_are_read_before_and_what_is_not_theirs_is_left_out(database: Database, cast: Cast) -> None:
    mine, securitys = file(cast), file(cast, personal_number="2", **PRIVILEGED)
    answer(cast.approver, securitys)
    with open_session(cast.approver.person, cast.approver.roles) as session:
        shown = look(session, cast.approver, [Chosen(str(mine.number), 1), Chosen(str(mine.number), 1), Chosen(str(securitys.number), 2)])
    assert [(each.chosen.number, each.why_not is None) for each in shown] == [(mine.number, True), (securitys.number, False)]
    assert shown[0].chosen == chosen(mine)
    assert shown[0].address == "zofie.stastna@gym-opava.example"


# ---- refused


def test_nothing_is_decided_when_the_form_is_wrong(database: Database, cast: Cast) -> None:
    request = file(cast)
    many = [replace(chosen(request), position=n) for n in range(MOST + 1)]
    for items, how, field in (
        ([], {}, ""),
        (many, {}, ""),
        ([chosen(request)], {"verdict": "return", "reason": " "}, "reason"),
        ([chosen(request)], {"verdict": "return", "reason": "x" * 10_000}, "reason"),
    ):
        with pytest.raises(FormProblems) as problems:
            together(cast.approver, *items, **how)
        assert set(problems.value.fields) == {field}
    assert decisions(database) == 0


def test_without_a_second_factor_nothing_is_decided(database: Database, cast: Cast) -> None:
    with pytest.raises(SecondFactorNeeded):
        together(replace(cast.approver, second_factor=False), chosen(file(cast)))
    assert decisions(database) == 0


def test_the_opposite_of_ones_own_decision_is_no_success(database: Database, cast: Cast) -> None:
    request = file(cast)
    answer(cast.approver, request, "refuse", "Místo není schválené.")
    (result,) = together(cast.approver, chosen(request))
    assert (result.tone, cast.approver.name in str(result.told.params)) == ("warn", True)
    assert decisions(database) == 1


# ---- twice


def test_sent_twice_it_is_decided_once(database: Database, cast: Cast) -> None:
    request = file(cast)
    together(cast.approver, chosen(request), chosen(request))
    (again,) = together(cast.approver, chosen(request))
    assert (again.tone, again.told.msgid) == ("ok", "You decided this already, on %(at)s. That decision counts.")
    assert decisions(database) == 1
