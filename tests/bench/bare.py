"""The same work for one person without Nástup: plain HTTP to Keycloak, INSERTs, SMTP and IMAP; no ledger, no Prefect, no look beforehand.

Only the backup goes through its connector: nobody but the agents may read a mailbox or write into the vault, so there is no barer way.
"""

import imaplib
import smtplib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx2
import psycopg

from flows.connectors import registry
from flows.connectors.mail_proof import proof_message
from flows.connectors.smtp import trust
from flows.plan import Enrolment
from flows.settings import Keycloak, Mail, load
from infra.seed.cast import Place

SECONDS = 30
TOKEN_LIVES = 40  # seconds; Keycloak's own life of it is a minute


@dataclass(frozen=True)
class Newcomer:
    person: UUID
    address: str


class Bare:
    """One client per thread, one token for all."""

    def __init__(self, place: Place) -> None:
        self.place, self.keycloak, self.mail = place, load().need(Keycloak), load().need(Mail)
        self.trust, self.lock, self.token = trust(self.mail.certificate), threading.Lock(), ("", 0.0)
        self.http = httpx2.Client(base_url=f"{self.keycloak.address}/admin/realms/{self.keycloak.realm}", timeout=SECONDS)
        found = self.ask("GET", "/organizations", params={"q": f"organisation_id:{place.id}"}).json()
        self.organisation = str(found[0]["id"])

    def seconds_for(self, people: int, at_once: int) -> float:
        """Wall time for that many people."""
        mark = uuid4().hex[:8]
        newcomers = [Newcomer(uuid4(), f"holy.{mark}.{n}@{self.place.domain}") for n in range(people)]
        began = time.monotonic()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self.onboard, newcomers))
        return time.monotonic() - began

    def onboard(self, who: Newcomer) -> None:
        name, domain = who.address.split("@")
        user = {"username": name, "email": who.address, "firstName": "Holý", "lastName": "Výkon", "enabled": True}
        made = self.ask("POST", "/users", json=user | {"attributes": {"person_id": [str(who.person)]}})
        account = made.headers["location"].rpartition("/")[2]
        self.ask("POST", f"/organizations/{self.organisation}/members", content=account, headers={"content-type": "application/json"})
        self.ask("GET", f"/users/{account}")
        dsn = self.mail.database.get_secret_value().replace("+psycopg", "")
        with psycopg.connect(dsn) as db:
            row = (who.address, domain, str(who.person), 10 * 10**9)
            db.execute("INSERT INTO mailbox (address, domain, external_id, quota_bytes) VALUES (%s, %s, %s, %s)", row)
        message_id = self.send(who.address)
        self.read(who.address, message_id, lambda _imap, _uid: None)
        wanted = Enrolment(who.person, self.place.id, self.place.slug, who.address)
        registry.backup().ensure(wanted)
        registry.backup().message_is_restored(wanted, message_id)
        self.read(who.address, message_id, lambda imap, uid: imap.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
        with psycopg.connect(dsn) as db:
            insert = "INSERT INTO activation (address, private_address, expires) VALUES (%s, %s, now() + interval '1 day')"
            db.execute(insert, (who.address, f"{name}@posta.example"))
        lifespan = {"lifespan": 86400, "client_id": self.keycloak.activation_client, "redirect_uri": self.keycloak.activation_return}
        self.ask("PUT", f"/users/{account}/execute-actions-email", params=lifespan, json=["UPDATE_PASSWORD", "CONFIGURE_TOTP"])

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **rest: object) -> httpx2.Response:
        told = {"Authorization": f"Bearer {self.bearer()}"} | (headers or {})
        return self.http.request(method, path, headers=told, **rest).raise_for_status()  # type: ignore[arg-type]

    def bearer(self) -> str:
        with self.lock:
            if time.monotonic() - self.token[1] > TOKEN_LIVES:
                form = {"grant_type": "client_credentials", "client_id": self.keycloak.client_id}
                form["client_secret"] = self.keycloak.client_secret.get_secret_value()
                address = f"{self.keycloak.address}/realms/{self.keycloak.realm}/protocol/openid-connect/token"
                self.token = (httpx2.post(address, data=form, timeout=SECONDS).raise_for_status().json()["access_token"], time.monotonic())
            return self.token[0]

    def send(self, address: str) -> str:
        message = proof_message(self.mail, address)
        with smtplib.SMTP(self.mail.smtp_host, self.mail.smtp_port, timeout=SECONDS) as server:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=self.trust)
            server.send_message(message, self.mail.sender, [address])
        return str(message["Message-ID"])

    def read(self, address: str, message_id: str, then: Callable[[imaplib.IMAP4, str], object]) -> None:
        with imaplib.IMAP4(self.mail.imap_host, self.mail.imap_port, timeout=SECONDS) as imap:
            imap.starttls(self.trust)
            imap.login(f"{address}*{self.mail.verifier}", self.mail.verifier_secret.get_secret_value())
            imap.select("Overeni")
            for _ in range(SECONDS * 20):
                _, found = imap.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')
                if found and found[0]:
                    imap.uid("FETCH", found[0].decode(), "(BODY.PEEK[])")
                    then(imap, found[0].decode())
                    return
                time.sleep(0.05)
                imap.noop()
        raise TimeoutError(f"no message in {address}")
