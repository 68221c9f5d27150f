"""The versions of the policy in the database. The operator loads one; requests remember the one they run under."""

from datetime import datetime
from functools import lru_cache

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from flows.approval.audit import Actor, record
from flows.approval.policy import KINDS, Policy, PolicyProblems, hash_of, read, shipped
from flows.approval.refusals import NoLongerOpen
from flows.model import Audit
from flows.model import Policy as PolicyRow
from flows.sentence import say


def active(session: Session) -> tuple[Policy, str]:
    """The policy of new requests and its hash. Raises NoLongerOpen in words when none was ever loaded."""
    source = session.scalar(select(PolicyRow.source).where(PolicyRow.active))
    if source is None:
        raise NoLongerOpen(say("No rules of approval are loaded yet, so nothing can be filed. Ask the region's IT."))
    return _read(source), hash_of(source)


def of_hash(session: Session, wanted: str | None) -> Policy | None:
    """A policy as it was loaded once; None for a request from before there were policies."""
    source = session.scalar(select(PolicyRow.source).where(PolicyRow.hash == wanted)) if wanted else None
    return _read(source) if source else None


def in_force(session: Session, digest: str) -> tuple[datetime | None, str]:
    """Since when a policy is the active one, and who loaded it: the newest record of that, because an older one may be loaded again."""
    mine = (Audit.action == "policy.loaded", Audit.facts["policy"].astext == digest)
    row = session.execute(select(Audit.at, Audit.actor).where(*mine).order_by(Audit.position.desc()).limit(1)).one_or_none()
    return (row[0], row[1]) if row else (None, "somebody")


def load(session: Session, text: str, by: Actor) -> str:
    """Makes the text the active policy; answers its hash. Raises PolicyProblems, and nothing changes: a bad policy is never active."""
    policy = read(text)
    if problems := unanswerable(session, policy):
        raise PolicyProblems(problems)
    digest = hash_of(text)
    session.execute(update(PolicyRow).where(PolicyRow.active, PolicyRow.hash != digest).values(active=False))
    row = session.get(PolicyRow, digest) or PolicyRow(hash=digest, version=policy.version, source=text, loaded_by=by.name)
    if not row.active:
        row.active, row.standard_hires = True, policy.standard_hires.enabled
        session.add(row)
        record(session, by, "policy.loaded", None, {"policy": digest, "version": policy.version})
    session.flush()
    return digest


def unanswerable(session: Session, policy: Policy) -> list[str]:
    """Stages that nobody could decide today: a group with fewer members than deciders."""
    problems: list[str] = []
    members = {group: _members(session, group) for rules in policy.route.values() for group in {rule.group.value for rule in rules}}
    for kind in KINDS:
        for n, rule in enumerate(policy.route[kind]):
            if members[rule.group.value] < rule.deciders:
                problems.append(f"route.{kind}.{n}: {rule.group} has {members[rule.group.value]} members, {rule.deciders} have to decide")
            if rule.fallback and not _members(session, rule.fallback.value):
                problems.append(f"route.{kind}.{n}.fallback: {rule.fallback} has no members, so nobody would be left")
    return problems


def adopt_shipped(session: Session, by: Actor) -> None:
    """The policy that comes with the product, when none is active yet. A loaded one stays."""
    if session.scalar(select(PolicyRow.hash).where(PolicyRow.active)) is None:
        load(session, shipped(), by)


def _members(session: Session, group: str) -> int:
    return session.scalar(select(func.count()).select_from(func.members_of(group).alias("m"))) or 0


@lru_cache(8)
def _read(source: str) -> Policy:
    return read(source)
