"""The state directory: secrets, ports and settings, and the places that are refused."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pydantic import SecretStr

from flows.settings import Settings
from infra import launcher
from infra.progress import Trouble
from infra.state import DEFAULT, PORTS, State, ensure_users

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="hands files to other users, which only root may")


@pytest.fixture
def state() -> Iterator[State]:
    state = State(Path(f"/var/tmp/nastup-state-{os.getpid()}"))
    state.prepare()
    yield state
    state.path("ports.json").unlink(missing_ok=True)
    for place in sorted(state.root.rglob("*"), reverse=True):
        place.rmdir() if place.is_dir() else place.unlink()
    state.root.rmdir()


def test_a_secret_is_made_once_and_only_root_reads_it(state: State):
    first = state.secret("something")
    assert state.secret("something") == first == State(state.root).secret("something")
    assert len(first) == 48
    assert state.path("secrets", "something").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("root", "typed"),
    [
        (str(DEFAULT), "python3 -m infra stop"),
        ("/srv/nastup", "python3 -m infra stop --state /srv/nastup"),
        ("/srv/our portal", "python3 -m infra stop --state '/srv/our portal'"),
    ],
)
def test_a_command_that_is_named_means_this_installation(root: str, typed: str):
    assert State(Path(root)).command("stop") == typed


@pytest.mark.parametrize("sits_before_it", [True, False])
def test_only_who_sits_before_it_is_told_of_a_key_that_ends_it(capsys: pytest.CaptureFixture[str], sits_before_it: bool):
    launcher._say_addresses(State(Path("/srv/nastup")), sits_before_it=sits_before_it)
    said = capsys.readouterr().out
    assert "python3 -m infra stop --state /srv/nastup" in said
    assert ("Ctrl-C" in said) is sits_before_it


def test_two_secrets_differ(state: State):
    assert state.secret("one") != state.secret("other")


def test_free_ports_are_all_different_and_remembered(state: State):
    state.settle_ports(free=True)
    assert set(state.ports) == set(PORTS)
    assert len(set(state.ports.values())) == len(PORTS)
    assert State(state.root).ports == state.ports


def test_a_taken_port_is_told_with_its_holder_and_the_way_out(state: State):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        state.path("ports.json").write_text(f'{{"imap": {port}}}')
        state.ports.update({name: 0 for name in PORTS if name != "imap"})  # 0 is always free
        with pytest.raises(Trouble, match=rf"Port {port} \(imap\) is taken by .*process {os.getpid()}.*ports\.json"):
            state.settle_ports(free=False)


def test_settings_come_back_as_they_were_written_and_only_their_user_reads_them(state: State, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("NASTUP_")]:
        monkeypatch.delenv(name)
    ensure_users({"nastup-portal"})
    tree = {
        "database": {"url": "postgresql+psycopg://role:pass#word@127.0.0.1:5/portal"},
        "portal": {"address": "http://x", "port": 8, "region": "Kraj Vysočina"},
    }
    file = state.write_settings("portal", "nastup-portal", tree)
    read = Settings(_env_file=file)  # pyright: ignore[reportCallIssue]
    assert read.database
    assert read.database.url == SecretStr("postgresql+psycopg://role:pass#word@127.0.0.1:5/portal")
    assert read.portal
    assert (read.portal.port, read.portal.region) == (8, "Kraj Vysočina")
    assert read.keycloak is None
    assert (file.owner(), file.stat().st_mode & 0o777) == ("nastup-portal", 0o600)


def test_a_place_that_the_servers_cannot_enter_is_refused():
    with TemporaryDirectory(dir="/var/tmp") as closed, pytest.raises(Trouble, match=r"cannot enter .*: choose a --state directory"):
        State(Path(closed) / "state").prepare()


def test_a_place_too_deep_for_sockets_is_refused():
    with pytest.raises(Trouble, match="too long for the servers' sockets"):
        State(Path("/var/tmp") / ("deep" * 20)).prepare()
