"""The store agent: runs as the vault's user beside its files. Writes the credentials file and keeps the retention, nothing else.

The vault takes new data only, so retention runs here, by the local path of the repositories.
"""

import fcntl
import os
import shutil
from datetime import date, datetime, time
from pathlib import Path
from time import time as clock
from typing import Any

from flows.agents.jobs import Job, Office, forget_old, serve
from flows.agents.night import Nightly
from flows.agents.restic import Repository, WrongKey
from flows.connectors.base import Conflict, Misconfigured
from flows.connectors.postgres import Database
from flows.model.secrets import key_of, read_secret
from flows.sentence import say
from flows.settings import StoreAgent, load

BEING_MADE = 60  # seconds; measured 2-3
RETENTION_AT = time(4, 30)  # the nightly snapshots are over; pruning keeps clients out of a repository


class Vault:
    """What the agent can do. Every method answers a job of `backup.job` and may be called any number of times."""

    def __init__(self, settings: StoreAgent) -> None:
        self._settings = settings

    def credential(self, db: Database, job: Job) -> dict[str, Any]:
        """The tenant's line stands in the credentials file, and no half made repository is in the way."""
        tenant = db.execute("SELECT credential, credential_set FROM backup.tenant WHERE organisation = %s", (job.organisation,)).fetchone()
        if tenant is None:
            raise Misconfigured(say("The tenant of the backup is not known."), job.slug)
        created = set_credential(self._settings.credentials, job.slug, tenant["credential"], ours=tenant["credential_set"] is not None)
        clear_half_made(self._settings.repositories / job.slug / "main")
        db.execute(
            "UPDATE backup.tenant SET credential_set = now() WHERE organisation = %s AND credential_set IS NULL", (job.organisation,)
        )
        return {"created": created}

    def retain(self, db: Database, job: Job) -> dict[str, Any]:
        """Forgets and prunes what is older than the retention."""
        place = self._settings.repositories / job.slug / "main"
        if not (place / "config").exists():
            return {"retained": False}
        if (key := read_secret(db, key_of(job.slug))) is None:
            raise Misconfigured(say("The agent of the backup may not read the tenant's credential."), key_of(job.slug))
        try:
            Repository(str(place), key, self._settings.repositories).keep(load().snapshots.keep_daily)
        except WrongKey:
            raise Conflict(say("The backup holds a repository of that name that our key does not open."), "wrong key") from None
        return {"retained": True}

    def tonight(self, db: Database, day: date, _moment: datetime) -> None:
        """A wish for every tenant; one per tenant and day, whoever wishes it."""
        db.execute(
            """
            INSERT INTO backup.job (agent, kind, key, organisation, urgent)
            SELECT 'store', 'retain', key, organisation, false
            FROM (SELECT *, format('retain:%%s:%%s', %(day)s::date, slug) AS key FROM backup.tenant) t
            WHERE initialised IS NOT NULL AND NOT EXISTS (SELECT FROM backup.job j WHERE j.key = t.key)
            ON CONFLICT DO NOTHING
            """,
            {"day": day},
        )
        forget_old(db, "store")


def set_credential(file: Path, login: str, credential: str, *, ours: bool) -> bool:
    """The line `login:credential`; True when it was written now. `ours`: a line of that name was written by us before.

    Raises Conflict when somebody else's line of that name is there. Written beside and renamed under a lock: the vault reads the file
    at any moment, and two agents may write at once.
    """
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = file.read_text().splitlines() if file.exists() else []
        found = next((line for line in lines if line.partition(":")[0] == login), None)
        if found == f"{login}:{credential}":
            return False
        if found and not ours:
            raise Conflict(say("The backup server knows %(name)s already and it is not ours.", name=login), "credentials file")
        kept = [line for line in lines if line.partition(":")[0] != login]
        fresh = file.with_suffix(".new")
        fresh.write_text("\n".join([*kept, f"{login}:{credential}"]) + "\n")
        os.replace(fresh, file)
        return True


def clear_half_made(repository: Path) -> bool:
    """Removes a repository whose making was cut off between its key and its config; True when there was one.

    restic 0.14 would make a second key and then fail for ever, because it may take the first one for the config of the second. Younger
    than a minute it may still be in the making; with a snapshot in it, it is no half made one.
    """
    keys = [file.stat().st_mtime for file in repository.glob("keys/*")]
    if (repository / "config").exists() or not keys or clock() - max(keys) < BEING_MADE or any(repository.glob("snapshots/*")):
        return False
    shutil.rmtree(repository)
    return True


def main() -> None:
    """The agent's process, with the settings of NASTUP_SETTINGS_FILE."""
    settings = load().need(StoreAgent)
    os.umask(0o077)
    vault = Vault(settings)
    nightly = Nightly(RETENTION_AT, vault.tonight)
    serve(
        Office("store", settings.database.get_secret_value(), {"credential": vault.credential, "retain": vault.retain}, nightly), threads=1
    )
