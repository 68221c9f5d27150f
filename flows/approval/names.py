"""The user name and the address of a new employee: first name, dot, family name, in plain letters, with a number when that is taken."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from anyascii import anyascii
from sqlalchemy import ColumnElement, SQLColumnExpression, func, select
from sqlalchemy.orm import Session

from flows.approval.refusals import Refusal
from flows.plan import Plan
from flows.sentence import say

SHORTEST, LONGEST = 3, 64  # characters: Keycloak wants 3, RFC 5321 gives a local part 64
MOST_NAMESAKES = 999

# what mail systems, identity servers and swindlers use; RFC 2142 for the first row
RESERVED = frozenset(
    [
        "abuse",
        "postmaster",
        "hostmaster",
        "webmaster",
        "noc",
        "security",
        "info",
        "support",
        "sales",
        "marketing",
        "admin",
        "administrator",
        "root",
        "system",
        "daemon",
        "mailer-daemon",
        "mailer.daemon",
        "nobody",
        "no-reply",
        "noreply",
        "no.reply",
        "do-not-reply",
        "nastup",
        "verifier",
        "dovecot",
        "postfix",
        "keycloak",
        "prefect",
        "service-account",
        "spravce",
        "podpora",
        "sekretariat",
        "reditel",
    ]
)


@dataclass(frozen=True)
class Proposal:
    """Names that are free now. `changed`: a number was added, because somebody has the plain name or it is reserved."""

    user_name: str
    address: str
    changed: bool = False


def plain_letters(text: str) -> str:
    """a-z of a name in any script: "Šťastná" -> "stastna", "Łukasz" -> "lukasz"; spaces and hyphens become one hyphen."""
    words = re.split(r"[\s\-‐‑–]+", anyascii(text).lower())
    return "-".join(letters for word in words if (letters := re.sub(r"[^a-z]", "", word)))


def as_searched(text: str) -> str:
    """What finds a user name or an address: plain letters, digits and @, one space where a name has a dot, a hyphen or a space."""
    return " ".join(re.split(r"[\s.\-]+", anyascii(text).lower())).strip()


def parted(name: SQLColumnExpression[str]) -> ColumnElement[str]:
    """A user name or an address as `as_searched` writes it."""
    return func.translate(func.lower(name), ".-", "  ")


def plain_name(given_name: str, family_name: str) -> str:
    """zofie.stastna: the first given name and all family names, at most 60 characters so that a number still fits. Never empty."""
    given, family = plain_letters(given_name).split("-")[0], plain_letters(family_name)
    name = ".".join(part for part in (given[:20], family) if part)[: LONGEST - 4].rstrip("-.")
    return name if len(name) >= SHORTEST else f"{name or 'osoba'}.osoba"


def propose(session: Session, given_name: str, family_name: str, domain: str) -> Proposal:
    """The first free pair. User name and local part are the same word, so both have to be free. Raises Refusal when none is."""
    for n, candidate in enumerate(_candidates(plain_name(given_name, family_name))):
        address = f"{candidate}@{domain}"
        if candidate not in RESERVED and not _taken(session, "user_name", candidate) and not _taken(session, "address", address):
            return Proposal(candidate, address, changed=n > 0)
    raise Refusal(say("No user name could be made of this name any more. Ask the region's IT."))


def names_of(session: Session, kept: Plan | None, given_name: str, family_name: str, domain: str) -> Proposal:
    """Those that a returned request keeps for its person already, unless the name itself is being corrected; else the first free ones."""
    if kept and plain_name(kept.account.given_name, kept.account.family_name) == plain_name(given_name, family_name):
        return Proposal(kept.account.user_name, kept.account.email)
    return propose(session, given_name, family_name, domain)


def our_domains(session: Session, domain: str) -> frozenset[str]:
    """Domains whose mail we deliver, those of other organisations too: a private address must be outside."""
    return frozenset(session.scalars(select(func.managed_domains()))) | {domain}


def _candidates(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}{n}" for n in range(2, MOST_NAMESAKES + 1))


def _taken(session: Session, kind: str, name: str) -> bool:
    return bool(session.scalar(select(func.name_taken(kind, name))))
