"""`python3 -m infra run` for real, in a state directory of its own: from nothing to the proof, again, interrupted, killed, removed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.state import PORTS, State
from infra.sweep import sweep

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(os.geteuid() != 0 or not Path(PYTHON).exists(), reason="sets up a machine as root, with its own python3"),
]


class Installation:
    """The commands as a person types them, on a state directory that nobody else uses, with free ports."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        state = State(root)
        state.settle_ports(free=True)
        assert set(state.ports) == set(PORTS)

    def begin(self, *words: str, **more: Any) -> "subprocess.Popen[str]":
        told = {name: value for name, value in os.environ.items() if not name.startswith(("NASTUP_", "PREFECT_"))}
        command = [PYTHON, "-m", "infra", words[0], "--state", str(self.root), *words[1:]]
        before_a_person = signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores Ctrl-C, and so would its children
        try:
            return subprocess.Popen(
                command, cwd=CHECKOUT, env=told, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True, **more
            )
        finally:
            signal.signal(signal.SIGINT, before_a_person)

    def command(self, *words: str) -> tuple[int, str]:
        """Exit code, and what was printed."""
        with self.begin(*words, stderr=subprocess.STDOUT) as process:
            said = process.communicate()[0]
        assert "Traceback" not in said
        return process.returncode, said

    def until(self, line: str, then: Callable[[int], None]) -> tuple[int, str]:
        """Starts it before the person's eyes, and does something to the terminal's processes once that line is there."""
        with self.begin("run", stderr=subprocess.STDOUT) as process:
            assert process.stdout
            said = ""
            for printed in process.stdout:
                said += printed
                if line in printed:
                    then(process.pid)
        return process.returncode, said

    def living(self) -> list[str]:
        """Every process of this installation, however it was started."""
        found = ((pid, _about(pid)) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid())
        return [f"{pid} {about}" for pid, about in found if str(self.root) in about]

    def dies(self, within: float = 20) -> bool:
        ends = time.monotonic() + within
        while (left := self.living()) and time.monotonic() < ends:
            time.sleep(0.2)
        return not left


def _about(pid: str) -> str:
    said = ""
    for file in ("cmdline", "environ"):
        try:
            said += Path(f"/proc/{pid}/{file}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    for link in ("cwd", "exe"):
        try:
            said += " " + os.readlink(f"/proc/{pid}/{link}")
        except OSError:
            continue
    return said


@pytest.fixture
def installation() -> Iterator[Installation]:
    made = Installation(Path(f"/var/tmp/nastup-whole-{os.getpid()}"))
    yield made
    sweep(State(made.root))
    subprocess.run(["rm", "-rf", made.root], check=True)


def in_order(words: Sequence[str], said: str) -> bool:
    places = [said.find(word) for word in words]
    return -1 not in places and places == sorted(places)


def test_run_does_what_it_promises_from_nothing_to_its_removal(installation: Installation) -> None:
    proved_from_nothing(installation)
    started_again_and_ended_by_ctrl_c(installation)
    killed_in_the_middle_and_healed(installation)
    removed_while_it_lives(installation)


def proved_from_nothing(installation: Installation) -> None:
    with installation.begin("run", "--check", stderr=subprocess.PIPE) as process:
        printed, complained = process.communicate()
    assert process.returncode == 0, printed + complained
    assert complained == ""
    assert in_order(["virtual environment made", "libraries installed", "postgres ready", "cast planted", "Proof:", "stopping"], printed)
    proof = json.loads(printed.splitlines()[-1])
    assert (proof["state"], proof["identity"]["activation"]) == ("done", "used")
    assert proof["backup"]["restored_sha256"] == proof["mailbox"]["arrived_sha256"]
    assert proof["repeat"]["remote_writes"] == 0
    assert {"request", "seconds"} <= set(proof)
    assert installation.dies(), installation.living()


def started_again_and_ended_by_ctrl_c(installation: Installation) -> None:
    began = time.monotonic()
    took: list[float] = []

    def ctrl_c(group: int) -> None:
        took.append(time.monotonic() - began)
        code, refused = installation.command("run", "--detach")
        assert (code, "already runs" in refused) == (1, True)
        os.killpg(group, signal.SIGINT)

    code, said = installation.until("Who may log in", ctrl_c)
    assert code == 130
    assert said.rstrip().endswith("stopped")
    assert "P-" in said  # the employee of the first run is proved once more, no other is filed
    assert "filed a request" not in said
    print(f"second start to the proof: {took[0]:.0f} s")  # told, not tested: the machine decides it
    assert installation.dies(), installation.living()


def killed_in_the_middle_and_healed(installation: Installation) -> None:
    code, _ = installation.until("postgres ready", lambda group: os.killpg(group, signal.SIGKILL))
    assert code == -signal.SIGKILL
    code, said = installation.command("run", "--detach")  # at once: what is going down is waited for
    assert code == 0, said
    code, said = installation.command("status")
    assert (code, "portal" in said) == (0, True)
    code, said = installation.command("stop")
    assert (code, "stopped" in said) == (0, True)
    assert installation.dies(), installation.living()
    code, said = installation.command("status")
    assert (code, "Nothing runs" in said) == (3, True)


def removed_while_it_lives(installation: Installation) -> None:
    code, said = installation.command("run", "--detach", "--servers")
    assert code == 0, said
    assert installation.living()
    code, said = installation.command("reset", "--yes")
    assert (code, "removed" in said) == (0, True)
    assert not installation.root.exists()
    assert installation.dies(), installation.living()
