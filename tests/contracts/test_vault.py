"""What the backup server refuses to the one who holds a tenant's own credential: the promise that a stolen key deletes nothing."""

import json
import ssl
import subprocess
from pathlib import Path

import httpx2
import psycopg
import pytest

from flows.connectors.backup import BackupTables, key_of, password_of
from flows.connectors.mail import MailTables
from flows.model.secrets import read_secret
from flows.settings import Backup, Mail, Settings
from infra.servers import postgres
from infra.state import State
from tests.contracts.conftest import Newcomer, newcomer

pytestmark = pytest.mark.servers


class Vault:
    """The server as a client with this login sees it: plain HTTP and restic."""

    def __init__(self, state: State, slug: str, password: str, key: str, workspace: Path) -> None:
        self.slug, self.password, self.key = slug, password, key
        self._place, self._certificate = f"127.0.0.1:{state.port('vault')}", str(state.path("tls", "vault.crt"))
        self._workspace = workspace

    def http(self, method: str, path: str, content: bytes | None = None) -> int:
        trust = ssl.create_default_context(cafile=self._certificate)
        address, login = f"https://{self._place}/{path}", (self.slug, self.password)
        return httpx2.request(method, address, auth=login, verify=trust, content=content, timeout=15, follow_redirects=True).status_code

    def restic(
        self, *words: str, owner: str | None = None, password: str | None = None, key: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """`owner`: whose repository. Ends after 3 seconds: restic repeats what is refused for minutes."""
        address = f"rest:https://{self.slug}:{password or self.password}@{self._place}/{owner or self.slug}/main/"
        secret = {"RESTIC_REPOSITORY": address, "RESTIC_PASSWORD": key or self.key, "HOME": str(self._workspace), "PATH": "/usr/bin:/bin"}
        words = ("timeout", "3", "restic", "--cacert", self._certificate, "--no-cache", *words)
        return subprocess.run(words, env=secret, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def vault(worker: Settings, state: State, tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """Žofie's organisation with one snapshot in it; every test leaves it as it was."""
    zofie = newcomer()
    mail, backup = MailTables(worker.need(Mail)), BackupTables(worker.need(Backup))
    mail.ensure_domain(zofie.mail_domain)
    mail.ensure(zofie.mailbox)
    backup.ensure_tenant(zofie.tenant)
    backup.ensure(zofie.enrolment)
    with psycopg.connect(postgres.dsn(state, "nastup_worker", "portal")) as db:
        password, key = read_secret(db, password_of(zofie.slug)), read_secret(db, key_of(zofie.slug))
    assert password
    assert key
    return Vault(state, zofie.slug, password, key, tmp_path_factory.mktemp("vault"))


def test_the_tenant_itself_reads_its_snapshot(vault: Vault) -> None:
    done = vault.restic("snapshots", "--json", "--no-lock")
    assert done.returncode == 0, done.stderr
    assert "mailbox:" in done.stdout


def test_a_wrong_password_is_refused(vault: Vault) -> None:
    done = vault.restic("cat", "config", "--no-lock", password="wrong")
    assert done.returncode
    assert "401" in done.stderr


def test_a_wrong_key_opens_nothing(vault: Vault) -> None:
    done = vault.restic("cat", "config", "--no-lock", key="wrong")
    assert done.returncode
    assert "wrong password or no key found" in done.stderr


def test_another_tenant_is_refused_even_by_a_detour(vault: Vault, worker: Settings, stranger: Newcomer) -> None:
    BackupTables(worker.need(Backup)).ensure_tenant(stranger.tenant)

    assert vault.http("GET", f"{stranger.slug}/main/config") in (401, 403)
    for detour in ("..", "%2e%2e", "main/%2e%2e/%2e%2e", "main/keys/..%2f..%2f.."):
        assert vault.http("GET", f"{vault.slug}/{detour}/{stranger.slug}/main/config") in (400, 401, 403, 404)
    assert vault.http("GET", f"{vault.slug}/main/config") == 200


def test_deleting_is_refused(vault: Vault) -> None:
    snapshot = _snapshot(vault)

    assert vault.http("DELETE", f"{vault.slug}/main/snapshots/{snapshot}") == 403
    assert vault.restic("forget", snapshot, "--prune").returncode
    assert _snapshot(vault) == snapshot


def test_overwriting_is_refused(vault: Vault) -> None:
    snapshot = _snapshot(vault)

    assert vault.http("POST", f"{vault.slug}/main/snapshots/{snapshot}", b"something else") == 403
    assert vault.http("POST", f"{vault.slug}/main/config", b"something else") == 403
    assert _snapshot(vault) == snapshot


def test_the_worker_cannot_answer_for_an_agent(state: State) -> None:
    with psycopg.connect(postgres.dsn(state, "nastup_worker", "portal"), autocommit=True) as db:
        for forged in ("UPDATE backup.job SET state = 'done', finished = now()", "UPDATE backup.tenant SET initialised = now()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(forged)


def test_the_store_agent_may_not_read_a_password_nor_the_portal_any_secret(vault: Vault, state: State) -> None:
    seen = {}
    for role in ("nastup_worker", "nastup_backup_agent", "nastup_store_agent"):
        with psycopg.connect(postgres.dsn(state, role, "portal")) as db:
            seen[role] = [read_secret(db, name) is not None for name in (password_of(vault.slug), key_of(vault.slug))]
    with psycopg.connect(postgres.dsn(state, "nastup_portal", "portal")) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("SELECT * FROM secret")

    assert seen == {"nastup_worker": [True, True], "nastup_backup_agent": [True, True], "nastup_store_agent": [False, True]}


def _snapshot(vault: Vault) -> str:
    found = json.loads(vault.restic("snapshots", "--json", "--no-lock").stdout)
    assert len(found) == 1
    return found[0]["id"]
