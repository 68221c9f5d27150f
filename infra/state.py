"""The state directory: everything an installation remembers outside git.

STATE 0711 root
  secrets/ 0700      one file per secret, 0600, made once and never changed
  ports.json         who listens where, on 127.0.0.1; may be edited while nothing runs
  settings/          one file per process (flows/settings.py), 0600, readable by that process's user only
  log/ run/ tls/     <process>.log; supervisor's socket; certificates (public) and their keys
  venv/ keycloak/    the installed product and Keycloak's distribution
  <server>/ 0700     the room of each server, owned by its own user
"""

import json
import os
import pwd
import secrets
import shlex
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from infra.progress import Trouble

DEFAULT = Path("/var/lib/nastup")
TEST = Path("/var/lib/nastup-test")
_MAKING = threading.Lock()  # servers are configured side by side
LONGEST_SOCKET = 100  # a unix socket's path is cut at 108 bytes, silently in some servers

PORTS = {
    "portal": 8400,
    "keycloak": 8401,
    "prefect": 8402,
    "catcher": 8403,
    "metrics": 8404,
    "vault": 8405,
    "keycloak_management": 8406,
    "imap": 8410,
    "imaps": 8411,
    "lmtp": 8412,
    "mail_login": 8413,
    "mail_policy": 8414,
    "smtp": 8420,
    "submission": 8421,
    "smtp_keycloak": 8422,
    "smtp_catcher": 8423,
    "postgres": 8432,
}

Value = str | int | bool | Path
Tree = Mapping[str, "Value | Tree"]


class State:
    """One installation. `State.of_tests()` is the one the running tests use."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of_tests(cls) -> "State":
        return cls(Path(os.environ["NASTUP_TEST_STATE"]))

    def command(self, name: str) -> str:
        """What somebody types to do that with this installation, from the checkout."""
        return f"python3 -m infra {name}" + ("" if self.root == DEFAULT else f" --state {shlex.quote(str(self.root))}")

    def path(self, *parts: str) -> Path:
        return self.root.joinpath(*parts)

    def refuse_place(self) -> None:
        """Raises Trouble for a place where the servers could not live: closed to their users, or too deep for a socket's path."""
        if len(str(self.path("mail/run/auth-token-secret.dat.tmp"))) > LONGEST_SOCKET:
            raise Trouble(f"The path {self.root} is too long for the servers' sockets: choose a shorter --state directory.")
        for parent in self.root.parents:
            if parent.exists() and not parent.stat().st_mode & 0o001:
                raise Trouble(
                    f"The servers' users cannot enter {parent}: choose a --state directory that all may enter, under /var/lib or /srv."
                )

    def prepare(self) -> None:
        """Makes the directory itself."""
        self.refuse_place()
        for name, mode in (("", 0o711), ("secrets", 0o700), ("settings", 0o711), ("log", 0o711), ("run", 0o711), ("tls", 0o711)):
            place = self.path(name)
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(mode)

    def room(self, path: str, user: str = "root", mode: int = 0o700) -> Path:
        """A directory of one user, made when it is missing."""
        place = self.path(path)
        place.mkdir(parents=True, exist_ok=True)
        give(place, user, mode)
        return place

    # ---- secrets

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_hex(24)) -> str:
        """The secret of that name, made at the first call."""
        file = self.path("secrets", name)
        with _MAKING:
            if not file.exists():
                write(file, make(), mode=0o600)
        return file.read_text()

    # ---- ports

    @cached_property
    def ports(self) -> dict[str, int]:
        file = self.path("ports.json")
        return PORTS | (json.loads(file.read_text()) if file.exists() else {})

    def port(self, name: str) -> int:
        return self.ports[name]

    def address(self, name: str) -> str:
        """http://127.0.0.1:PORT of a server."""
        return f"http://127.0.0.1:{self.port(name)}"

    def settle_ports(self, free: bool) -> None:
        """Writes ports.json: any free ports, or the fixed ones (then a taken port is a trouble with a way out)."""
        if free:
            self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        for name, port in self.ports.items():
            if not _is_free(port):
                raise Trouble(
                    f"Port {port} ({name}) is taken by {_holder(port)}. Stop that program, or write another number for "
                    f'"{name}" into {self.path("ports.json")}, and run the command again.'
                )
        write(self.path("ports.json"), json.dumps(self.ports, indent=2) + "\n", mode=0o644)

    # ---- settings

    def write_settings(self, process: str, user: str, tree: Tree) -> Path:
        """The settings file of one process: only the branches in `tree`, readable by its user only."""
        file = self.path("settings", f"{process}.env")
        lines = [f"{name}='{value}'" for name, value in sorted(_flat("NASTUP_", tree))]
        write(file, "\n".join(lines) + "\n", user=user, mode=0o600)
        return file


def already_runs(state: State) -> str:
    return f"Nástup already runs in {state.root}: `{state.command('status')}` shows it, `{state.command('stop')}` ends it."


def write(file: Path, text: str, *, user: str = "root", mode: int = 0o600) -> None:
    """Writes a new file and renames it into place, so that a reader never sees half of it nor a wider mode."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    give(fresh, user, mode)
    fresh.rename(file)


def give(path: Path, user: str, mode: int) -> None:
    account = pwd.getpwnam(user)
    os.chown(path, account.pw_uid, account.pw_gid)
    path.chmod(mode)


def ensure_users(names: set[str]) -> None:
    """System users without a home, a shell or a password."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in sorted(names - known):
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name],
            check=True,
            stdin=subprocess.DEVNULL,
        )


def _flat(prefix: str, tree: Tree) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name.upper()}__", value)
        else:
            yield prefix + name.upper(), str(value)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    """Who listens there, as far as /proc tells: "postgres (process 4711)"."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]  # Java listens on IPv6 even for 127.0.0.1
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "0A"}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) in sockets:
                return f"{(link.parent.parent / 'comm').read_text().strip()} (process {link.parts[2]})"
        except OSError:
            continue
    return "another program"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
