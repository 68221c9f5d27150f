"""Keycloak as the identity system: python-keycloak under our rules.

The library repeats a POST after a lost answer and adopts namesakes when it is allowed to; both are switched off here, because only a
look-up by our own id (attribute `person_id`, `organisation_id`) can tell our object from a stranger's. Answers of the server contain
personal data: they are never logged nor put into an error, only their status and error code are.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from keycloak import KeycloakAdmin

from flows.connectors.base import Conflict, CredentialsSeen, Gone, Held, Unavailable
from flows.connectors.keycloak_answers import SharedToken, asked
from flows.plan import Account, Membership, OrganisationSpace
from flows.sentence import say
from flows.settings import Keycloak

ACTIVATION = ["UPDATE_PASSWORD", "CONFIGURE_TOTP"]
SECOND_FACTORS = {"otp", "webauthn"}


class KeycloakIdentity:
    """The identity system on a Keycloak realm, as the worker's service account sees it. Safe to share between threads."""

    def __init__(self, settings: Keycloak) -> None:
        self._settings = settings
        self._admin: Any = KeycloakAdmin(connection=SharedToken(settings))

    def ensure_organisation(self, wanted: OrganisationSpace) -> Held:
        def look() -> Held | None:
            found = self._organisation(wanted.organisation)
            return self._organisation_as_wanted(found, wanted) if found else None

        def create() -> Held:
            remote = asked("create organisation", self._admin.create_organization, _organisation(wanted))
            return Held(str(remote), created=True, facts={"alias": wanted.slug, "domain": wanted.domain})

        taken = say("An organisation named %(name)s is in the identity server already and is not ours.", name=wanted.slug)
        return _once(look, create, lambda detail: Conflict(taken, detail))

    def ensure(self, wanted: Account) -> Held:
        def look() -> Held | None:
            found = self._account(wanted.person)
            return self._account_as_wanted(found, wanted) if found else None

        def create() -> Held:
            remote = asked("create account", self._admin.create_user, _account(wanted), exist_ok=False)
            return Held(remote, created=True, facts={"user_name": wanted.user_name, "email": wanted.email, "enabled": wanted.enabled})

        taken = say("The user name %(name)s or its address belongs to another account of the identity server.", name=wanted.user_name)
        return _once(look, create, lambda detail: Conflict(taken, detail))

    def ensure_membership(self, wanted: Membership) -> Held:
        account, organisation = self._need_account(wanted.person), self._organisation(wanted.organisation)
        if organisation is None:
            raise Gone(say("The organisation is not in the identity server."), f"organisation_id={wanted.organisation}")
        remote = f"{organisation['id']}/{account['id']}"

        def look() -> Held | None:
            return Held(remote) if organisation["id"] in self._organisations_of(account) else None

        def create() -> Held:
            asked("add to organisation", self._admin.organization_user_add, account["id"], organisation["id"])
            return Held(remote, created=True)

        return _once(look, create, lambda detail: Conflict(say("The membership is refused by the identity server."), detail))

    def observe(self, person: UUID) -> Held | None:
        if (account := self._account(person)) is None:
            return None
        return Held(account["id"], facts={**_facts(account), "organisations": ",".join(self._organisations_of(account))})

    def suspend(self, person: UUID) -> Held:
        # in this order: a log-out alone would let the person in again, and disabling alone leaves open sessions and their tokens alive
        account = self._change(self._need_account(person), enabled=False)
        asked("log out", self._admin.user_logout, account["id"])
        return Held(account["id"], facts=_facts(account))

    def resume(self, person: UUID) -> Held:
        account = self._change(self._need_account(person), enabled=True)
        return Held(account["id"], facts=_facts(account))

    def retire(self, person: UUID) -> None:
        if account := self._account(person):
            with suppress(Gone):  # another try was faster
                asked("delete account", self._admin.delete_user, account["id"])

    def send_activation(self, person: UUID, hours: int) -> None:
        account, settings = self._need_account(person), self._settings
        asked(
            "send activation",
            self._admin.send_update_account,
            account["id"],
            ACTIVATION,
            client_id=settings.activation_client,
            lifespan=hours * 3600,
            redirect_uri=settings.activation_return,
        )

    def credentials(self, person: UUID) -> CredentialsSeen:
        account = self._need_account(person)
        entries = asked("read credentials", self._admin.get_credentials, account["id"])
        kinds, made = [entry["type"] for entry in entries], [entry["createdDate"] for entry in entries if entry.get("createdDate")]
        return CredentialsSeen(
            password="password" in kinds,
            second_factors=sum(kind in SECOND_FACTORS for kind in kinds),
            email_verified=bool(account.get("emailVerified")),
            newest=datetime.fromtimestamp(max(made) / 1000, UTC) if made else None,  # milliseconds
        )

    def _account(self, person: UUID) -> dict[str, Any] | None:
        found = asked("look up account", self._admin.get_users, {"q": f"person_id:{person}", "max": 2})
        return _only(found, f"person_id={person}")

    def _need_account(self, person: UUID) -> dict[str, Any]:
        if (account := self._account(person)) is None:
            raise Gone(say("The account is not in the identity server."), f"person_id={person}")
        return account

    def _organisation(self, organisation: UUID) -> dict[str, Any] | None:
        found = asked("look up organisation", self._admin.get_organizations, {"q": f"organisation_id:{organisation}", "max": 2})
        return _only(found, f"organisation_id={organisation}")

    def _organisations_of(self, account: dict[str, Any]) -> list[str]:
        return sorted(entry["id"] for entry in asked("read memberships", self._admin.get_user_organizations, account["id"]))

    def _account_as_wanted(self, found: dict[str, Any], wanted: Account) -> Held:
        account = self._change(found, firstName=wanted.given_name, lastName=wanted.family_name, email=wanted.email, enabled=wanted.enabled)
        return Held(account["id"], facts=_facts(account))

    def _change(self, account: dict[str, Any], **wanted: object) -> dict[str, Any]:
        """The account with these values; nothing is written when it has them."""
        if any(account.get(name) != value for name, value in wanted.items()):
            account = account | wanted  # whole, because an update without `attributes` could drop our person_id
            asked("change account", self._admin.update_user, account["id"], account)
        return account

    def _organisation_as_wanted(self, found: dict[str, Any], wanted: OrganisationSpace) -> Held:
        full = asked("read organisation", self._admin.get_organization, found["id"])
        if full.get("name") != wanted.name or {entry["name"] for entry in full.get("domains", [])} != {wanted.domain}:
            asked("change organisation", self._admin.update_organization, found["id"], full | _organisation(wanted))
        return Held(found["id"], facts={"alias": full["alias"], "domain": wanted.domain})


