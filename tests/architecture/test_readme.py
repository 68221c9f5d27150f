"""README.md tells the truth about commands and settings."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from flows.__main__ import app
from flows.settings_table import table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_table_of_settings_is_the_one_that_the_code_makes() -> None:
    held = re.search(r"<!-- settings -->\n(.*)\n<!-- end of settings -->", README, re.DOTALL)
    assert held
    assert held[1] == table()


@pytest.mark.parametrize("words", sorted(set(re.findall(r"python3 -m infra ([a-z]+)", README))))
def test_every_command_of_the_readme_exists(words: str) -> None:
    told = subprocess.run([sys.executable, "-m", "infra", "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert words in re.findall(r"[a-z]+", told.split("}")[0])


@pytest.mark.parametrize("words", sorted(set(re.findall(r"python -m flows ([a-z]+)", README))))
def test_every_command_of_the_flows_exists(words: str) -> None:
    assert words in get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:infra|web|flows|templates)/[\w/.]+)`", README))))
def test_every_file_that_the_readme_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
