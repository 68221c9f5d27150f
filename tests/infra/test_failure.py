"""Whatever the machine below refuses is told in one sentence that names the place and the way out."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import machine
from infra.failure import in_a_sentence
from infra.machine import cause
from infra.progress import Trouble
from infra.servers.process import Process, carry_out
from infra.state import State
from infra.supervise import Supervisor

CHECKOUT = Path(__file__).resolve().parents[2]
AGAIN = "free some space there (or choose another --state) and run the command again; it goes on where it stopped."
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tiny disk")


@pytest.fixture
def tiny() -> Iterator[Path]:
    """A disk of one megabyte that is full; its ports are free ones, because an installation may be running here."""
    place = Path(f"/var/tmp/nastup-tiny-{os.getpid()}")
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False).returncode:
        place.rmdir()
        pytest.skip("nothing may be mounted here")
    try:
        State(place).settle_ports(free=True)
        fill(place)
        yield place
    finally:
        subprocess.run(["umount", place], check=True)
        place.rmdir()


def fill(place: Path) -> None:
    subprocess.run(["dd", "if=/dev/zero", f"of={place}/filling", "bs=4k"], capture_output=True, check=False)


def launched(state: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "infra.launcher", words[0], "--state", str(state), *words[1:]]
    return subprocess.run(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def raised(number: int, name: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), name) if name else OSError(number, os.strerror(number))


@as_root
def test_a_disk_that_is_full_in_the_middle_is_one_sentence_that_names_the_place(tiny: Path) -> None:
    done = launched(tiny, "run")
    assert done.returncode == 1
    assert done.stderr.strip() == f"The disk is full at {tiny}: {AGAIN}"


@as_root
def test_a_set_up_on_a_full_disk_is_told_so(tiny: Path) -> None:
    call = "import sys; from pathlib import Path; from infra import __main__, bootstrap, machine, progress\n"
    call += "machine.check = lambda *_, **__: None\n"  # the disk fills up after this look
    call += f"machine.CACHE = Path({str(tiny / 'cache')!r})\n"
    call += f"sys.argv = ['infra', 'run', '--state', {str(tiny / 'state')!r}]; sys.exit(__main__.main())"
    done = subprocess.run([sys.executable, "-c", call], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"The disk is full at {tiny}" in done.stderr
    assert "Traceback" not in done.stderr


@as_root
def test_a_mistake_of_ours_is_told_even_when_it_cannot_be_kept(tiny: Path) -> None:
    said = in_a_sentence(KeyError("x"), tiny)
    assert said.startswith("KeyError: 'x' (where it happened could not be written to")
    assert said.endswith(f"The disk is full at {tiny}: {AGAIN}")


@as_root
def test_what_a_server_says_on_a_full_disk_is_explained_by_the_disk(tiny: Path) -> None:
    said = in_a_sentence(Trouble("postgres does not start (fatal). Its last words:\n    PANIC"), tiny)
    assert said.startswith("postgres does not start")
    assert f"The disk is full at {tiny}" in said


def test_a_tool_that_freed_its_space_again_is_explained_too(tmp_path: Path) -> None:
    """initdb removes what it wrote."""
    said = in_a_sentence(Trouble("initdb failed:\n    could not write to file: No space left on device"), tmp_path)
    assert said.startswith("initdb failed")
    assert AGAIN in said.splitlines()[-1]


@as_root
def test_a_program_that_filled_the_disk_names_the_place(tiny: Path) -> None:
    assert f"The disk is full at {tiny}" in cause("error: failed to write: No space left on device (os error 28)", tiny / "state")


def test_copies_that_found_no_space_say_so(tmp_path: Path) -> None:
    error = shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])
    assert in_a_sentence(error, tmp_path).startswith("The disk is full at /")


def test_a_mistake_of_ours_is_kept_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    said = in_a_sentence(KeyError("x"), tmp_path)
    assert said == f"KeyError: 'x' (where it happened: {tmp_path}/log/launcher.log)"
    assert "KeyError" in (tmp_path / "log/launcher.log").read_text()


@pytest.mark.parametrize(
    ("number", "name", "words"),
    [
        (errno.ENOSPC, "/var/tmp/nastup-never/log/x", "The disk is full at /var/tmp:"),
        (errno.EDQUOT, "/var/tmp/x", "The disk is full at /var/tmp:"),
        (errno.EACCES, "/srv/x", "/srv/x is closed to this command (permission denied): open it, or choose another --state"),
        (errno.EROFS, "/srv/x", "/srv/x is closed to this command (read-only file system): open it"),
        (errno.EIO, "/srv/x", "/srv/x could not be used (input/output error): mend that, or choose another --state"),
        (errno.ENOENT, "setpriv", "The program setpriv is not there: install it"),
        (errno.EMFILE, None, "This machine refused something (too many open files): mend that"),
    ],
)
def test_every_refusal_of_the_machine_is_a_sentence_with_the_way_out(number: int, name: str | None, words: str, tmp_path: Path) -> None:
    said = in_a_sentence(raised(number, name), tmp_path)
    assert said.startswith(words)
    assert said.endswith("run the command again; it goes on where it stopped.")
    assert len(said.splitlines()) == 1


def test_a_reader_that_goes_away_is_no_trouble(tmp_path: Path) -> None:
    """`python3 -m infra cast --json | head -1`"""
    call = "from infra import launcher, progress; import argparse, sys, pathlib\n"
    call += "def talks(*_):\n    while True:\n        progress.say_line('x')\n"
    call += f"told = argparse.Namespace(carry_out=talks, state=pathlib.Path({str(tmp_path)!r}))\n"
    call += "launcher._arguments = lambda: told\nsys.exit(launcher.main())"
    with subprocess.Popen([sys.executable, "-c", call], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_closed_log_directory_is_no_traceback(tmp_path: Path) -> None:
    """A file stands where the directory of logs should be."""
    (tmp_path / "log").write_text("")
    (tmp_path / "ports.json").write_text("{}")
    done = launched(tmp_path, "run") if os.geteuid() == 0 else launched(tmp_path, "status")
    assert "Traceback" not in done.stderr


# ---- words of the programs that fetch

NO_NETWORK = {
    "apt": "Err:1 http://deb.example/debian bookworm InRelease\n  Temporary failure resolving 'deb.example'",
    "pip": "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<HTTPSConnection>: Failed to establish a new"
    " connection: [Errno -3] Temporary failure in name resolution')': /simple/uv/\nERROR: No matching distribution found for uv",
    "pip, unknown name": "NameResolutionError(\"Failed to resolve 'index.example' ([Errno -2] Name or service not known)\")",
    "uv": "error: Request failed after 3 retries\n  cause: client error (Connect)\n  cause: dns error\n  cause: error resolving DNS",
    "uv, refused": "  cause: tcp connect error: Connection refused (os error 111)",
    "Maven": "[ERROR] Plugin could not be resolved: transfer failed for https://central.example/x.pom: Unknown host central.example:"
    " Temporary failure in name resolution -> [Help 1]",
    "Maven, in Java's words": "Caused by: java.net.UnknownHostException: central.example",
    "Maven, proxy": "Connect to proxy.example:3128 [proxy.example/10.0.0.1] failed: Connection timed out",
}
NO_FAULT_OF_THE_NETWORK = [
    "E: Unable to correct problems, you have held broken packages.",
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
    "[ERROR] Could not resolve dependencies for project x: the version does not exist",
]


@pytest.mark.parametrize("words", NO_NETWORK.values(), ids=NO_NETWORK)
def test_a_network_that_is_away_is_known_by_the_words_of_each_program(words: str) -> None:
    assert cause(words, machine.CACHE).startswith("The network does not answer: connect this machine")


@pytest.mark.parametrize("words", NO_FAULT_OF_THE_NETWORK)
def test_the_network_is_not_blamed_for_something_else(words: str) -> None:
    assert cause(words, machine.CACHE).startswith("Its last words say why")


# ---- programs that are not there


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """A supervisor without any server of ours."""
    state = State(Path(f"/var/tmp/nastup-ghosts-{os.getpid()}"))
    state.prepare()
    made = Supervisor(state)
    yield made
    made.shut_down()
    shutil.rmtree(state.root)


@as_root
def test_a_server_whose_program_was_removed_is_named_with_the_way_out(supervisor: Supervisor) -> None:
    ghost = Process(name="dovecot", command=[Path("/usr/sbin/nastup-ghost"), "-F"], user="root", ready=None)
    supervisor.launch([ghost], outlive=False)
    with pytest.raises(Trouble, match=r"dovecot cannot be started\. The program /usr/sbin/nastup-ghost is not there.*--reinstall"):
        supervisor.bring_up(ghost)


@as_root
def test_a_server_that_ends_at_once_is_told_with_its_last_words(supervisor: Supervisor) -> None:
    ending = Process(name="dovecot", command=["/bin/sh", "-c", "echo no such luck; exit 1"], user="root", ready=None)
    supervisor.launch([ending], outlive=False)
    with pytest.raises(Trouble, match=r"dovecot does not start \((backoff|starting|fatal|exited)\)\. Its last words:\n +no such luck"):
        supervisor.bring_up(ending)


def test_a_program_that_is_not_there_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "CACHE", tmp_path)
    with pytest.raises(Trouble, match=r"Could not fetch Keycloak\. The program nastup-mvn is not there.*--reinstall"):
        machine.run(["nastup-mvn", "-q"], "maven", "fetch Keycloak")


@pytest.mark.parametrize("user", ["root", pytest.param("nobody", marks=as_root)])
def test_a_tool_of_a_server_that_is_not_there_is_named(user: str, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"The program /usr/bin/nastup-sievec is not there"):
        carry_out([Path("/usr/bin/nastup-sievec"), "-c"], tmp_path / "log", user)


def test_a_tool_that_fails_is_not_said_to_be_absent(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="/bin/sh failed"):
        carry_out(["/bin/sh", "-c", "echo no >&2; exit 127"], tmp_path / "log")
