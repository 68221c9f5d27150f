"""The only place that names concrete connectors. One of each per process, made at the first use from the settings.

`use(...)` puts another one in its place, for a test with a fake or a demonstration without servers.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

from flows.connectors.base import BackupSystem, IdentitySystem, LetterPost, MailSystem, RunControl
from flows.settings import Backup, Keycloak, Mail, Prefect, load

_placed: dict[str, Any] = {}  # of the process, not of a thread: flows run in threads of the worker


def identity() -> IdentitySystem:
    return _placed.get("identity") or _identity()


def mail() -> MailSystem:
    return _placed.get("mail") or _mail()


def backup() -> BackupSystem:
    return _placed.get("backup") or _backup()


def letters() -> LetterPost:
    return _placed.get("letters") or _letters()


def runs() -> RunControl:
    return _placed.get("runs") or _runs()


@contextmanager
def use(
    *,
    identity: IdentitySystem | None = None,
    mail: MailSystem | None = None,
    backup: BackupSystem | None = None,
    letters: LetterPost | None = None,
    runs: RunControl | None = None,
) -> Generator[None]:
    """The given ones inside the block, the configured ones for the rest and afterwards."""
    before = dict(_placed)
    given = {"identity": identity, "mail": mail, "backup": backup, "letters": letters, "runs": runs}
    _placed.update({name: system for name, system in given.items() if system is not None})
    try:
        yield
    finally:
        _placed.clear()
        _placed.update(before)


def forget() -> None:
    """Makes all anew at the next use: the settings of this process have changed."""
    for made in (_identity, _mail, _backup, _letters, _runs):
        made.cache_clear()


# Imported where they are made: each drags in a client library, and a process pays only for what it uses.


@cache
def _identity() -> IdentitySystem:
    from flows.connectors.keycloak import KeycloakIdentity

    return KeycloakIdentity(load().need(Keycloak))


@cache
def _mail() -> MailSystem:
    from flows.connectors.mail import MailTables

    return MailTables(load().need(Mail))


@cache
def _backup() -> BackupSystem:
    from flows.connectors.backup import BackupTables

    return BackupTables(load().need(Backup))


@cache
def _letters() -> LetterPost:
    from flows.connectors.letters import SmtpLetters

    return SmtpLetters(load().need(Mail))


@cache
def _runs() -> RunControl:
    from flows.connectors.runs import PrefectRuns

    return PrefectRuns(load().need(Prefect))
