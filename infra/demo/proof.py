"""The proof as a value (the last line of `run --check`) and as a block that a person reads."""

from collections.abc import Mapping
from typing import Any

from flows.connectors import registry
from infra.demo.mailbox import OwnMail
from infra.demo.records import Ledger, person_of
from infra.demo.story import NAME, PRIVATE, Story
from infra.state import State

ACCOUNT, MEMBER, MAILBOX, ENROLMENT = (
    "keycloak.ensure account",
    "keycloak.ensure membership",
    "mail.ensure mailbox",
    "backup.ensure enrolment",
)
ARRIVED, RESTORED, LINK = "mail.message comes back", "backup.message is restored", "keycloak.send activation link"


def as_dict(state: State, story: Story, held: Ledger, mail: OwnMail, repeat: Mapping[str, Any], activation: str) -> dict[str, Any]:
    """{"request", "state", "identity", "mailbox", "backup", "repeat", "seconds"}: ids, hashes (sha256, hex) and seconds; no secret."""
    credentials = registry.identity().credentials(person_of(story.number))
    return {
        "request": story.number,
        "state": held.state,
        "identity": {
            "account": held.held[ACCOUNT]["id"],
            "user_name": story.user_name,
            "organisation": str(held.held[MEMBER]["id"]).split("/", maxsplit=1)[0],
            "activation_mail": PRIVATE,
            "activation": activation,
            "password": credentials.password,
            "second_factors": credentials.second_factors,
        },
        "mailbox": {
            "address": story.address,
            "arrived_sha256": held.fact(ARRIVED, "sha256"),
            "arrived_seconds": held.fact(ARRIVED, "seconds"),
            "own_token_login": {"messages_found": mail.messages_before},
            "own_message_sha256": mail.sha256,
            "own_message_seconds": mail.seconds,
        },
        "backup": {
            "snapshot": held.fact(RESTORED, "snapshot"),
            "restored_sha256": held.fact(RESTORED, "sha256"),
            "size": held.fact(RESTORED, "size"),
            "same": held.fact(RESTORED, "sha256") == held.fact(ARRIVED, "sha256"),
        },
        "repeat": dict(repeat),
        "seconds": dict(story.seconds),
        "page": f"{state.address('portal')}/requests/{story.number}",
    }


def show(proof: Mapping[str, Any]) -> None:
    identity, mailbox, backup, repeat = (proof[name] for name in ("identity", "mailbox", "backup", "repeat"))
    counted = repeat["counted"]
    lines = [
        "",
        f"  Proof: {NAME}, request {proof['request']}, {proof['state']}",
        f"    account    {identity['user_name']}  {identity['account']}",
        f"               member of organisation {identity['organisation']}",
        f"               activation letter to {identity['activation_mail']}: {identity['activation']}; "
        f"at Keycloak: {'a password' if identity['password'] else 'NO PASSWORD'}, {identity['second_factors']} second factor",
        f"    mailbox    {mailbox['address']}, opened by IMAP with her own token",
        f"               proof message  sha256 {mailbox['arrived_sha256']}  ({mailbox['arrived_seconds']} s)",
        f"               her own letter sha256 {mailbox['own_message_sha256']}  ({mailbox['own_message_seconds']} s)",
        f"    backup     snapshot {backup['snapshot']}",
        f"               restored       sha256 {backup['restored_sha256']}  {'the same bytes' if backup['same'] else 'DIFFERENT BYTES'}",
        f"    repeats    the same flow again: {repeat['remote_writes']} writes at the servers "
        f"(admin events {counted['keycloak']}, row versions of mail tables {counted['mail']}, snapshots {counted['backup']})",
        "               with an empty ledger: found again "
        + ", ".join(f"{count} in {system}" for system, count in repeat["adopted"].items())
        + ", made 0",
        "    seconds    " + f"\n{' ' * 15}".join(f"{seconds:8.3f}  {step}" for step, seconds in proof["seconds"].items()),
        "",
    ]
    print("\n".join(lines), flush=True)
