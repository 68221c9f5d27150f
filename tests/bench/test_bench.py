import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = ["--people", "2", "--one-by-one", "1", "--requests", "30", "--rounds", "2"]


@pytest.mark.servers
def test_the_bench_runs_and_keeps_its_figures(tmp_path: Path) -> None:
    kept = tmp_path / "bench.json"
    words = [sys.executable, "-m", "tests.bench", "--state", os.environ["NASTUP_TEST_STATE"], "--json", str(kept), *TINY]
    ended = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(kept.read_text())
    assert (found["flow"]["people"], found["bare"]["people"], found["decision_to_first_effect"]["together"]["n"]) == (2, 2, 2)
    assert found["flow_to_bare"] > 0
    assert [page["requests"] for page in found["pages"]] == [30]
    assert "flow : bare" in ended.stdout
