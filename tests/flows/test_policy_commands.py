"""The operator's commands about the policy: what is wrong with a file, making it active, why a request is asked, what another would ask."""

from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from flows.__main__ import app
from flows.approval.people import Regional
from flows.approval.policy import Facts, read, shipped
from flows.approval.policy_words import route_lines, why
from flows.approval.shadow import RULE, Past, compare
from flows.model import Policy
from flows.model.session import transaction
from flows.settings import load as settings
from tests.approvals import PRIVILEGED, answer, away, file, route, use_policy
from tests.cast import Cast
from tests.database import Database
from tests.journeys.test_reading import rows_of

STRICTER = ("when = [{ privileged = true }, { contract", 'when = [{ filed_by = ["director"] }, { contract')
NEXT = ('version = "2026-11-26"', 'version = "next"')


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A policy that asks security about everything a director files."""
    place = tmp_path / "next.toml"
    place.write_text(shipped().replace(*NEXT).replace(*STRICTER))
    return place


def run(database: Database, *words: str, role: str = "nastup_worker") -> Result:
    with database.used_as(role):
        return CliRunner().invoke(app, ["policy", *words])


def written(place: Path, text: str) -> str:
    place.write_text(text)
    return str(place)


def active(database: Database) -> str:
    with database.used_as("nastup_worker"), transaction() as session:
        return session.scalars(select(Policy.version).where(Policy.active)).one()


def test_the_shipped_file_has_no_problem(database: Database, cast: Cast, tmp_path: Path) -> None:
    done = run(database, "check", written(tmp_path / "p.toml", shipped()))
    assert done.exit_code == 0, done.output
    assert "every group in it has enough people" in done.output


def test_every_problem_of_a_file_is_said_with_where_and_what(database: Database, cast: Cast, tmp_path: Path) -> None:
    text = shipped().replace('group = "security"', 'group = "auditor"').replace('fallback = "security"', 'fallback = "it"')
    done = run(database, "check", written(tmp_path / "p.toml", text))
    assert done.exit_code == 1
    for said in ("route.employee.1.group: auditor decides nothing", "route.organisation.0.fallback:", "route.batch.1.group:"):
        assert said in done.stderr


def test_a_group_that_nobody_is_in_is_a_problem(database: Database, cast: Cast, tmp_path: Path) -> None:
    with database.superuser() as db:
        db.execute("DELETE FROM regional_role WHERE role = 'founder'")
    done = run(database, "check", written(tmp_path / "p.toml", shipped()))
    assert done.exit_code == 1
    assert "route.organisation.0: founder has 0 members, 1 have to decide" in done.stderr
    assert "route.employee.0.fallback: founder has no members" in done.stderr


def test_a_file_that_is_not_there_is_a_sentence(database: Database, cast: Cast, tmp_path: Path) -> None:
    done = run(database, "check", str(tmp_path / "none.toml"))
    assert done.exit_code == 1
    assert "cannot be read as text" in done.stderr


def test_a_file_is_checked_without_a_database_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NASTUP_DATABASE__URL", raising=False)
    settings.cache_clear()
    done = CliRunner().invoke(app, ["policy", "check", written(tmp_path / "p.toml", shipped())])
    assert done.exit_code == 0
    assert "was not looked at" in done.output


def test_a_loaded_file_is_active_and_the_operator_stands_in_the_audit(database: Database, cast: Cast, changed: Path) -> None:
    done = run(database, "load", str(changed), role="nastup_owner")
    assert done.exit_code == 0, done.output
    assert active(database) == "next"
    shown = run(database, "show").output
    assert "version next" in shown
    assert "loaded by operator " in shown


def test_a_bad_file_is_never_active(database: Database, cast: Cast, tmp_path: Path) -> None:
    bad = shipped().replace(*NEXT).replace('[[route.batch]]\ngroup = "region-it"', '[[route.batch]]\ngroup = "dpo"')
    done = run(database, "load", written(tmp_path / "p.toml", bad), role="nastup_owner")
    assert done.exit_code == 1
    assert "dpo decides nothing" in done.stderr
    assert active(database) == "2026-11-26"


@pytest.mark.parametrize("role", ["nastup_worker", "nastup_portal"])
def test_no_process_of_the_portal_can_load_one(database: Database, cast: Cast, changed: Path, role: str) -> None:
    done = run(database, "load", str(changed), role=role)
    assert done.exit_code == 1
    assert "nastup_owner only" in done.stderr
    assert active(database) == "2026-11-26"


def test_the_one_before_is_in_force_again_since_it_was_loaded_again(database: Database, cast: Cast, changed: Path, tmp_path: Path) -> None:
    for file_ in (str(changed), written(tmp_path / "p.toml", shipped())):
        assert run(database, "load", file_, role="nastup_owner").exit_code == 0
    shown = run(database, "show").output
    assert "version 2026-11-26" in shown
    assert "loaded by operator " in shown  # and not by the tests, who had loaded it first


def test_a_route_is_said_in_plain_words() -> None:
    lines = route_lines(read(shipped()))
    assert "  step 1: region-it decides within 3 working days; founder instead when nobody of them is left; always" in lines
    assert any("only when it is privileged, or when the contract is external and it is longer than 365 days" in line for line in lines)
    assert "  step 3: dpo gives an opinion within 5 working days; always" in lines
    assert lines[-1] == "approval of standard hires by a rule: off"


def test_a_stage_says_why_it_is_asked_and_why_not() -> None:
    security = read(shipped()).route["employee"][1]
    assert why(security, Facts("external", days=400)) == "asked, because the contract is external and it is longer than 365 days"
    assert why(security, Facts("employment")).startswith("not asked: it would be only when it is privileged")


def test_a_request_is_explained_with_its_facts_its_policy_and_what_would_be_asked_now(
    database: Database, cast: Cast, changed: Path
) -> None:
    request = file(cast)
    first = run(database, "explain", str(request.number))
    assert first.exit_code == 0, first.output
    assert "contract: employment, without an end" in first.output
    assert "step 2 security: not asked" in first.output
    assert "The active policy is the same, and would ask the same now." in first.output
    run(database, "load", str(changed), role="nastup_owner")
    later = run(database, "explain", str(request.number)).output
    assert f"Its policy: version 2026-11-26, {request.policy_hash}" in later
    assert "step 2 security: asked, because it is filed by the director" in later.partition("The active policy (version next")[2]


def test_a_group_that_is_asked_instead_of_another_is_explained(database: Database, cast: Cast) -> None:
    for who in (cast.approver, cast.second_approver):
        away(database, who, Regional.REGION_IT, None)
    use_policy(database, text=route('group = "region-it"\nstep = 1\nworking_days = 3\nfallback = "founder"'))
    told = run(database, "explain", str(file(cast).number)).stdout
    assert "step 1 founder instead of region-it, which has nobody: open" in told


def test_a_number_that_is_not_there_is_a_sentence(database: Database, cast: Cast) -> None:
    done = run(database, "explain", "P-2026-9999")
    assert (done.exit_code, done.stderr) == (1, "There is no request P-2026-9999.\n")


def test_a_shadow_compares_every_kind_of_request_and_counts_the_stages() -> None:
    policy = read(shipped().replace("enabled = false", "enabled = true"))
    past = [
        Past("P-1", "employee", Facts("employment", "director"), ("1 region-it",)),
        Past("P-2", "employee", Facts("employment", "director", privileged=True), ("1 region-it", "2 security")),
        Past("O-1", "organisation", Facts(), ("1 founder", "2 region-it", "3 security")),
    ]
    found = compare(past, policy)
    assert [(each.number, each.would) for each in found.differences] == [
        ("P-1", (RULE,)),
        ("O-1", ("1 founder", "2 region-it", "3 security", "3 dpo (opinion)")),
    ]
    assert (found.requests, found.had["1 region-it"], found.would["1 region-it"], found.would[RULE]) == (3, 2, 1, 1)


def test_a_shadow_of_past_requests_shows_the_differences_and_writes_nothing(database: Database, cast: Cast, changed: Path) -> None:
    same = file(cast, personal_number="2", **PRIVILEGED)
    answer(cast.approver, same)
    other = file(cast)
    by_clerk = file(cast, cast.clerk, personal_number="3")
    before = rows_of(database)
    done = run(database, "shadow", str(changed), "--days", "30")
    assert done.exit_code == 0, done.output
    assert rows_of(database) == before
    row = next(line for line in done.output.splitlines() if line.startswith(str(other.number)))
    assert row.split("  ")[1:] == ["1 region-it", "1 region-it, 2 security"], row
    assert str(same.number) not in done.output
    assert str(by_clerk.number) not in done.output
    assert "3 requests of the last 30 days, 1 of them would have been asked otherwise." in done.output
    assert "  2 security: 1 times, would have been 2" in done.output


def test_a_shadow_of_the_active_policy_differs_nowhere(database: Database, cast: Cast, tmp_path: Path) -> None:
    use_policy(database, ("enabled = false", "enabled = true"))
    file(cast)
    file(cast, personal_number="2", **PRIVILEGED)
    done = run(database, "shadow", written(tmp_path / "p.toml", shipped().replace("enabled = false", "enabled = true")))
    assert "2 requests of the last 90 days, 0 of them" in done.output
    assert "a rule: 1 times, would have been 1" in done.output


def test_a_shadow_reads_no_further_back_than_it_is_told(database: Database, cast: Cast, changed: Path) -> None:
    request = file(cast)
    with database.superuser() as db:
        db.execute("UPDATE onboarding_request SET submitted_at = now() - interval '40 days' WHERE id = %s", (request.id,))
    assert "0 requests of the last 30 days" in run(database, "shadow", str(changed), "--days", "30").output
    assert "1 requests of the last 60 days" in run(database, "shadow", str(changed), "--days", "60").output
