"""The policy as data: what it asks about which request, and which files it refuses to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from flows.approval import policies
from flows.approval.audit import Actor
from flows.approval.policy import Facts, PolicyProblems, read, shipped
from flows.model import Policy
from flows.model.session import transaction
from tests.cast import Cast
from tests.database import Database

FACTS = st.builds(
    Facts,
    contract=st.sampled_from(["employment", "agreement", "external"]),
    filed_by=st.sampled_from(["director", "deputy", "clerk", ""]),
    privileged=st.booleans(),
    above_envelope=st.booleans(),
    days=st.none() | st.integers(1, 2000),
)


def groups(facts: Facts) -> list[str]:
    return [rule.group.value for rule in read(shipped()).stages("employee", facts)]


def test_a_standard_hire_is_decided_by_the_regions_it_alone() -> None:
    assert groups(Facts("employment", "director", days=None)) == ["region-it"]


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (Facts("employment", "director", privileged=True), ["region-it", "security"]),
        (Facts("external", "clerk", days=366), ["region-it", "security"]),
        (Facts("external", "clerk", days=365), ["region-it"]),
        (Facts("external", "clerk", days=None), ["region-it", "security"]),
        (Facts("agreement", "clerk", days=None), ["region-it"]),
        (Facts("employment", "director", above_envelope=True), ["region-it", "founder"]),
        (Facts("external", "director", privileged=True, above_envelope=True), ["region-it", "security", "founder"]),
    ],
)
def test_the_route_follows_the_risk(facts: Facts, wanted: list[str]) -> None:
    assert groups(facts) == wanted


@given(FACTS)
def test_somebody_decides_about_every_request_there_can_be(facts: Facts) -> None:
    for kind in ("employee", "organisation", "batch"):
        assert any(not rule.opinion for rule in read(shipped()).stages(kind, facts))


@given(FACTS)
def test_no_rule_approves_a_privileged_person_or_one_above_the_envelope(facts: Facts) -> None:
    open_to_all = read(
        shipped().replace("enabled = false", "enabled = true").replace('filed_by = ["director", "deputy"]', "destructive = false")
    )
    if facts.privileged or facts.above_envelope:
        assert not open_to_all.standard_hires.allows(facts)


HOLES = {
    "a kind without a stage": ("[[route.batch]]", "[[route.nothing]]", "route"),
    "an unknown group": ('group = "region-it"', 'group = "the boss"', "group"),
    "an unknown word": ("working_days = 3", "working_day = 3", "working_day"),
    "a stage of those who decide nothing": ('group = "security"\nstep = 2', 'group = "auditor"\nstep = 2', "auditor decides nothing"),
    "an opinion turned into a decision": ("opinion = true", "opinion = false", "dpo decides nothing"),
    "its own fallback": (
        'group = "region-it"\nstep = 1\nworking_days = 3\nfallback = "founder"',
        'group = "region-it"\nstep = 1\nworking_days = 3\nfallback = "region-it"',
        "another group",
    ),
    "reminders after the end": ("working_days = 10", "working_days = 10\nreminders = [50, 120]", "reminders"),
    "a condition that always holds": ("when = [{ above_envelope = true }]", "when = [{}]", "empty condition"),
    "rules for every hire": ("enabled = false\nrule", "enabled = true\nrule", None),
    "no TOML": ("version = ", "version ", "not TOML"),
}


@pytest.mark.parametrize("hole", [name for name in HOLES if HOLES[name][2]])
def test_a_file_with_a_hole_is_refused_with_where_and_what(hole: str) -> None:
    was, becomes, said = HOLES[hole]
    assert was in shipped()
    with pytest.raises(PolicyProblems, match=str(said)):
        read(shipped().replace(was, becomes))


def test_a_kind_whose_every_stage_has_a_condition_is_refused() -> None:
    text = shipped().replace(
        '[[route.employee]]\ngroup = "region-it"\nstep = 1',
        '[[route.employee]]\nwhen = [{ privileged = false }]\ngroup = "region-it"\nstep = 1',
    )
    with pytest.raises(PolicyProblems, match="could pass without a decision"):
        read(text)


def test_a_stage_that_nobody_could_decide_never_becomes_active(database: Database, cast: Cast) -> None:
    text = (
        shipped()
        .replace('version = "2026-11-26"', 'version = "next"')
        .replace('group = "security"\nstep = 3', 'group = "security"\nstep = 3\ndeciders = 2')
    )
    with (
        database.used_as("nastup_owner"),
        pytest.raises(PolicyProblems, match="security has 1 members, 2 have to decide"),
        transaction() as session,
    ):
        policies.load(session, text, Actor("tests"))
    with database.used_as("nastup_owner"), transaction() as session:
        assert session.scalars(select(Policy.version)).all() == ["2026-11-26"]


def test_a_loaded_policy_is_the_active_one_and_the_one_before_is_kept(database: Database, cast: Cast) -> None:
    with database.used_as("nastup_owner"), transaction() as session:
        policies.load(session, shipped().replace('version = "2026-11-26"', 'version = "next"'), Actor("tests"))
        assert policies.active(session)[0].version == "next"
        assert sorted(session.scalars(select(Policy.version))) == ["2026-11-26", "next"]


def test_the_portal_and_the_worker_cannot_change_the_policy(database: Database, cast: Cast) -> None:
    for role in ("nastup_portal", "nastup_worker"):
        with database.used_as(role), pytest.raises(Exception, match="permission denied"), transaction() as session:
            policies.load(session, shipped().replace('version = "2026-11-26"', 'version = "mine"'), Actor("me"))