def _once(look: Callable[[], Held | None], create: Callable[[], Held], taken: Callable[[str], Conflict]) -> Held:
    """Look, create, on "exists" look again, on silence look again: the server has no idempotency keys, our id is the only one."""
    if held := look():
        return held
    try:
        return create()
    except Conflict as exists:
        if held := look():
            return held
        raise taken(exists.detail) from None
    except Unavailable:
        if held := look():
            return held
        raise


def _only(found: list[dict[str, Any]], what: str) -> dict[str, Any] | None:
    if len(found) > 1:
        raise Conflict(say("Several objects of the identity server carry the same id of ours."), what)
    return found[0] if found else None


def _account(wanted: Account) -> dict[str, Any]:
    """No credential: the person sets both by the activation link, nothing is handed over."""
    return {
        "username": wanted.user_name,
        "email": wanted.email,
        "firstName": wanted.given_name,
        "lastName": wanted.family_name,
        "enabled": wanted.enabled,
        "attributes": {"person_id": [str(wanted.person)]},
    }


def _organisation(wanted: OrganisationSpace) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "alias": wanted.slug,
        "enabled": True,
        "domains": [{"name": wanted.domain, "verified": True}],
        "attributes": {"organisation_id": [str(wanted.organisation)]},
    }


def _facts(account: dict[str, Any]) -> dict[str, str | bool]:
    return {"user_name": account["username"], "email": account.get("email", ""), "enabled": bool(account.get("enabled"))}
