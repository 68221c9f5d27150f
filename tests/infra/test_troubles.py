"""What a person is told when something is missing: one sentence and the way out, no traceback. The real commands, in a bad place."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes bad places with unshare and other users")


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """The first command alone, where every user may read it."""
    place = Path(f"/var/tmp/nastup-copy-{os.getpid()}")
    shutil.copytree(CHECKOUT / "infra", place / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    yield place
    shutil.rmtree(place)


def said(command: list[str], copy: Path, path: str = "/usr/sbin:/usr/bin:/sbin:/bin") -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=copy,
        env={"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_an_ordinary_user_is_told_to_be_root(copy: Path):
    code, words = said(["runuser", "-u", "nobody", "--", PYTHON, "-m", "infra", "run"], copy)
    assert code == 1
    assert "has to run as root" in words
    assert "sudo" in words


def test_a_full_disk_is_told_before_anything_begins(copy: Path):
    call = "import sys; from pathlib import Path; from infra import machine, progress\n"
    call += "try: machine.check(Path('/var/tmp/nastup-never'), gigabytes=1_000_000)\nexcept progress.Trouble as e: sys.exit(str(e))"
    code, words = said([PYTHON, "-c", call], copy)
    assert code == 1
    assert "GB are free at /var/tmp, 1000000 GB are needed: free some space" in words


def test_without_a_network_the_packages_say_so(copy: Path):
    call = "import sys; from infra import machine, progress\ntry: machine.refresh()\nexcept progress.Trouble as e: sys.exit(str(e))"
    code, words = said(["unshare", "-n", PYTHON, "-c", call], copy)
    assert code == 1
    assert "The network does not answer: connect this machine" in words


def test_another_system_is_told_what_is_needed(copy: Path):
    code, words = said([PYTHON, "-m", "infra", "run"], copy, path="/nowhere")
    assert code == 1
    assert "no apt-get here" in words


def test_a_command_before_the_first_run_names_the_first_run(copy: Path):
    for command in ("status", "stop", "cast", "reset"):
        code, words = said([PYTHON, "-m", "infra", command, "--state", "/var/tmp/nastup-never"], copy)
        assert code == 1
        assert "Nothing is installed in /var/tmp/nastup-never: `python3 -m infra run --state /var/tmp/nastup-never`" in words


def test_the_first_command_imports_nothing_but_the_standard_library(copy: Path):
    call = "import infra.__main__; print([n for n, m in sys.modules.items() if 'packages' in str(getattr(m, '__file__', ''))])"
    done = subprocess.run(
        [PYTHON, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(copy)!r}); {call}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
