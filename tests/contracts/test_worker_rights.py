"""What the worker's service account is refused in Keycloak, and what a suspended person is refused everywhere."""

from collections.abc import Iterator

import httpx2
import pytest

from flows.connectors.base import Misconfigured, Unavailable
from flows.connectors.keycloak import KeycloakIdentity
from flows.connectors.mail import MailTables
from flows.settings import Keycloak, Mail, Settings
from infra.demo.mailbox import use_mailbox
from infra.demo.people import mail_token
from infra.demo.trouble import NotProved
from infra.seed.credentials import Credentials
from infra.state import State
from tests.contracts.conftest import Newcomer

pytestmark = pytest.mark.servers

PASSWORD = "Dlouhé-heslo-2026"
REFUSED = 403


@pytest.fixture
def account(worker: Settings) -> Iterator[httpx2.Client]:
    """Keycloak's administration as the worker's service account sees it."""
    settings = worker.need(Keycloak)
    form = {"grant_type": "client_credentials", "client_id": settings.client_id, "client_secret": settings.client_secret.get_secret_value()}
    answer = httpx2.post(f"{settings.address}/realms/{settings.realm}/protocol/openid-connect/token", data=form, timeout=15)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    with httpx2.Client(base_url=f"{settings.address}/admin/realms/{settings.realm}", headers=headers, timeout=15) as client:
        yield client


@pytest.fixture
def person(worker: Settings, zofie: Newcomer, administrator: httpx2.Client) -> str:
    """Žofie has an account with a password, and a mailbox; the id of her account."""
    mail = MailTables(worker.need(Mail))
    mail.ensure_domain(zofie.mail_domain)
    mail.ensure(zofie.mailbox)
    account = KeycloakIdentity(worker.need(Keycloak)).ensure(zofie.account).remote_id
    body = {"type": "password", "value": PASSWORD, "temporary": False}
    assert administrator.put(f"/users/{account}/reset-password", json=body).status_code == 204
    return account


def test_the_worker_may_not_make_a_role_or_a_client(account: httpx2.Client, zofie: Newcomer) -> None:
    assert account.post("/roles", json={"name": zofie.slug}).status_code == REFUSED
    assert account.post("/clients", json={"clientId": zofie.slug}).status_code == REFUSED


def test_the_worker_may_not_change_the_realm(account: httpx2.Client) -> None:
    assert account.put("", json={"realm": "nastup", "bruteForceProtected": False}).status_code == REFUSED
    assert account.get("/admin-events").status_code == REFUSED


def test_the_worker_may_not_become_another_person(account: httpx2.Client, person: str) -> None:
    assert account.post(f"/users/{person}/impersonation").status_code == REFUSED


def test_the_worker_may_not_give_a_role_of_the_administration(account: httpx2.Client, administrator: httpx2.Client, person: str) -> None:
    management = administrator.get("/clients", params={"clientId": "realm-management"}).json()[0]["id"]
    role = administrator.get(f"/clients/{management}/roles/realm-admin").json()

    assert account.post(f"/users/{person}/role-mappings/clients/{management}", json=[role]).status_code == REFUSED
    assert administrator.get(f"/users/{person}/role-mappings/clients/{management}").json() == []


def test_the_worker_may_do_its_work(account: httpx2.Client, person: str) -> None:
    assert account.get(f"/users/{person}").status_code == 200
    assert account.get("/organizations", params={"max": 1}).status_code == 200


def test_a_wrong_secret_is_for_it_and_a_silent_server_may_be_asked_again(worker: Settings, zofie: Newcomer) -> None:
    settings = worker.need(Keycloak)
    wrong = settings.model_copy(update={"client_secret": type(settings.client_secret)("wrong")})
    with pytest.raises(Misconfigured):
        KeycloakIdentity(wrong).observe(zofie.person)
    with pytest.raises(Misconfigured):
        KeycloakIdentity(settings.model_copy(update={"realm": "nowhere"})).observe(zofie.person)
    with pytest.raises(Unavailable):
        KeycloakIdentity(settings.model_copy(update={"address": "http://127.0.0.1:1"})).observe(zofie.person)


def test_a_suspended_person_gets_no_token_and_an_old_token_opens_no_mail(
    worker: Settings, state: State, zofie: Newcomer, person: str
) -> None:
    identity, credentials = KeycloakIdentity(worker.need(Keycloak)), Credentials(PASSWORD, "")
    token = mail_token(state, zofie.account.user_name, credentials)
    assert use_mailbox(state, zofie.address, token).size > 0

    identity.suspend(zofie.person)
    with pytest.raises(NotProved):
        use_mailbox(state, zofie.address, token)
    with pytest.raises(NotProved):
        mail_token(state, zofie.account.user_name, credentials)

    identity.resume(zofie.person)
    with pytest.raises(NotProved):  # the session ended with the suspension: an old token does not come to life again
        use_mailbox(state, zofie.address, token)


def test_a_suspended_mailbox_opens_to_no_token(worker: Settings, state: State, zofie: Newcomer, person: str) -> None:
    token = mail_token(state, zofie.account.user_name, Credentials(PASSWORD, ""))

    MailTables(worker.need(Mail)).suspend(zofie.person)

    with pytest.raises(NotProved):
        use_mailbox(state, zofie.address, token)
