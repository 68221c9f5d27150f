"""Passwords and second factors of the demo's cast, and of nobody else: set by Keycloak's administrator, kept in STATE/secrets/cast.json.

Real people set theirs themselves through the activation link; the worker has no part in this and could not map a role that decides.
"""

import base64
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
from pyotp.totp import TOTP

from infra.seed.cast import Member
from infra.servers.realm import administrator
from infra.state import State, write

LABEL = "demo"
KIND = {"subType": "totp", "period": 30, "digits": 6, "algorithm": "HmacSHA1"}


@dataclass(frozen=True)
class Credentials:
    """`seed`: the text that Keycloak keeps; `secret` is the same in base32, as a telephone wants it."""

    password: str
    seed: str

    @property
    def secret(self) -> str:
        return base64.b32encode(self.seed.encode()).decode().rstrip("=")

    @property
    def totp(self) -> TOTP:
        return TOTP(self.secret)


def known(state: State) -> dict[str, Credentials]:
    """Credentials by user name; empty before the first seed."""
    file = state.path("secrets", "cast.json")
    if not file.exists():
        return {}
    return {name: Credentials(**each) for name, each in json.loads(file.read_text()).items()}


def set_credentials(state: State, accounts: dict[Member, str]) -> None:
    """Gives everybody a password, a second factor and the realm role of their regional role. What is set already is left alone."""
    kept = known(state)
    kept |= {member.user_name: _fresh() for member in accounts if member.user_name not in kept}
    # written first: a start that is cut off here sets the same ones the next time
    write(state.path("secrets", "cast.json"), json.dumps({name: vars(each) for name, each in kept.items()}, indent=2) + "\n")
    with administrator(state) as keycloak, ThreadPoolExecutor(4) as pool:
        roles = {role["name"]: role for role in _ok(keycloak.get("/roles")).json()}
        for done in [pool.submit(_settle, keycloak, roles, member, remote, kept) for member, remote in accounts.items()]:
            done.result()


def forget_credentials(state: State, remote: str) -> None:
    """Removes the password and the second factors of an account: of one whose activation was cut off between its two pages."""
    with administrator(state) as keycloak:
        _forget(keycloak, remote, _ok(keycloak.get(f"/users/{remote}/credentials")).json())


def _settle(keycloak: httpx2.Client, roles: dict[str, Any], member: Member, remote: str, kept: dict[str, Credentials]) -> None:
    credentials = kept[member.user_name]
    mark = f"{LABEL} {credentials.seed[:4]}"  # which of our second factors is there: one of a lost cast.json is replaced
    present = _ok(keycloak.get(f"/users/{remote}/credentials")).json()
    if not any(each["type"] == "otp" and each.get("userLabel") == mark for each in present):
        _forget(keycloak, remote, present)
        _set(keycloak, remote, credentials, mark)
    if member.place is None and not any(
        each["name"] == member.role for each in _ok(keycloak.get(f"/users/{remote}/role-mappings/realm")).json()
    ):
        _ok(keycloak.post(f"/users/{remote}/role-mappings/realm", json=[roles[member.role]]))


def _forget(keycloak: httpx2.Client, remote: str, credentials: list[dict[str, Any]]) -> None:
    for each in credentials:
        _ok(keycloak.delete(f"/users/{remote}/credentials/{each['id']}"))


def _set(keycloak: httpx2.Client, remote: str, credentials: Credentials, mark: str) -> None:
    """The password first, the marked second factor last: who has the mark has both."""
    _ok(keycloak.put(f"/users/{remote}/reset-password", json={"type": "password", "value": credentials.password, "temporary": False}))
    account = _ok(keycloak.get(f"/users/{remote}")).json()  # whole: an update without attributes would drop our id
    second = {"type": "otp", "userLabel": mark, "secretData": json.dumps({"value": credentials.seed}), "credentialData": json.dumps(KIND)}
    _ok(keycloak.put(f"/users/{remote}", json=account | {"emailVerified": True, "credentials": [second]}))


def _fresh() -> Credentials:
    return Credentials("-".join(secrets.token_hex(3) for _ in range(3)), secrets.token_hex(10))


def _ok(answer: httpx2.Response) -> httpx2.Response:
    if answer.is_success:
        return answer
    raise RuntimeError(f"Keycloak refused {answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:200]}")
