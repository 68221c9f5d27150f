"""The realm `nastup`: settings, claims, clients, roles and the worker's four rights. May be repeated; it never removes anything."""

import hashlib
import json
from collections.abc import Generator
from typing import Any
from uuid import UUID

import httpx2

from infra.progress import Trouble
from infra.state import State

REALM = "nastup"
THEME = "nastup"
PATIENCE = 180  # seconds for one answer: a new realm makes keys, on a busy machine slowly
ADMINISTRATOR = "admin"
SENDER = "nastup@kraj.example"
ROLES = ("founder", "region-it", "security", "dpo", "it", "auditor")
WORKER_RIGHTS = ("manage-users", "view-users", "query-users", "manage-organizations")
PERSON_ID = {"name": "person_id", "displayName": "person_id", "permissions": {"view": ["admin"], "edit": ["admin"]}, "multivalued": False}

SETTLED = "nastup.settled"  # attribute of the realm

Json = dict[str, Any]


class _Token(httpx2.Auth):
    """The token of the administrator lives for a minute: a new one is taken when the old one is refused."""

    def __init__(self, state: State) -> None:
        self.state, self.token = state, ""

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        for _ in range(2):
            self.token = self.token or self._fresh()
            request.headers["Authorization"] = f"Bearer {self.token}"
            if (yield request).status_code != 401:
                return
            self.token = ""

    def _fresh(self) -> str:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMINISTRATOR}
        form["password"] = self.state.secret("keycloak_admin")
        address = f"{self.state.address('keycloak')}/realms/master/protocol/openid-connect/token"
        return httpx2.post(address, data=form, timeout=PATIENCE).raise_for_status().json()["access_token"]


def administrator(state: State) -> httpx2.Client:
    """The administrator (of the realm master) at .../admin/realms/nastup."""
    return httpx2.Client(base_url=f"{state.address('keycloak')}/admin/realms/{REALM}", auth=_Token(state), timeout=PATIENCE)


def ensure_realm(state: State) -> None:
    """Brings the realm to what stands here. It remembers what it was brought to, so a later start asks one question."""
    wanted = hashlib.sha256(
        json.dumps([_settings(state), _scopes(), _clients(state), PERSON_ID, ROLES, WORKER_RIGHTS]).encode()
    ).hexdigest()
    with administrator(state) as keycloak:
        found = keycloak.get("")
        if found.status_code == 404:
            _ok(keycloak.post(f"{state.address('keycloak')}/admin/realms", json=_settings(state)))
        elif _ok(found).json()["attributes"].get(SETTLED) == wanted:
            return
        else:
            _ok(keycloak.put("", json=_settings(state)))
        _ensure_parts(state, keycloak)
        attributes = _ok(keycloak.get("")).json()["attributes"]
        _ok(keycloak.put("", json={"attributes": attributes | {SETTLED: wanted}}))  # those that are left out would be removed


def _ensure_parts(state: State, keycloak: httpx2.Client) -> None:
    _ensure_person_id(keycloak)
    _ensure_amr_references(keycloak)
    scopes = {scope["name"]: _ensure_scope(keycloak, scope) for scope in _scopes()}
    _show_organization_ids(keycloak)
    clients = {client["clientId"]: _ensure_client(keycloak, client) for client in _clients(state)}
    for client, scope in (("portal", "nastup"), ("mail-client", "mail")):
        _ok(keycloak.put(f"/clients/{clients[client]}/default-client-scopes/{scopes[scope]}"))
    for role in ROLES:
        _ok(keycloak.post("/roles", json={"name": role}), 409)
    _give_worker_its_rights(keycloak, clients["nastup-worker"])


def give_role(keycloak: httpx2.Client, person: UUID, role: str) -> None:
    """The realm role for the account of that person, who has to have one."""
    accounts = _ok(keycloak.get("/users", params={"q": f"person_id:{person}"})).json()
    if len(accounts) != 1:
        raise Trouble("That person has no account in Keycloak yet: grant the role once the person can log in.")
    _ok(keycloak.post(f"/users/{accounts[0]['id']}/role-mappings/realm", json=[_ok(keycloak.get(f"/roles/{role}")).json()]))


def _settings(state: State) -> Json:
    return {
        "realm": REALM,
        "enabled": True,
        "displayName": "Nástup",
        "organizationsEnabled": True,
        "loginWithEmailAllowed": True,
        "duplicateEmailsAllowed": False,
        "resetPasswordAllowed": False,  # a lost password is a new activation: Keycloak's own link would go to a closed mailbox
        "loginTheme": THEME,
        "emailTheme": THEME,
        "internationalizationEnabled": True,
        "supportedLocales": ["cs", "en"],
        "defaultLocale": "cs",
        "bruteForceProtected": True,
        "failureFactor": 10,
        "passwordPolicy": "length(12) and notUsername(undefined) and notEmail(undefined)",
        "accessTokenLifespan": 300,
        "ssoSessionIdleTimeout": 1800,
        "ssoSessionMaxLifespan": 28800,
        "eventsEnabled": True,
        "adminEventsEnabled": True,
        "adminEventsDetailsEnabled": True,
        "smtpServer": {
            "host": "127.0.0.1",
            "port": str(state.port("smtp_keycloak")),
            "from": SENDER,
            "fromDisplayName": "Nástup",
            "envelopeFrom": SENDER,
        },
    }


