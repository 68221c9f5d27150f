"""What an earlier start left behind."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

from infra.state import State
from infra.sweep import sweep


def left_behind(state: Path) -> "subprocess.Popen[bytes]":
    sleeper = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    process = subprocess.Popen(sleeper, env={"NASTUP_STATE": str(state)}, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    process.stdout.close()
    return process


def test_what_lost_its_supervisor_is_ended_and_counted(tmp_path: Path):
    process = left_behind(tmp_path)
    Thread(target=process.wait).start()  # reaps it, as init would
    assert sweep(State(tmp_path)) == 1
    assert process.wait(5) != 0


def test_another_installation_is_left_alone(tmp_path: Path):
    process = left_behind(tmp_path / "other")
    assert sweep(State(tmp_path)) == 0
    assert process.poll() is None
    process.kill()
    process.wait()


def test_a_pid_file_whose_number_belongs_to_a_stranger_ends_nobody(tmp_path: Path):
    process = left_behind(tmp_path / "other")
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "postmaster.pid").write_text(f"{process.pid}\n")
    assert sweep(State(tmp_path)) == 0
    assert process.poll() is None
    process.kill()
    process.wait()
