"""Dovecot and Postfix as the mail system: they read a few tables, we write them, and then look at the servers, not at the tables.

Suspended means no log-in and no sending from that moment, mail still arrives. An IMAP session that is open at that moment lives until
its client reconnects: ending it needs the mail server's own rights (`doveadm kick`), which the worker does not have.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg.errors import ForeignKeyViolation

from flows.connectors import mail_bounces, mail_proof
from flows.connectors.base import Bounce, Conflict, Delivered, Gone, Held, Refused, Unavailable
from flows.connectors.mail_servers import look_at
from flows.connectors.postgres import Database, tables
from flows.plan import Mailbox, MailDomain
from flows.sentence import say
from flows.settings import Mail

SILENT = say("The tables of the mail servers do not answer.")


class MailTables:
    """The mail system over its PostgreSQL tables (domain, mailbox, alias, activation), its SMTP and its IMAP server."""

    def __init__(self, settings: Mail) -> None:
        self._settings = settings

    def ensure_domain(self, wanted: MailDomain) -> Held:
        with self._tables() as db:
            made = db.execute(
                "INSERT INTO domain (name, organisation) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING RETURNING name",
                (wanted.domain, str(wanted.organisation)),
            ).fetchone()
            found = db.execute("SELECT organisation FROM domain WHERE name = %s", (wanted.domain,)).fetchone()
        if found is None or found["organisation"] != str(wanted.organisation):
            raise Conflict(say("The mail domain %(domain)s belongs to another organisation.", domain=wanted.domain), "domain.organisation")
        return Held(wanted.domain, created=made is not None, facts={"domain": wanted.domain})

    def ensure(self, wanted: Mailbox) -> Held:
        with self._tables() as db:
            created = _row_as_wanted(db, wanted)
        held = self._seen(wanted.address, wanted.quota_bytes, created=created)
        if not (held.facts["deliverable"] and held.facts["opens"]):
            raise Unavailable(say("The mail servers do not serve the mailbox yet."), f"seen: {dict(held.facts)}")
        return held

    def observe(self, person: UUID) -> Held | None:
        with self._tables() as db:
            row = db.execute("SELECT address, quota_bytes FROM mailbox WHERE external_id = %s", (str(person),)).fetchone()
        return self._seen(row["address"], row["quota_bytes"]) if row else None

    def suspend(self, person: UUID) -> Held:
        return self._set_active(person, active=False)

    def resume(self, person: UUID) -> Held:
        return self._set_active(person, active=True)

    def retire(self, person: UUID) -> None:
        """The row stays as a tombstone: whoever got the address anew would open the old mail that is still in the store."""
        with self._tables() as db:
            row = db.execute(
                "UPDATE mailbox SET active = false, deliverable = false, external_id = %s WHERE external_id = %s RETURNING address",
                (_retired(person), str(person)),
            ).fetchone()
            if row:
                db.execute("DELETE FROM alias WHERE source = %(address)s OR target = %(address)s", row)
                db.execute("DELETE FROM activation WHERE address = %(address)s", row)

    def message_comes_back(self, address: str) -> Delivered:
        return mail_proof.message_comes_back(self._settings, address)

    def remove_message(self, address: str, message_id: str) -> None:
        mail_proof.remove_message(self._settings, address, message_id)

    def open_activation(self, address: str, private_address: str, expires: datetime) -> None:
        domain = private_address.rpartition("@")[2].lower()
        with self._tables() as db:
            if db.execute("SELECT 1 FROM domain WHERE name = %s", (domain,)).fetchone():
                raise Refused(say("The private address must be outside the domains of the region."), "activation.private_address")
            db.execute(
                "INSERT INTO activation (address, private_address, expires) VALUES (%s, %s, %s) ON CONFLICT (address) DO UPDATE"
                " SET private_address = excluded.private_address, expires = excluded.expires, done = NULL"
                " WHERE (activation.private_address, activation.expires, activation.done)"
                " IS DISTINCT FROM (excluded.private_address, excluded.expires, NULL)",
                (address, private_address, expires),
            )

    def activation_forwarded(self, address: str) -> datetime | None:
        with self._tables() as db:
            row = db.execute("SELECT forwarded FROM activation WHERE address = %s", (address,)).fetchone()
        return row["forwarded"] if row else None  # written by the mail server's own look-up (infra/servers/sql/mail.sql)

    def close_activation(self, address: str) -> None:
        with self._tables() as db:
            db.execute("DELETE FROM activation WHERE address = %s", (address,))  # the private address is erased, not marked

    def bounces(self, since: datetime) -> Sequence[Bounce]:
        return mail_bounces.bounces(self._settings, since)

    def _set_active(self, person: UUID, *, active: bool) -> Held:
        with self._tables() as db:
            db.execute(
                "UPDATE mailbox SET active = %(active)s, deliverable = true"
                " WHERE external_id = %(person)s AND (active, deliverable) IS DISTINCT FROM (%(active)s, true)",
                {"active": active, "person": str(person)},
            )
        if (held := self.observe(person)) is None:
            raise Gone(say("The mailbox is not in the mail system."), f"external_id={person}")
        if held.facts["opens"] is not active:
            raise Unavailable(say("The mail servers have not taken over the change yet."), f"opens={held.facts['opens']}")
        return held

    def _seen(self, address: str, quota_bytes: int, *, created: bool = False) -> Held:
        seen = look_at(self._settings, address)
        quota = quota_bytes if seen.quota_bytes is None else seen.quota_bytes
        return Held(address, created, {"address": address, "quota_bytes": quota, "deliverable": seen.deliverable, "opens": seen.opens})

    def _tables(self):
        return tables(self._settings.database.get_secret_value(), SILENT)


def _row_as_wanted(db: Database, wanted: Mailbox) -> bool:
    """The row of the mailbox as wanted; True when it was made now. Untouched when nothing differs."""
    if db.execute("SELECT 1 FROM alias WHERE source = %s", (wanted.address,)).fetchone():
        raise _taken(wanted, "alias.source")  # mail to it would go elsewhere
    values = {
        "address": wanted.address,
        "domain": wanted.address.rpartition("@")[2],
        "quota": wanted.quota_bytes,
        "person": str(wanted.person),
    }
    try:
        made = db.execute(
            "INSERT INTO mailbox (address, domain, quota_bytes, external_id) VALUES (%(address)s, %(domain)s, %(quota)s, %(person)s)"
            " ON CONFLICT DO NOTHING RETURNING address",
            values,
        ).fetchone()
    except ForeignKeyViolation:
        raise Gone(say("The mail domain of the address is not served."), "mailbox.domain") from None
    if made:
        return True
    rows = db.execute("SELECT address, external_id FROM mailbox WHERE address = %(address)s OR external_id = %(person)s", values).fetchall()
    if [row["address"] for row in rows] != [wanted.address] or rows[0]["external_id"] not in (str(wanted.person), _retired(wanted.person)):
        raise _taken(wanted, "mailbox.external_id")
    db.execute(
        "UPDATE mailbox SET quota_bytes = %(quota)s, active = true, deliverable = true, external_id = %(person)s"
        " WHERE address = %(address)s"
        " AND (quota_bytes, active, deliverable, external_id) IS DISTINCT FROM (%(quota)s::bigint, true, true, %(person)s)",
        values,
    )
    return False


def _taken(wanted: Mailbox, detail: str) -> Conflict:
    return Conflict(say("The address %(address)s is taken in the mail system and is not ours.", address=wanted.address), detail)


def _retired(person: UUID) -> str:
    return f"retired:{person}"
