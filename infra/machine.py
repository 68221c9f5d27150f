"""The machine below: root, disk, network, packages of Debian. Standard library only."""

import os
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.failure import disk_is_full, fullest
from infra.progress import Trouble, step

CACHE = Path("/var/cache/nastup")
PROGRAMS = Path("/usr")
FIRST = {"python3-venv": "venv", "maven": "mvn", "openjdk-17-jre-headless": "java"}
SERVERS = ["postgresql", "dovecot-imapd", "dovecot-lmtpd", "dovecot-pgsql", "dovecot-sieve", "postfix", "postfix-pgsql", "restic", "rclone"]
PAPER = ["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-dejavu-core"]  # what WeasyPrint loads and prints with
BROWSER = ["chromium", "libatomic1"]  # the second for the driver that the tests steer it by
SERVICES = ("postgresql", "dovecot", "postfix")
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
POLICY = Path("/usr/sbin/policy-rc.d")
STILL = "#!/bin/sh\n# while Nástup installs packages: no service is started\nexit 101\n"
# apt, pip, uv and Maven (Java), each in its own words; without "resolv", for a lock that cannot be resolved is no network that is away
NO_NETWORK = (
    "temporary failure resolving",
    "temporary failure in name resolution",
    "name or service not known",
    "no address associated with hostname",
    "could not resolve host",
    "could not resolve '",
    "dns error",
    "unknown host",
    "unknownhostexception",
    "unreachable",
    "no route to host",
    "timed out",
    "timeout",
    "connection refused",
    "connection failed",
    "connection reset",
    "could not connect",
    "cannot connect to proxy",
    "failed to establish a new connection",
)
NO_SPACE = ("no space left on device", "not enough free space", "nemáte dost")


def check(state: Path, gigabytes: float) -> None:
    """Refuses what could only fail later: an ordinary user, another system, a full disk. An old Python is refused in infra/__init__.py."""
    if os.geteuid() != 0:
        raise Trouble("This has to run as root, because every server gets a user of its own: run the same command with `sudo` before it.")
    if shutil.which("apt-get") is None:
        raise Trouble("There is no apt-get here: this command sets up a Debian 12. For other systems, README.md outlines what is needed.")
    for place in (state, CACHE, PROGRAMS):
        check_space(place, gigabytes)


def check_space(place: Path, gigabytes: float) -> None:
    existing = next(parent for parent in (place, *place.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < gigabytes:
        raise Trouble(f"Only {free:.1f} GB are free at {existing}, {gigabytes} GB are needed: free some space, or choose another --state.")


def missing(packages: Sequence[str]) -> list[str]:
    """Those packages of Debian that are not installed."""
    command = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in answer.splitlines() if line.endswith(" installed")}
    return [name for name in packages if name not in installed]


def refresh() -> None:
    with step("package lists fetched"):
        run(["apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any"], "apt", "fetch the package lists of Debian")


def install(packages: Sequence[str], what: str) -> None:
    """Installs packages; services that they bring do not start, now nor at the next boot, and services that were there stay as they are."""
    absent = missing(packages)
    if not absent:
        return
    words = [
        "apt-get",
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Dpkg::Options::=--force-unsafe-io",
    ]
    with step(f"{what} installed"), _services_kept_still(absent):
        run(["dpkg", "--configure", "-a"], "apt", "finish an installation that was cut off")
        run([*words, *absent], "apt", f"install {', '.join(absent)}")


@contextmanager
def _services_kept_still(packages: Sequence[str]) -> Generator[None, None, None]:
    kept = POLICY.with_name("policy-rc.d.before-nastup")
    if POLICY.exists() and POLICY.read_text() != STILL:  # ours: an earlier set-up was killed here
        POLICY.rename(kept)
    POLICY.write_text(STILL)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if kept.exists():
            kept.rename(POLICY)
        if shutil.which("systemctl") and Path("/run/systemd/system").exists():
            new = [service for service in SERVICES if any(package.startswith(service) for package in packages)]
            subprocess.run(["systemctl", "disable", "--quiet", *new], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def run(command: Sequence[str | Path], log: str, purpose: str, environment: dict[str, str] | None = None, place: Path = PROGRAMS) -> None:
    """Runs a program with its output in /var/cache/nastup/<log>.log; a failure becomes a sentence that names the cause and the way out.

    `place`: the directory that it fills.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / f"{log}.log"
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    if TRUSTED.exists():  # pip and uv bring authorities of their own, and would not know that of an office's proxy
        quiet |= {name: os.environ.get(name, str(TRUSTED)) for name in ("SSL_CERT_FILE", "PIP_CERT")}
    with file.open("w") as out:
        told = os.environ | quiet | (environment or {})
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", env=told, check=False)
        except (FileNotFoundError, PermissionError) as absent:
            raise Trouble(f"Could not {purpose}. {absent_program(command[0])}") from absent
    if done.returncode:
        words = file.read_text(errors="replace")
        raise Trouble(
            f"Could not {purpose}. {cause(words, place)}\n"
            + "\n".join(f"    {line[:200]}" for line in words.splitlines()[-6:])
            + f"\n(the whole output: {file})"
        )


def absent_program(program: str | Path) -> str:
    """Said of what should be installed and is not, or may not be run."""
    return (
        f"The program {program} is not there, or may not be run: put it back (`apt-get install --reinstall` of its package, "
        "which `dpkg -S` names) and run the command again."
    )


def cause(words: str, place: Path) -> str:
    """Why a program that filled that place failed, by its own words, and the way out."""
    said = words.lower()
    if any(sign in said for sign in NO_SPACE):
        return disk_is_full(fullest([place, CACHE, PROGRAMS]))
    if any(sign in said for sign in NO_NETWORK):
        return (
            "The network does not answer: connect this machine (or set its proxy) and run the command again; it goes on where it stopped."
        )
    return "Its last words say why; mend that and run the command again."
