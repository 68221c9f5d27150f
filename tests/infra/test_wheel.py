"""The built wheel, alone in an empty environment, is the whole product: code, pages, catalogs, migrations."""

import gettext
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")

pytestmark = pytest.mark.servers  # needs uv and what it keeps from the set-up


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    build = [UV, "build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", place, CHECKOUT]
    subprocess.run(build, check=True, stdin=subprocess.DEVNULL)
    return next(place.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the locked libraries and the wheel, and no checkout."""
    place = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, place], check=True)
    install = [UV, "pip", "install", "-q", "--python", place / "bin/python", "--no-deps"]
    subprocess.run([*install, "--require-hashes", "-r", CHECKOUT / "infra/locks/run.lock"], check=True)
    subprocess.run([*install, wheel], check=True)
    return place / "bin/python"


@pytest.fixture
def portal(environment: Path, tmp_path: Path) -> Iterator[str]:
    """The portal of that environment. Its database does not answer: pages that need none have to work."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {
        "NASTUP_DATABASE__URL": "postgresql+psycopg://nobody:nothing@127.0.0.1:1/portal",
        "NASTUP_PORTAL__ADDRESS": f"http://127.0.0.1:{port}",
        "NASTUP_PORTAL__PORT": str(port),
        "NASTUP_OIDC__ISSUER": "http://127.0.0.1:1/realms/nastup",
        "NASTUP_OIDC__CLIENT_SECRET": "none",
    }
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [environment, "-P", "-m", "web"], env={"PATH": os.defpath} | told, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_the_wheel_carries_everything_that_is_not_python(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = [path for house in ("flows", "web", "infra", "templates") for path in (CHECKOUT / house).rglob("*")]
    kept = [path.relative_to(CHECKOUT) for path in sources if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".mo"]
    expected = {str(path) if path.parts[0] != "templates" else f"flows/{path}" for path in kept}
    assert expected <= names, sorted(expected - names)


def test_the_wheel_carries_compiled_catalogs_and_git_does_not(wheel: Path):
    with zipfile.ZipFile(wheel).open("flows/templates/locale/cs/LC_MESSAGES/nastup.mo") as compiled:
        words = gettext.GNUTranslations(compiled)  # pyright: ignore[reportArgumentType]
    assert words.ngettext("%(num)s request shown", "%(num)s requests shown", 5) == "Zobrazeno %(num)s žádostí"
    known = subprocess.run(["git", "ls-files", "*.mo"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert known == ""


def test_the_portal_runs_from_the_wheel_alone_and_speaks_czech(portal: str):
    ends = time.monotonic() + 60
    while True:
        try:
            assert httpx2.get(f"{portal}/healthz", timeout=5).status_code == 200
            break
        except httpx2.TransportError:
            assert time.monotonic() < ends, "the portal did not answer"
            time.sleep(0.2)
    page = httpx2.get(f"{portal}/accessibility", headers={"Accept-Language": "cs"}, timeout=20)
    assert page.status_code == 200
    assert '<html lang="cs"' in page.text
    assert "Prohlášení o přístupnosti" in page.text
