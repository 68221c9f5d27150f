"""The backup agent: runs as the mail servers' user beside the mail store. The only program of ours that reads mail.

It makes repositories, takes a snapshot of every enrolled mailbox each night and on demand, and gives one message back to prove it.
The server takes new data only: this agent can neither delete nor overwrite what it once stored.
"""

import hashlib
import os
import shutil
import ssl
import tempfile
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx2

from flows.agents.jobs import Job, Office, forget_old, serve
from flows.agents.maildir import as_imap_gives, find_message, home_of, name_of
from flows.agents.night import Nightly
from flows.agents.restic import Repository, WrongKey
from flows.connectors.base import Conflict, Gone, Misconfigured, Unavailable
from flows.connectors.postgres import Database
from flows.model.secrets import key_of, password_of, read_secret
from flows.sentence import say
from flows.settings import BackupAgent, load

# the servers make these anew; they change at every look into the mailbox
LEFT_OUT = ("dovecot.index*", "dovecot.list.index*", "*.lock")
RESTORED = "restored-"
LISTS = {"Accept": "application/vnd.x.restic.rest.v2"}  # without it the server answers 400 to a list
CREDENTIAL_SECONDS = 5  # the vault reads a new credential about a second after it was written


class Mailboxes:
    """What the agent can do. Every method answers a job of `backup.job` and may be called any number of times."""

    def __init__(self, settings: BackupAgent) -> None:
        self._settings = settings
        self._trust = ssl.create_default_context(cafile=str(settings.certificate) if settings.certificate else None)

    def init(self, db: Database, job: Job) -> dict[str, Any]:
        repository = self._repository(db, job)
        created = not self._exists(db, job)
        if created:
            self._refuse_half_made(db, job)
            repository.init()
        _open(repository)
        db.execute("UPDATE backup.tenant SET initialised = now() WHERE organisation = %s AND initialised IS NULL", (job.organisation,))
        return {"repository": job.slug, "created": created}

    def enrol(self, db: Database, job: Job) -> dict[str, Any]:
        person, address = job.arguments["person"], job.arguments["address"]
        repository = self._existing(db, job)
        known = repository.snapshots(f"mailbox:{address}")
        if any(f"person:{person}" not in one.tags for one in known):
            raise Conflict(say("The backup holds a mailbox %(address)s of another person.", address=address), "tag person")
        if known:
            return {"snapshot": known[-1].id, "created": False}
        return {"snapshot": self._snapshot(repository, person, address), "created": True}

    def observe(self, db: Database, job: Job) -> dict[str, Any]:
        seen = self._existing(db, job).snapshots(f"person:{job.arguments['person']}")
        return {"snapshot": seen[-1].id if seen else None, "snapshots": len(seen)}

    def snapshot(self, db: Database, job: Job) -> dict[str, Any]:
        return {"snapshot": self._snapshot(self._existing(db, job), job.arguments["person"], job.arguments["address"])}

    def restore(self, db: Database, job: Job) -> dict[str, Any]:
        """A snapshot of the mailbox as it is now, and one message out of it, compared byte for byte with the one in the store."""
        started, told = time.monotonic(), job.arguments
        repository = self._existing(db, job)
        home = home_of(self._settings.mail_store, told["address"])
        name, stored = _read(home, told["message_id"])
        snapshot = self._snapshot(repository, told["person"], told["address"])
        with tempfile.TemporaryDirectory(prefix=RESTORED, dir=self._settings.workspace) as target:
            repository.restore(snapshot, Path(target), name)
            restored = _only_file(Path(target), name)
        if restored != stored:
            raise Misconfigured(say("The backup gave back something else than was stored."), f"{len(restored)} bytes, {len(stored)} stored")
        message = as_imap_gives(restored)
        seconds = round(time.monotonic() - started, 3)
        return {"snapshot": snapshot, "sha256": hashlib.sha256(message).hexdigest(), "size": len(message), "seconds": seconds}

    def tonight(self, db: Database, day: date, moment: datetime) -> None:
        """A wish for every mailbox that was enrolled at that moment; one per mailbox and day, whoever wishes it."""
        db.execute(
            """
            INSERT INTO backup.job (agent, kind, key, organisation, arguments, urgent)
            SELECT 'backup', 'snapshot', key, organisation, jsonb_build_object('person', person, 'address', address), false
            FROM (SELECT *, format('snapshot:%%s:%%s', %(day)s::date, person) AS key FROM backup.enrolment) e
            WHERE active AND created < %(moment)s AND NOT EXISTS (SELECT FROM backup.job j WHERE j.key = e.key)
            ON CONFLICT DO NOTHING
            """,
            {"day": day, "moment": moment},
        )
        forget_old(db, "backup")

    def _snapshot(self, repository: Repository, person: str, address: str) -> str:
        home = home_of(self._settings.mail_store, address)
        return repository.backup(home, [f"person:{person}", f"mailbox:{address}"], LEFT_OUT)

    def _existing(self, db: Database, job: Job) -> Repository:
        if not self._exists(db, job):
            raise Gone(say("The repository is not in the backup."), f"tenant {job.slug}")
        return self._repository(db, job)

    def _repository(self, db: Database, job: Job) -> Repository:
        place, settings = self._settings.repository.removeprefix("https://").rstrip("/"), self._settings
        address = f"rest:https://{job.slug}:{_secret(db, password_of(job.slug))}@{place}/{job.slug}/main/"
        return Repository(address, _secret(db, key_of(job.slug)), settings.workspace, settings.workspace / "cache", settings.certificate)

    def _exists(self, db: Database, job: Job) -> bool:
        """Asked by plain HTTP: restic repeats a missing or refused file for half a minute and tells them apart by words only."""
        deadline = time.monotonic() + CREDENTIAL_SECONDS
        while (status := self._ask(db, job, "HEAD", "config").status_code) in (401, 403) and time.monotonic() < deadline:
            time.sleep(0.2)
        if status in (401, 403):
            raise Misconfigured(say("The backup server refuses the agent's credential."), f"status {status}")
        if status not in (200, 404):
            raise Unavailable(say("The backup server does not answer."), f"status {status}")
        return status == 200

    def _refuse_half_made(self, db: Database, job: Job) -> None:
        """A key without a config: another agent is just making it, or was killed in the middle (then the store agent clears it away)."""
        keys = self._ask(db, job, "GET", "keys/")
        if keys.status_code not in (200, 404):
            raise Unavailable(say("The backup server does not answer."), f"status {keys.status_code}")
        if keys.status_code == 200 and keys.json():
            raise Unavailable(say("The repository is just being made."), "keys without a config", after=30)

    def _ask(self, db: Database, job: Job, method: str, what: str) -> httpx2.Response:
        address = f"{self._settings.repository.rstrip('/')}/{job.slug}/main/{what}"
        login = (job.slug, _secret(db, password_of(job.slug)))
        try:
            return httpx2.request(method, address, auth=login, headers=LISTS, verify=self._trust, timeout=10)
        except httpx2.HTTPError as error:
            raise Unavailable(say("The backup server does not answer."), type(error).__name__) from None


