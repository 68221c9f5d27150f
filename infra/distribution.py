"""Keycloak's distribution: fetched from Maven Central by Maven, checked, unpacked, built once. Standard library only.

It is kept in /var/cache/nastup and linked into every state directory, so a second installation on the machine costs a second.
"""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

from infra.machine import CACHE, run
from infra.progress import Trouble, step

VERSION = "26.7.3"
SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
BUILT = CACHE / f"keycloak-{VERSION}"
PLACED = ".nastup-placed"  # written last


def fetch() -> None:
    """The zip in the cache, with the hash we pinned."""
    if BUILT.exists() or _hash_is_right():
        return
    _zip().unlink(missing_ok=True)  # half of one, from a start that was cut off: Maven would take it for the whole
    with step(f"Keycloak {VERSION} fetched"):
        artifact = f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
        run(["mvn", "-B", "-q", PLUGIN, artifact, f"-DoutputDirectory={CACHE}"], "maven", "fetch Keycloak from Maven Central", place=CACHE)
    if not _hash_is_right():
        _zip().unlink(missing_ok=True)
        raise Trouble(
            "The fetched Keycloak is not the one we know (SHA-256); it was thrown away. Run the command again; ask why if it comes again."
        )


def build() -> None:
    """Unpacked and built for PostgreSQL: half a minute of one core, once."""
    if BUILT.exists():
        return
    fresh = CACHE / "unpacking"
    shutil.rmtree(fresh, ignore_errors=True)
    with step("Keycloak built"):
        with zipfile.ZipFile(_zip()) as archive:
            archive.extractall(fresh)
        home = fresh / f"keycloak-{VERSION}"
        for script in home.glob("bin/*.sh"):
            script.chmod(0o755)  # zipfile forgets modes
        run(
            [home / "bin/kc.sh", "build", "--db=postgres", "--health-enabled=true", "--metrics-enabled=true"],
            "keycloak-build",
            "build Keycloak",
            place=CACHE,
        )
        home.rename(BUILT)
        shutil.rmtree(fresh)
        _zip().unlink()


def place(state: Path, built: Path = BUILT) -> None:
    """STATE/keycloak: links to the files of the cache (copies on another disk), and directories of its own.

    Made under another name and renamed when it is whole: what is there under its own name was never cut off.
    """
    target, fresh = state / "keycloak", state / "keycloak.new"
    if (target / PLACED).exists() and (target / "version.txt").read_text() == (built / "version.txt").read_text():
        return
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(built, fresh, copy_function=_link, ignore=shutil.ignore_patterns("data"))
    (fresh / PLACED).touch()
    fresh.chmod(0o755)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _zip() -> Path:
    return CACHE / f"keycloak-quarkus-dist-{VERSION}.zip"


def _hash_is_right() -> bool:
    if not _zip().exists():
        return False
    with _zip().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == SHA256
