"""Postfix: ordinary mail, submission by people, and the listener that only Keycloak uses (activation to the private address)."""

import shutil

from infra.servers import dovecot, realm
from infra.servers.certificate import ensure_certificate
from infra.servers.process import Process, carry_out, filled, greets
from infra.state import State, give, write

MAPS = {
    "domains": "SELECT 1 FROM domain WHERE name = lower('%s') AND active",
    "mailboxes": "SELECT 1 FROM mailbox m JOIN domain d ON d.name = m.domain WHERE m.address = lower('%s') AND m.deliverable AND d.active",
    "aliases": "SELECT target FROM alias WHERE source = lower('%s')",
    "activation": "SELECT activation_target(lower('%s'))",
    "senders": "SELECT address FROM mailbox WHERE address = lower('%s') AND active"
    " UNION SELECT target FROM alias WHERE source = lower('%s')",
}


def process(state: State) -> Process:
    etc = state.path("postfix", "etc")
    return Process(
        name="postfix",
        # -d: without it the master wants a session of its own and refuses to be the leader of supervisor's process group
        command=["/usr/lib/postfix/sbin/master", "-c", etc, "-d"],
        user="root",  # the master only; its children are `postfix`
        environment={"MAIL_CONFIG": str(etc)},
        after=("postgres",),
        configure=lambda: _configure(state),
        ready=lambda: greets(state.port("smtp"), b"220"),
    )


def _configure(state: State) -> None:
    for room in ("postfix", "postfix/etc", "postfix/spool"):
        state.room(room, "root", 0o755)
    state.room("postfix/data", "postfix")
    state.room("postfix/maps", "postfix")  # outside etc: Postfix warns about files there that are not root's
    certificate, key = ensure_certificate(state, "mail", dovecot.USER)
    values = {"STATE": state.root, "CERTIFICATE": certificate, "KEY": key, "REGION": realm.SENDER.split("@")[1], "SENDER": realm.SENDER} | {
        f"PORT_{name.upper()}": port for name, port in state.ports.items()
    }
    etc = state.path("postfix", "etc")
    for name in ("main.cf", "master.cf"):
        write(etc / name, filled(f"postfix/{name}", values), mode=0o644)
    login = (
        f"hosts = inet:127.0.0.1:{state.port('postgres')}\nuser = mailread\npassword = {state.secret('postgres_mailread')}\ndbname = mail\n"
    )
    for name, query in MAPS.items():
        write(
            state.path("postfix", "maps", f"{name}.cf"), f"{login}query = {query}\n", user="postfix", mode=0o400
        )  # proxymap reads them as `postfix`
    log = state.path("log", "postfix-mail.log")
    log.touch()
    give(log, "postfix", 0o600)
    shutil.rmtree(state.path("postfix", "spool", "pid"), ignore_errors=True)
    carry_out(["postfix", "-c", etc, "check"], state.path("log", "postfix-check.log"))
