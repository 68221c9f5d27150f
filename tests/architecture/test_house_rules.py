"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.approval.states import EFFECT_MOVES, REQUEST_MOVES
from flows.model.session import transaction
from tests.database import Database

ROOT = Path(__file__).parents[2]
MODULE_LINES, FUNCTION_LINES = 300, 50
VAGUE = {"utils", "helpers", "common", "manager", "util", "helper", "misc", "managers"}


def modules() -> Iterator[Path]:
    for house in ("flows", "web", "infra"):
        yield from (path for path in (ROOT / house).rglob("*.py") if "versions" not in path.parts)


def test_a_module_has_one_idea_and_a_function_fits_on_a_page() -> None:
    large = [
        f"{path.relative_to(ROOT)}: {lines} lines" for path in modules() if (lines := len(path.read_text().splitlines())) > MODULE_LINES
    ]
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > FUNCTION_LINES:
                    large.append(f"{path.relative_to(ROOT)}:{node.name}: {length} lines")
    assert large == []


def test_no_module_is_called_by_a_vague_name() -> None:
    assert [path.name for path in modules() if path.stem in VAGUE] == []


def test_only_the_session_commits() -> None:
    commits = [str(path.relative_to(ROOT)) for path in modules() if re.search(r"\bsession\.commit\(", path.read_text())]
    assert commits == ["flows/model/session.py"]


def test_only_the_table_of_moves_changes_the_state_of_a_request() -> None:
    writes = re.compile(r"request\.state\s*=(?!=)|update\(OnboardingRequest\)")
    assert [str(path.relative_to(ROOT)) for path in modules() if writes.search(path.read_text())] == ["flows/approval/states.py"]


def test_the_database_knows_the_same_moves_as_the_program(database: Database) -> None:
    tables = {"onboarding_request": REQUEST_MOVES, "effect": EFFECT_MOVES}
    ours = {(thing, was.value, to.value) for thing, table in tables.items() for was, after in table.items() for to in after}
    with transaction() as session:
        theirs = {tuple(row) for row in session.connection().exec_driver_sql("SELECT thing, was, becomes FROM legal_move")}
    assert theirs == ours


@pytest.mark.parametrize("what", [r"pypi\.or[g]", r"pythonhoste[d]", r"repo1?\.mave[n]", r"registry\.npmj[s]", r"deb\.debia[n]\.org"])
def test_no_address_of_a_registry_is_committed(what: str) -> None:
    found = subprocess.run(["git", "grep", "-nIE", what], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout == ""
