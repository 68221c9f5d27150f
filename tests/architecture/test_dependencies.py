"""Every dependency that is named is used, and the lock holds names, versions and hashes only."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "infra" / "locks"

# the name that is imported, where it is not the name of the package; None = a program or a plug-in, found by `uses`
IMPORTED = {
    "asgi-cross-origin-protection": "asgi_cross_origin_protection",
    "axe-playwright-python": "axe_playwright_python",
    "email-validator": "email_validator",
    "import-linter": "lint-imports",
    "psycopg": "psycopg",
    "pydantic-settings": "pydantic_settings",
    "pyright": "pyright",
    "python-keycloak": "keycloak",
    "python-multipart": "request.form(",
    "ruff": "ruff",
    "supervisor": "supervisor",
}


def named(file: str) -> list[str]:
    lines = [line.strip() for line in (LOCKS / file).read_text().splitlines()]
    return [re.split(r"[\[<>=]", line)[0] for line in lines if line and not line.startswith(("-r", "#"))]


@pytest.fixture(scope="module")
def source() -> str:
    files = [path for house in ("flows", "web", "infra", "tests") for path in (ROOT / house).rglob("*.py") if path != Path(__file__)]
    return "\n".join(path.read_text() for path in [*files, ROOT / "hatch_build.py"])


@pytest.mark.parametrize("package", [*named("run.in"), *named("test.in")])
def test_every_named_dependency_is_used(package: str, source: str) -> None:
    name = IMPORTED.get(package, package)
    importing = re.compile(rf"^\s*(import|from) {re.escape(name)}\b", re.MULTILINE)
    assert importing.search(source) or (package in IMPORTED and name in source), f"{package} is in the lock and nobody uses it"


@pytest.mark.parametrize("lock", ["run.lock", "test.lock"])
def test_a_lock_holds_names_versions_and_hashes_and_no_address(lock: str) -> None:
    text = (LOCKS / lock).read_text()
    assert "://" not in text
    packages = re.findall(r"^[a-z0-9][^\s=]*==\S+", text, re.MULTILINE)
    assert len(packages) > 100
    assert all("--hash=sha256:" in part for part in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE) if part.strip())
