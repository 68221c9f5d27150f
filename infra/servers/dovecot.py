"""Dovecot: IMAP and LMTP over the tables of the database `mail`; people log in with a token of Keycloak."""

import bcrypt
import psycopg

from infra.servers import postgres, realm
from infra.servers.certificate import ensure_certificate
from infra.servers.process import Process, carry_out, filled, greets
from infra.state import State, write

USER = "nastup-mail"
VERIFIER = "verifier"
FILES = ("dovecot.conf", "oauth2.conf.ext", "dict-auth.conf.ext", "dict-sql.conf.ext", "before.sieve", "acl")


def process(state: State) -> Process:
    return Process(
        name="dovecot",
        command=["/usr/sbin/dovecot", "-F", "-c", state.path("mail", "etc", "dovecot.conf")],
        user=USER,
        after=("postgres",),
        configure=lambda: _configure(state),
        ready=lambda: greets(state.port("imap"), b"* OK") and greets(state.port("lmtp"), b"220"),
    )


def machine_password(secret: str) -> str:
    """The stored form of a machine's password. Cost 4 is honest for 192 random bits, and it is checked at every log-in."""
    return "{BLF-CRYPT}" + bcrypt.hashpw(secret.encode(), bcrypt.gensalt(4)).decode()


def _configure(state: State) -> None:
    for room in ("mail", "mail/etc", "mail/store", "mail/run", "mail/state"):
        state.room(room, USER)
    certificate, key = ensure_certificate(state, "mail", USER)
    values = {
        "STATE": state.root,
        "USER": USER,
        "CERTIFICATE": certificate,
        "KEY": key,
        "POSTMASTER": "postmaster@kraj.example",
        "DATABASE": f"host=127.0.0.1 port={state.port('postgres')} dbname=mail user=mailread password={state.secret('postgres_mailread')}",
        "INTROSPECTION": f"{state.address('keycloak')}/realms/{realm.REALM}/protocol/openid-connect/token/introspect",
        "CLIENT_SECRET": state.secret("oidc_dovecot"),
        "PROOF_SECRET": state.secret("mail_proof"),
        "VERIFIER": VERIFIER,
    } | {f"PORT_{name.upper()}": port for name, port in state.ports.items()}
    for name in FILES:
        write(state.path("mail", "etc", name), filled(f"dovecot/{name}", values), user=USER)
    verifier = f"{VERIFIER}:{machine_password(state.secret('mail_verifier'))}::::::allow_nets=127.0.0.1\n"
    write(state.path("mail", "etc", "master-users"), verifier, user=USER)
    _compile_sieve(state)
    _ensure_sender(state)


def _compile_sieve(state: State) -> None:
    conf, script = state.path("mail", "etc", "dovecot.conf"), state.path("mail", "etc", "before.sieve")
    carry_out(["sievec", "-c", conf, script], state.path("log", "sievec.log"), USER)


def _ensure_sender(state: State) -> None:
    """The mailbox that our letters come from: bounces return to it, and upkeep reads them."""
    local, domain = realm.SENDER.split("@")
    with psycopg.connect(postgres.dsn(state, "postgres", "mail"), autocommit=True) as db:
        db.execute("INSERT INTO domain (name, organisation) VALUES (%s, 'region') ON CONFLICT DO NOTHING", (domain,))
        db.execute(
            "INSERT INTO mailbox (address, domain, external_id, password) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (realm.SENDER, domain, f"service:{local}", machine_password(state.secret("mail_sender"))),
        )
