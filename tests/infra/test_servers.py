"""The running installation: who runs what, who may read what, who answers whom; and what dies is started again."""

import pwd
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from flows.settings import Settings
from infra.servers import catcher, dovecot, keycloak, postgres, prefect, product, vault
from infra.state import State
from infra.supervise import RUNNING, Supervisor

pytestmark = pytest.mark.servers

USERS = {
    "postgres": postgres.USER,
    "keycloak": keycloak.USER,
    "prefect": prefect.USER,
    "dovecot": dovecot.USER,
    "vault": vault.USER,
    "catcher": catcher.USER,
    "backup-agent": dovecot.USER,
    "store-agent": vault.USER,
    "dispatcher": product.WORKER,
    "worker": product.WORKER,
    "portal": product.PORTAL,
    "postfix": "root",  # the master; see below for its children
}


@pytest.fixture
def state() -> State:
    return State.of_tests()


@pytest.fixture
def supervisor(state: State) -> Supervisor:
    return Supervisor(state)


def owner(pid: int) -> str:
    return pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name


def test_every_program_runs_as_its_own_ordinary_user(supervisor: Supervisor):
    assert {info["name"]: owner(info["pid"]) for info in supervisor.processes()} == USERS


def test_what_faces_strangers_in_postfix_is_not_root(supervisor: Supervisor):
    master = supervisor.process("postfix")["pid"]
    children = [int(p.name) for p in Path("/proc").glob("[0-9]*") if f"PPid:\t{master}\n" in (p / "status").read_text()]
    assert children
    assert {owner(pid) for pid in children} == {"postfix"}


def test_nobody_listens_beyond_this_machine(state: State):
    ours = {f"{port:04X}" for port in state.ports.values()}
    lines = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    listening = [line[1].split(":") for line in lines if line[3] == "0A"]
    addresses = {address for address, port in listening if port in ours}
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert len({port for _, port in listening} & ours) >= 15


def test_secrets_are_for_root_and_rooms_for_their_users(state: State):
    assert {file.stat().st_mode & 0o777 for file in state.path("secrets").iterdir()} == {0o600}
    assert state.path("secrets").stat().st_mode & 0o777 == 0o700
    for room in ("postgres/data", "mail", "vault", "catcher", "prefect", "rooms/portal", "rooms/worker"):
        assert state.path(room).stat().st_mode & 0o077 == 0, room
    assert state.root.stat().st_mode & 0o777 == 0o711


def test_the_portal_holds_no_credential_of_an_administrator(state: State, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NASTUP_DATABASE__URL", raising=False)
    told = Settings(_env_file=state.path("settings", "portal.env"))  # pyright: ignore[reportCallIssue]
    assert told.portal is not None
    for branch in ("keycloak", "mail", "backup", "backup_agent", "store_agent", "installation_key"):
        assert getattr(told, branch) is None, branch
    assert "nastup_portal:" in told.need(type(told.database)).url.get_secret_value()  # pyright: ignore


def test_no_process_runs_from_the_checkout(state: State, supervisor: Supervisor):
    ours = [supervisor.process(name)["pid"] for name in ("portal", "worker", "dispatcher", "backup-agent", "store-agent")]
    for pid in ours:
        assert Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == str(state.path("venv/bin/python")).encode()
        assert Path(f"/proc/{pid}/cwd").resolve().is_relative_to(state.path("rooms"))


def test_what_dies_is_started_again(supervisor: Supervisor):
    before = supervisor.process("catcher")["pid"]
    supervisor.signal("catcher", 9)
    ends = time.monotonic() + 20
    while (now := supervisor.process("catcher"))["state"] != RUNNING or now["pid"] == before:
        assert time.monotonic() < ends, "the catcher did not come back"
        time.sleep(0.1)
    assert now["pid"] not in (0, before)


def test_who_watches_is_told_what_died(state: State, supervisor: Supervisor):
    call = "import sys; from pathlib import Path; from infra import state, supervise, watch; print('watching', flush=True)\n"
    call += "with watch.Watch(supervise.Supervisor(state.State(Path(sys.argv[1])))) as watched: watched.until_it_is_gone()"
    with subprocess.Popen([sys.executable, "-P", "-c", call, state.root], stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout
        assert watcher.stdout.readline() == "watching\n"
        time.sleep(2)  # it has to have seen the living one
        supervisor.signal("catcher", 9)
        said = watcher.stdout.readline()
        watcher.kill()
    assert "catcher died, started again" in said


def test_prefects_own_pages_are_there(state: State):
    """IT is led to them; without a place of its own the server gives them up and answers 404."""
    answer = httpx2.get(f"{state.address('prefect')}/runs", headers={"accept": "text/html"}, follow_redirects=True, timeout=30)
    assert answer.status_code == 200
    assert "<title>Prefect" in answer.text


def test_a_caught_letter_is_shown_as_its_reader_sees_it(tmp_path: Path):
    letters = catcher.Letters(tmp_path)
    body = "Odkaz: http://127.0.0.1:1/a?key=3D&x=1\r\n<script>Š</script>\r\n"
    letter = EmailMessage()
    letter["Subject"], letter["To"] = "Aktivace <účtu>", "zofie@posta.example"
    letter.set_content(body, cte="quoted-printable")
    letters.keep("a@b.example", ["zofie@posta.example"], letter.as_bytes())
    shown = catcher.page_of_letter(letters.all()[0])
    assert "<a href='http://127.0.0.1:1/a?key=3D&amp;x=1' rel='noreferrer'>" in shown
    assert "&lt;script&gt;Š" in shown
    assert "<script>" not in shown
