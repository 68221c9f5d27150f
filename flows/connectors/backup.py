"""The backup system: what is wanted is written into the schema `backup`, the agents do it beside the mail store and in the vault.

The worker holds no right to any mailbox nor to the vault's files. One organisation is one tenant: its password and the key of its
repository are made here once, kept encrypted, and readable only by the agents that need them.
"""

import secrets
from typing import Any
from uuid import UUID

import bcrypt

from flows.connectors.backup_jobs import Wish, ask
from flows.connectors.base import Conflict, Gone, Held, Restored
from flows.connectors.postgres import Database, tables
from flows.model.secrets import keep_secret, key_of, password_of
from flows.plan import Enrolment, Tenant
from flows.sentence import say
from flows.settings import Backup

SILENT = say("The database of the backup does not answer.")
WORKER, BACKUP_AGENT, STORE_AGENT = "nastup_worker", "nastup_backup_agent", "nastup_store_agent"


class BackupTables:
    """The backup system over the tables that its agents read."""

    def __init__(self, settings: Backup) -> None:
        self._settings = settings

    def ensure_tenant(self, wanted: Tenant) -> Held:
        with self._tables() as db:
            _tenant(db, wanted)
            self._ask(db, Wish("store", "credential", wanted.organisation, wanted.slug))
            answer = self._ask(db, Wish("backup", "init", wanted.organisation, wanted.slug))
        return Held(answer["repository"], answer["created"], {"repository": answer["repository"]})

    def ensure(self, wanted: Enrolment) -> Held:
        with self._tables() as db:
            made = _enrolment(db, wanted)
            told = {"person": str(wanted.person), "address": wanted.address}
            try:
                answer = self._ask(db, Wish("backup", "enrol", wanted.organisation, str(wanted.person), told))
            except Conflict:
                if made:  # or the nightly round would mix this person's mail into the other's snapshots
                    self.retire(wanted.person)
                raise
        return Held(answer["snapshot"], answer["created"], {"snapshot": answer["snapshot"], "address": wanted.address, "active": True})

    def observe(self, person: UUID) -> Held | None:
        with self._tables() as db:
            if (row := _row(db, person)) is None:
                return None
            answer = self._ask(db, Wish("backup", "observe", row["organisation"], str(person), {"person": str(person)}))
        if not answer["snapshots"]:
            return None
        facts = {"snapshot": answer["snapshot"], "snapshots": answer["snapshots"], "address": row["address"], "active": row["active"]}
        return Held(answer["snapshot"], facts=facts)

    def suspend(self, person: UUID) -> Held:
        return self._set_active(person, active=False)

    def resume(self, person: UUID) -> Held:
        return self._set_active(person, active=True)

    def retire(self, person: UUID) -> None:
        with self._tables() as db:
            db.execute("DELETE FROM backup.enrolment WHERE person = %s", (person,))

    def message_is_restored(self, wanted: Enrolment, message_id: str) -> Restored:
        told = {"person": str(wanted.person), "address": wanted.address, "message_id": message_id}
        with self._tables() as db:
            answer = self._ask(db, Wish("backup", "restore", wanted.organisation, f"{wanted.person}:{message_id}", told))
        return Restored(answer["snapshot"], answer["sha256"], answer["size"], answer["seconds"])

    def _set_active(self, person: UUID, *, active: bool) -> Held:
        with self._tables() as db:
            db.execute("UPDATE backup.enrolment SET active = %s WHERE person = %s AND active <> %s", (active, person, active))
        if (held := self.observe(person)) is None:
            raise Gone(say("The mailbox is not in the backup."), f"person:{person}")
        return held

    def _ask(self, db: Database, wish: Wish) -> dict[str, Any]:
        return ask(db, wish, self._settings.answer_seconds)

    def _tables(self):
        return tables(self._settings.database.get_secret_value(), SILENT, autocommit=True)


def _tenant(db: Database, wanted: Tenant) -> None:
    found = db.execute(
        "SELECT organisation, slug FROM backup.tenant WHERE organisation = %s OR slug = %s", (wanted.organisation, wanted.slug)
    )
    if rows := found.fetchall():
        if [(row["organisation"], row["slug"]) for row in rows] != [(wanted.organisation, wanted.slug)]:
            raise Conflict(say("The backup named %(name)s belongs to another organisation.", name=wanted.slug), "tenant.slug")
        return
    password = keep_secret(db, password_of(wanted.slug), [WORKER, BACKUP_AGENT], lambda: secrets.token_urlsafe(24))
    keep_secret(db, key_of(wanted.slug), [WORKER, BACKUP_AGENT, STORE_AGENT], lambda: secrets.token_urlsafe(32))
    # cost 4 is honest for 192 random bits; cost 10 would be 59 ms for each of a snapshot's many requests
    credential = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    db.execute(
        "INSERT INTO backup.tenant (organisation, slug, credential) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (wanted.organisation, wanted.slug, credential),
    )


def _enrolment(db: Database, wanted: Enrolment) -> bool:
    """The row of the mailbox as wanted; True when it was made now."""
    if db.execute("SELECT 1 FROM backup.tenant WHERE organisation = %s", (wanted.organisation,)).fetchone() is None:
        raise Gone(say("The organisation has no backup."), f"tenant {wanted.slug}")
    made = db.execute(
        "INSERT INTO backup.enrolment (person, organisation, address) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING person",
        (wanted.person, wanted.organisation, wanted.address),
    ).fetchone()
    rows = db.execute("SELECT * FROM backup.enrolment WHERE person = %s OR address = %s", (wanted.person, wanted.address)).fetchall()
    same = [(row["person"], row["organisation"], row["address"]) for row in rows]
    if same != [(wanted.person, wanted.organisation, wanted.address)]:
        raise Conflict(say("The mailbox %(address)s is in the backup of another person.", address=wanted.address), "enrolment")
    if not rows[0]["active"]:
        db.execute("UPDATE backup.enrolment SET active = true WHERE person = %s", (wanted.person,))
    return made is not None


def _row(db: Database, person: UUID) -> dict[str, Any] | None:
    return db.execute("SELECT organisation, address, active FROM backup.enrolment WHERE person = %s", (person,)).fetchone()
