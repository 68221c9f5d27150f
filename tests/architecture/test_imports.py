"""Who may import whom: the contracts of pyproject.toml hold, and each of them can fail."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")
CONTRACTS = {each["id"]: each["name"] for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]}

# for every contract a file and an import that it must not have
VIOLATIONS = {
    "houses": ("flows/plan.py", "import web.render"),
    "flows": ("flows/model/base.py", "import flows.approval.decide"),
    "web": ("web/render.py", "import web.pages.home"),
    "web-outside": ("web/pages/queue.py", "import flows.connectors.registry"),
    "pure": ("flows/approval/decide.py", "import httpx2"),
    "registry": ("flows/provisioning/identity.py", "import flows.connectors.keycloak"),
    "connectors": ("flows/connectors/mail.py", "import flows.connectors.backup"),
    "circles": ("flows/approval/names.py", "import flows.approval.submit"),
    "prefect": ("flows/approval/queue.py", "import prefect"),
    "bootstrap": ("infra/bootstrap.py", "import psycopg"),
    "screens": ("web/pages/queue.py", "import web.pages.runs"),
}


def lint(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache", *options], cwd=tree, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tree)}
    )


def test_every_contract_is_kept() -> None:
    ended = lint(ROOT)
    assert ended.returncode == 0, ended.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    for house in ("flows", "web", "infra"):
        shutil.copytree(ROOT / house, copy / house, ignore=shutil.ignore_patterns("static", "__pycache__", "*.css"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_violation_of_each_contract_is_seen(contract: str, tree: Path) -> None:
    name, line = VIOLATIONS[contract]
    file = tree / name
    before = file.read_text()
    try:
        file.write_text(f"{before}\n{line}\n")
        ended = lint(tree, "--contract", contract)
    finally:
        file.write_text(before)
    assert ended.returncode == 1, ended.stdout
    assert "BROKEN" in ended.stdout