def _open(repository: Repository) -> None:
    try:
        repository.open()
    except WrongKey:
        raise Conflict(say("The backup holds a repository of that name that our key does not open."), "wrong key") from None


def _secret(db: Database, name: str) -> str:
    if (value := read_secret(db, name)) is None:
        raise Misconfigured(say("The agent of the backup may not read the tenant's credential."), name)
    return value


def _read(home: Path, message_id: str) -> tuple[str, bytes]:
    """(stable name, bytes) of a message; a mail program may move the file between finding and reading it."""
    try:
        file = find_message(home, message_id)
        return name_of(file), file.read_bytes()
    except FileNotFoundError:
        file = find_message(home, message_id)
        return name_of(file), file.read_bytes()


def _only_file(target: Path, name: str) -> bytes:
    found = [file for file in target.rglob("*") if file.is_file() and name_of(file) == name]
    if len(found) != 1:
        raise Unavailable(say("The message was not in the snapshot."), f"{len(found)} files restored")
    return found[0].read_bytes()


def main() -> None:
    """The agent's process, with the settings of NASTUP_SETTINGS_FILE."""
    settings = load().need(BackupAgent)
    os.umask(0o077)
    for left in settings.workspace.glob(f"{RESTORED}*"):  # mail of a restore that was killed
        shutil.rmtree(left, ignore_errors=True)
    mailboxes = Mailboxes(settings)
    handlers = {name: getattr(mailboxes, name) for name in ("init", "enrol", "observe", "snapshot", "restore")}
    nightly = Nightly(load().snapshots.nightly, mailboxes.tonight)
    serve(Office("backup", settings.database.get_secret_value(), handlers, nightly), threads=2)
