"""What may be set from outside: one frozen tree, read once per process.

Every value comes from the environment (`NASTUP_DATABASE__URL`, two underscores between the levels) or from the file that
`NASTUP_SETTINGS_FILE` names (the same names, one per line, mode 0600); the environment wins. A process is given only the branches
that it needs: the portal's file has no `keycloak`, `mail` or `backup` branch, so it cannot hold an administrator's credential.
"""

import os
from datetime import time
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsMissing(RuntimeError):
    """A process was started without a branch of the settings that it needs."""


class Branch(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


B = TypeVar("B", bound=Branch)


class Database(Branch):
    url: SecretStr = Field(
        description="PostgreSQL address of the portal's database, with the role of this process: postgresql+psycopg://role:password@host:port/portal"
    )
    pool_size: int = Field(10, description="connections kept open", ge=1)


class Portal(Branch):
    address: str = Field(description="public address of the portal, without a slash at the end: https://nastup.kraj.example")
    host: str = Field("127.0.0.1", description="address the portal listens on")
    port: int = Field(description="port the portal listens on")
    region: str = Field("Moravskoslezský kraj", description="name of the region in the page header")
    support: str = Field("", description="telephone or e-mail of the region's support, shown in the footer")
    language: Literal["cs", "en"] = Field("cs", description="language of a person who has not chosen one")
    idle_minutes: int = Field(30, description="a session without a request ends after this many minutes", ge=1)
    absolute_hours: int = Field(8, description="a session ends after this many hours whatever happens", ge=1)
    recheck_minutes: int = Field(5, description="at most this often the session asks the identity server whether it still holds", ge=1)
    prefect_address: str = Field("", description="public address of the Prefect pages, linked for IT")
    catcher_address: str = Field("", description="demo only: address of the mail catcher's page, linked for IT")


class Oidc(Branch):
    issuer: str = Field(description="issuer of the realm: https://id.kraj.example/realms/nastup")
    client_id: str = Field("portal", description="the portal's client")
    client_secret: SecretStr = Field(description="the portal's client secret")


class Keycloak(Branch):
    address: str = Field(description="address of Keycloak for the worker")
    realm: str = Field("nastup", description="the realm")
    issuer: str = Field("", description="issuer in the tokens, when it is not <address>/realms/<realm>")
    client_id: str = Field("nastup-worker", description="service account of the worker")
    client_secret: SecretStr = Field(description="its secret")
    activation_client: str = Field("portal", description="client to which the activation pages lead back")
    activation_return: str = Field(description="page shown after the activation")


class Mail(Branch):
    database: SecretStr = Field(description="address of the mail database with the writing role")
    smtp_host: str = Field("127.0.0.1", description="where mail for our domains is handed in")
    smtp_port: int = Field(25, description="its port")
    imap_host: str = Field("127.0.0.1", description="IMAP server")
    imap_port: int = Field(143, description="its port (STARTTLS)")
    certificate: Path | None = Field(None, description="certificate authority of the IMAP server, empty for the system's")
    verifier: str = Field("verifier", description="Dovecot master user that may open the folder Overeni only")
    verifier_secret: SecretStr = Field(description="its password")
    proof_secret: SecretStr = Field(description="value of the header that files a proof message into the folder Overeni")
    sender: str = Field(description="sender of the portal's letters and of proof messages: nastup@kraj.example")
    sender_secret: SecretStr = Field(SecretStr(""), description="IMAP password of the sender's mailbox, where bounces are read")


class Backup(Branch):
    database: SecretStr = Field(description="database with the schema `backup`, where the agents read what is wanted (role of the worker)")
    answer_seconds: int = Field(60, description="how long a step waits for an agent before it counts as unavailable", ge=1)


class BackupAgent(Branch):
    database: SecretStr = Field(description="database with the schema `backup`, role of the backup agent")
    repository: str = Field(description="address of the append-only backup server without credentials: https://127.0.0.1:8000")
    certificate: Path | None = Field(None, description="its certificate authority, empty for the system's")
    mail_store: Path = Field(description="root of the mail store: <domain>/<local part>/Maildir below it")
    workspace: Path = Field(description="cache and restored files, 0700")


class StoreAgent(Branch):
    database: SecretStr = Field(description="database with the schema `backup`, role of the store agent")
    credentials: Path = Field(description="htpasswd file of the backup server")
    repositories: Path = Field(description="root of the repositories")


class Snapshots(Branch):
    """What the agents do and the pages promise: a value of one's own belongs into the environment of the portal and of both agents."""

    nightly: time = Field(
        time(2, 10),
        description="time of the nightly snapshot of every enrolled mailbox, Europe/Prague; the same for the portal and both agents",
    )
    keep_daily: int = Field(90, description="daily snapshots kept; the same for the portal and both agents", ge=1)


class Prefect(Branch):
    address: str = Field(description="API of the Prefect server: http://127.0.0.1:4200/api")
    auth: SecretStr = Field(SecretStr(""), description="user:password of the Prefect API")
    work_pool: str = Field("nastup", description="work pool of the workers")
    concurrency: int = Field(8, description="flow runs at once in one worker", ge=1)


class Provisioning(Branch):
    # together the waits outlast a server that is restarted or down for a minute: 120 to 180 s, the jitter included
    attempts: int = Field(9, description="tries of one step before a person is asked", ge=1)
    first_wait_seconds: float = Field(2, description="wait before the second try; doubles each time", gt=0)
    longest_wait_seconds: float = Field(30, description="longest wait between two tries", gt=0)
    lease_seconds: float = Field(60, description="a worker that is silent for this long loses its work", gt=0)
    activation_hours: int = Field(24, description="life of the activation link", ge=1)
    settling_seconds: float = Field(30, description="how long an activation link whose answer was lost may still be on its way", gt=0)
    mailbox_gb_maximum: int = Field(50, description="largest mailbox that the mail servers can hold, in GB", ge=1)
    crash_at: str = Field("", description="tests only: the process ends at this crash point, e.g. `keycloak.ensure account:after_call`")


class Audit(Branch):
    heads: Path | None = Field(
        None, description="file of the dispatcher, outside the database, to which the head of the audit chain is added every day"
    )


class Settings(BaseSettings):
    """The whole tree. `load()` reads it once; a missing branch is None and `need` says so in a sentence."""

    model_config = SettingsConfigDict(env_prefix="NASTUP_", env_nested_delimiter="__", frozen=True, extra="ignore")

    installation_key: SecretStr | None = Field(None, description="key (Fernet, 32 bytes base64) that encrypts the table `secret`")
    database: Database | None = None
    portal: Portal | None = None
    oidc: Oidc | None = None
    keycloak: Keycloak | None = None
    mail: Mail | None = None
    backup: Backup | None = None
    backup_agent: BackupAgent | None = None
    store_agent: StoreAgent | None = None
    snapshots: Snapshots = Snapshots()  # pyright: ignore[reportCallIssue]
    prefect: Prefect | None = None
    provisioning: Provisioning = Provisioning()  # pyright: ignore[reportCallIssue]
    audit: Audit = Audit()  # pyright: ignore[reportCallIssue]
    log_format: Literal["text", "json"] = Field("text", description="form of the log lines")

    def need(self, branch: type[B]) -> B:
        """The branch of that class. Raises SettingsMissing with the name of the first setting that is missing."""
        for name in type(self).model_fields:
            if isinstance(value := getattr(self, name), branch):
                return value
        raise SettingsMissing(
            f"The settings of {branch.__name__} are missing: set NASTUP_{_prefix(branch)}__* (table of settings in README.md)."
        )


def _prefix(branch: type[Branch]) -> str:
    return "".join("_" + c if c.isupper() else c for c in branch.__name__).lstrip("_").upper()


@cache
def load() -> Settings:
    """The settings of this process."""
    return Settings(_env_file=os.environ.get("NASTUP_SETTINGS_FILE"))  # pyright: ignore[reportCallIssue]
