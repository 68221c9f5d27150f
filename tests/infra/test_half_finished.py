"""What a start that was cut off left behind is made whole by the next one, or told in a sentence."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import bootstrap, distribution, machine
from infra.progress import Trouble
from infra.servers import postgres
from infra.state import State, ensure_users

CHECKOUT = Path(__file__).resolve().parents[2]


def a_distribution(place: Path) -> Path:
    for name in ("version.txt", "bin/kc.sh", "lib/a.jar", "data/tmp/x"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    return place


def test_half_a_keycloak_is_noticed_and_made_whole(tmp_path: Path) -> None:
    built, target = a_distribution(tmp_path / "built"), tmp_path / "state/keycloak"
    target.mkdir(parents=True)
    (target / "version.txt").write_text("version.txt")  # copied before the start was killed
    distribution.place(tmp_path / "state", built)
    assert (target / "lib/a.jar").exists()
    assert not (target / "data").exists()
    assert not target.with_name("keycloak.new").exists()


def test_a_copy_that_is_cut_off_leaves_nothing_under_the_right_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, state = a_distribution(tmp_path / "built"), tmp_path / "state"
    state.mkdir()

    def killed(source: str, target: str) -> None:
        if source.endswith(".jar"):
            raise KeyboardInterrupt
        shutil.copy2(source, target)

    with monkeypatch.context() as cut:
        cut.setattr(distribution, "_link", killed)
        with pytest.raises(KeyboardInterrupt):
            distribution.place(state, built)
    assert not (state / "keycloak").exists()
    distribution.place(state, built)
    assert (state / "keycloak/lib/a.jar").exists()


def test_a_whole_keycloak_is_left_alone(tmp_path: Path) -> None:
    built, target = a_distribution(tmp_path / "built"), tmp_path / "keycloak"
    distribution.place(tmp_path, built)
    (target / "data").mkdir()
    distribution.place(tmp_path, built)
    assert (target / "data").exists()


def test_half_a_download_is_fetched_anew_and_a_strange_one_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, programs = tmp_path / "cache", tmp_path / "bin"
    cache.mkdir()
    programs.mkdir()
    zip_ = cache / f"keycloak-quarkus-dist-{distribution.VERSION}.zip"
    zip_.write_text("half")
    (programs / "mvn").write_text(f"#!/bin/sh\ntest -e {zip_} && exit 1\necho other > {zip_}\n")  # Maven keeps a file that is there
    (programs / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(machine, "CACHE", cache)
    monkeypatch.setattr(distribution, "CACHE", cache)
    monkeypatch.setattr(distribution, "BUILT", cache / "built")
    with pytest.raises(Trouble, match=r"not the one we know \(SHA-256\); it was thrown away\. Run the command again"):
        distribution.fetch()
    assert not zip_.exists()


def test_half_an_environment_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    assert not bootstrap.is_installed(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "infra", "status", "--state", tmp_path], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == f"Nothing is installed in {tmp_path}: `python3 -m infra run --state {tmp_path}` does it."


def test_an_environment_that_lost_its_interpreter_or_its_files_is_seen(tmp_path: Path) -> None:
    assert bootstrap._works(Path(sys.executable))
    assert not bootstrap._works(tmp_path / "venv/bin/python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    assert not bootstrap._works(tmp_path / "venv/bin/python")


# ---- PostgreSQL


@pytest.fixture
def state() -> Iterator[State]:
    if os.geteuid() != 0:
        pytest.skip("gives rooms to other users")
    ensure_users({postgres.USER})
    state = State(Path(f"/var/tmp/nastup-half-{os.getpid()}"))
    state.prepare()
    yield state
    shutil.rmtree(state.root)


def test_half_a_cluster_is_made_anew(state: State) -> None:
    half = state.room("postgres", postgres.USER) / "data.new"
    (half / "global").mkdir(parents=True)
    (half / "global/pg_control").write_text("cut off here")
    (half.with_name("password")).write_text("cut off here too")
    postgres.process(state).configure()
    assert state.path("postgres/data/PG_VERSION").exists()
    assert not half.exists()
    assert not half.with_name("password").exists()
    made = state.path("postgres/data/global/pg_control").read_bytes()
    postgres.process(state).configure()
    assert state.path("postgres/data/global/pg_control").read_bytes() == made


def test_a_cluster_that_lost_its_heart_is_never_overwritten(state: State) -> None:
    kept = state.room("postgres", postgres.USER) / "data/base/1"
    kept.parent.mkdir(parents=True)
    kept.write_text("accounts")
    with pytest.raises(Trouble, match=r"postgres/data holds no whole cluster of PostgreSQL\. Bring it back from a copy, or .* reset"):
        postgres.process(state).configure()
    assert kept.read_text() == "accounts"


# ---- the interpreter


def test_an_old_interpreter_is_refused_before_it_stumbles() -> None:
    call = "import sys, runpy; sys.version_info = (3, 9, 2, 'final', 0); runpy.run_module('infra', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", call], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Nástup needs Python 3.11 or newer, and this is 3.9: use a Debian 12")
    assert len(done.stderr.splitlines()) == 1
