"""README.md tells the truth about commands and settings: what is harmless is executed, of the rest everything that is named is there."""

import os
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from flows.settings_table import table
from infra.servers import vault
from infra.state import State

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_table_of_settings_is_the_one_that_the_code_makes() -> None:
    held = re.search(r"<!-- settings -->\n(.*)\n<!-- end of settings -->", README, re.DOTALL)
    assert held
    assert held[1] == table()


@cache
def said(*words: str) -> str:
    """What a command prints, run from the checkout."""
    told = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=told, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def helps(command: str) -> str:
    """What `python3 -m infra COMMAND` takes, its own options and those before the command."""
    return said("-m", "infra", "--help") + said("-m", "infra.launcher", command, "--help")


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python3 -m infra ([a-z]+)", README))))
def test_every_command_of_the_readme_exists_and_takes_the_options_named_beside_it(command: str) -> None:
    assert re.search(rf"[{{,]{command}[,}}]", said("-m", "infra", "--help"))
    named = [line for line in README.splitlines() if re.search(rf"python3 -m infra {command}\b", line)]
    assert {option for line in named for option in options(line)} <= options(helps(command))


def test_no_option_is_named_that_no_command_takes() -> None:
    bench, backup_server = said("-m", "tests.bench", "--help"), " ".join(str(word) for word in vault.process(State(Path("/x"))).command)
    ours = "".join(helps(command) for command in set(re.findall(r"python3 -m infra ([a-z]+)", README)))
    ours += "".join(said("-m", "flows", *words, "--help") for words in set(re.findall(r"python -m flows (policy|audit) ([a-z]+) ", README)))
    assert {"--check", "--detach", "--yes", "--json", "--state", "--people"} <= options(README)
    assert options(README) - options(ours + bench + backup_server) == set()


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m flows ([a-z]+)", README))))
def test_every_command_of_the_flows_is_there_and_explains_itself(command: str) -> None:
    assert f"python -m flows {command}" in said("-m", "flows", command, "--help")


@pytest.mark.parametrize("which", sorted(set(re.findall(r"python -m flows agent ([a-z]+)", README))))
def test_every_agent_that_is_named_is_one_of_those_that_the_command_offers(which: str) -> None:
    assert which in said("-m", "flows", "agent", "--help")


def test_the_command_that_makes_the_table_of_settings_prints_it() -> None:
    assert said("-m", "flows", "settings").strip() == table()


@pytest.mark.parametrize("command", ["status", "stop", "cast", "reset"])
def test_a_command_on_nothing_says_how_to_begin(command: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "infra", command, "--state", tmp_path]
    done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        f"Nothing is installed in {tmp_path}: `python3 -m infra run --state {tmp_path}` does it.",
    )


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python3? -m ([\w.]+)", README)) - {"build"}))
def test_every_program_that_is_named_can_be_started(module: str) -> None:
    assert find_spec(f"{module}.__main__")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:infra|web|flows)\.[\w.]+)`", README))))
def test_every_function_that_is_named_is_there(name: str) -> None:
    module, _, function = name.rpartition(".")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:infra|web|flows|templates)/[\w/.]+)`", README))))
def test_every_file_that_the_readme_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