def _scopes() -> list[Json]:
    shown = {"id.token.claim": "true", "userinfo.token.claim": "true", "access.token.claim": "true", "introspection.token.claim": "true"}
    roles = {"claim.name": "roles", "multivalued": "true", "jsonType.label": "String"}
    return [
        _scope(
            "mail",
            _mapper("aud-dovecot", "oidc-audience-mapper", shown | {"id.token.claim": "false", "included.client.audience": "dovecot"}),
        ),
        _scope(
            "nastup",
            _mapper("roles", "oidc-usermodel-realm-role-mapper", shown | roles),
            _mapper("amr", "oidc-amr-mapper", shown),
        ),
    ]


def _scope(name: str, *mappers: Json) -> Json:
    attributes = {"include.in.token.scope": "true", "display.on.consent.screen": "false"}
    return {"name": name, "protocol": "openid-connect", "attributes": attributes, "protocolMappers": list(mappers)}


def _mapper(name: str, kind: str, config: Json) -> Json:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}


def _clients(state: State) -> list[Json]:
    portal = state.address("portal")
    closed = {"standardFlowEnabled": False, "directAccessGrantsEnabled": False}
    return [
        {
            "clientId": "portal",
            "secret": state.secret("oidc_portal"),
            "redirectUris": [f"{portal}/login/callback", f"{portal}/"],
            "directAccessGrantsEnabled": False,
            "frontchannelLogout": False,
            "attributes": {
                "pkce.code.challenge.method": "S256",
                "post.logout.redirect.uris": f"{portal}/logout",
                "backchannel.logout.url": f"{portal}/logout/backchannel",
                "backchannel.logout.session.required": "true",
            },
        },
        {"clientId": "nastup-worker", "secret": state.secret("oidc_worker"), "serviceAccountsEnabled": True} | closed,
        # a role on this client would open mail to every client of full scope, so it has none and sees none
        {"clientId": "dovecot", "secret": state.secret("oidc_dovecot"), "fullScopeAllowed": False} | closed,
        {
            "clientId": "mail-client",
            "publicClient": True,
            "redirectUris": ["http://127.0.0.1/*", "http://localhost/*"],  # a mail program listens on any port of its own machine
            "directAccessGrantsEnabled": False,
            "fullScopeAllowed": False,
            "attributes": {"pkce.code.challenge.method": "S256"},
        },
    ]


def _ensure_scope(keycloak: httpx2.Client, scope: Json) -> str:
    present = {each["name"]: each["id"] for each in _ok(keycloak.get("/client-scopes")).json()}
    if scope["name"] in present:
        return present[scope["name"]]
    return _ok(keycloak.post("/client-scopes", json=scope)).headers["Location"].rsplit("/", 1)[-1]


def _ensure_client(keycloak: httpx2.Client, client: Json) -> str:
    found = _ok(keycloak.get("/clients", params={"clientId": client["clientId"]})).json()
    if not found:
        return _ok(keycloak.post("/clients", json=client)).headers["Location"].rsplit("/", 1)[-1]
    _ok(keycloak.put(f"/clients/{found[0]['id']}", json=client))
    return found[0]["id"]


def _ensure_person_id(keycloak: httpx2.Client) -> None:
    """Declares our id; attributes that are not declared are dropped silently."""
    profile = _ok(keycloak.get("/users/profile")).json()
    if all(each["name"] != "person_id" for each in profile["attributes"]):
        _ok(keycloak.put("/users/profile", json=profile | {"attributes": [*profile["attributes"], PERSON_ID]}))


def _ensure_amr_references(keycloak: httpx2.Client) -> None:
    """Names the two steps of the login, so that the claim `amr` tells the portal whether a second factor was used."""
    references = {"auth-username-password-form": "pwd", "auth-otp-form": "otp"}
    for execution in _ok(keycloak.get("/authentication/flows/browser/executions")).json():
        if (name := references.get(execution.get("providerId", ""))) and not execution.get("authenticationConfig"):
            config = {"default.reference.value": name, "default.reference.maxAge": "28800"}
            _ok(keycloak.post(f"/authentication/executions/{execution['id']}/config", json={"alias": f"nastup-{name}", "config": config}))


def _show_organization_ids(keycloak: httpx2.Client) -> None:
    """The claim `organization` carries ids: an alias may change, an id never."""
    scope = next(each for each in _ok(keycloak.get("/client-scopes")).json() if each["name"] == "organization")
    for mapper in scope["protocolMappers"]:
        if mapper["protocolMapper"] == "oidc-organization-membership-mapper":
            mapper["config"] |= {"addOrganizationId": "true", "addOrganizationAttributes": "true", "id.token.claim": "true"}
            _ok(keycloak.put(f"/client-scopes/{scope['id']}/protocol-mappers/models/{mapper['id']}", json=mapper))


def _give_worker_its_rights(keycloak: httpx2.Client, worker: str) -> None:
    account = _ok(keycloak.get(f"/clients/{worker}/service-account-user")).json()["id"]
    management = _ok(keycloak.get("/clients", params={"clientId": "realm-management"})).json()[0]["id"]
    rights = [_ok(keycloak.get(f"/clients/{management}/roles/{name}")).json() for name in WORKER_RIGHTS]
    _ok(keycloak.post(f"/users/{account}/role-mappings/clients/{management}", json=rights))


def _ok(answer: httpx2.Response, *also: int) -> httpx2.Response:
    if answer.is_success or answer.status_code in also:
        return answer
    raise RuntimeError(f"Keycloak refused {answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
