"""Every way by which a decision or an approved request can come about, listed. A new way fails here until somebody looks at it.

Why each is safe: the function decides (tests/flows/test_four_eyes.py goes through all of them); a run that is resumed in Prefect believes
the database only (tests/faults: a run that somebody resumed does nothing without an approval); the worker has no right to the rows.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.database import Database

ROOT = Path(__file__).parents[2]

# where a row of `decision` is made
MAKES_DECISIONS = {"flows/approval/decide.py:_record"}
MAKES_DECISIONS_IN_SQL = {"approve_by_rule"}
# who asks the database's function for an approval by a rule
ASKS_THE_RULE = {"flows/approval/standard.py:approve"}
# who moves a request to `approved`, and who calls that
MOVES_TO_APPROVED = {"flows/approval/verdicts.py:approved"}
ENDS_IN_APPROVED = {
    "flows/approval/verdicts.py:go_on",
    "flows/approval/standard.py:approve",
    "flows/approval/submit.py:submit",  # when every approval of the version before counts on
}
GOES_ON = {"flows/approval/verdicts.py:follow", "flows/approval/renew.py:renew"}
FOLLOWS = {"flows/approval/decide.py:decide"}
RENEWS = {"flows/approval/decide.py:decide"}
# who calls the one function; on the left the ways into the product, on the right what they lead to
CALLS_DECIDE = {
    "flows/approval/together.py:_decided",
    "web/pages/decision.py:post_decision",
    "web/pages/decision.py:post_handling",
    "web/pages/requests.py:post_withdraw",
}
CALLS_TOGETHER = {"web/pages/together.py:post_decisions"}
ROUTES = {"POST /queue/decisions", "POST /queue/{number}/decision", "POST /queue/{number}/handling", "POST /requests/{number}/withdraw"}
SUBMITS = {"web/pages/check_employee.py:post_submit"}


def sources() -> Iterator[Path]:
    return (path for house in ("flows", "web", "infra") for path in sorted((ROOT / house).rglob("*.py")))


@cache
def functions() -> list[tuple[str, ast.AST]]:
    """Every function of the product with its place, the outermost one for what is nested in it, and the bare lines of every module."""
    found: list[tuple[str, ast.AST]] = []
    for path in sources():
        place = str(path.relative_to(ROOT))
        tree = ast.parse(path.read_text())
        for node in (*tree.body, *(inner for each in tree.body if isinstance(each, ast.ClassDef) for inner in each.body)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append((f"{place}:{node.name}", node))
            elif not isinstance(node, ast.ClassDef):
                found.append((f"{place}:-", node))
    return found


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def called(call: ast.Call) -> str:
    """The dotted name that is called, as it stands there."""
    return ast.unparse(call.func)


def who_calls(pattern: str) -> set[str]:
    wanted = re.compile(pattern)
    return {place for place, node in functions() for call in calls(node) if wanted.fullmatch(called(call))}


def written(pattern: str) -> set[tuple[str, str]]:
    """The calls themselves, as they stand there."""
    wanted = re.compile(pattern)
    return {(place, ast.unparse(call)) for place, node in functions() for call in calls(node) if wanted.fullmatch(called(call))}


def names(pattern: str) -> set[str]:
    """Places where a name is used at all, so that nobody hides a call behind another name."""
    wanted = re.compile(pattern)
    return {
        place
        for place, node in functions()
        if not isinstance(node, ast.Import | ast.ImportFrom)
        for each in ast.walk(node)
        if isinstance(each, ast.Name | ast.Attribute) and wanted.fullmatch(ast.unparse(each))
    }


def test_one_function_makes_decisions() -> None:
    assert who_calls(r"(\w+\.)?Decision") == MAKES_DECISIONS
    assert {place for place, call in written(r"(\w+\.)?(insert|update|delete)") if re.search(r"\bDecision\b", call)} == set()
    assert [path for path in sources() if re.search(r"INSERT INTO decision\b", path.read_text(), re.IGNORECASE)] == []


def test_one_function_of_the_database_makes_decisions(database: Database) -> None:
    bodies = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace IN ('public'::regnamespace, 'backup'::regnamespace)"
    rights = "SELECT DISTINCT grantee FROM information_schema.table_privileges WHERE table_name = 'decision' AND privilege_type = 'INSERT'"
    with database.superuser() as db:
        made = {name for name, body in db.execute(bodies) if re.search(r"INSERT INTO decision\b", body, re.IGNORECASE)}
        holders = {row[0] for row in db.execute(rights)}
    assert made == MAKES_DECISIONS_IN_SQL
    assert holders == {"nastup_owner", "nastup_portal"}
    assert names(r"func\.approve_by_rule") == ASKS_THE_RULE


def test_one_function_approves_a_request() -> None:
    assert {place for place, call in written(r"(\w+\.)?move") if "APPROVED" in call} == MOVES_TO_APPROVED
    assert who_calls(r"(verdicts\.)?approved") == ENDS_IN_APPROVED
    assert {place for place in who_calls(r"(verdicts\.)?go_on") if not place.startswith("flows/provisioning")} == GOES_ON
    assert who_calls(r"verdicts\.follow") == FOLLOWS
    assert who_calls(r"renew\.renew") == RENEWS
    assert names(r"handling\.(take_over|hand_over)") == {"flows/approval/decide.py:decide"}
    assert {place for place in who_calls(r"submit") if not place.startswith("infra")} == SUBMITS


def test_every_caller_of_the_one_function_is_known() -> None:
    assert who_calls(r"(decide\.)?decide") == CALLS_DECIDE
    assert who_calls(r"(together\.)?decide_together") == CALLS_TOGETHER
    assert {place for place in who_calls(r"_decided") if place.startswith("flows/approval/together")} == {
        "flows/approval/together.py:decide_together"
    }


def test_every_route_that_reaches_a_decision_is_known() -> None:
    from tests.web.client import routes_of

    handlers = {place.split(":")[1] for place in CALLS_DECIDE | CALLS_TOGETHER if place.startswith("web/pages/")}
    reached = {f"{method} {route.path}" for route in routes_of(None) if route.endpoint.__name__ in handlers for method in route.methods}
    assert reached == ROUTES
    assert all(route.startswith("POST ") for route in reached), "a page that is only looked at decides nothing"


def test_the_command_line_cannot_decide() -> None:
    entry = (ROOT / "flows/__main__.py").read_text() + (ROOT / "flows/approval/operator.py").read_text()
    assert not re.search(r"\bdecide\b|\bverdicts\b|\bsubmit\b|APPROVED", entry)


def test_the_flow_asks_the_database_and_not_prefect() -> None:
    """Whoever resumes a run comes to `take`, which asks for the decision, and nothing else makes work on a request."""
    imports = [
        (str(path.relative_to(ROOT)), node)
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "flows.provisioning.work"
    ]
    assert {place for place, node in imports if "take" in {each.name for each in node.names}} == {"flows/provisioning/procedure.py"}
    assert who_calls(r"(\w+\.)?Work") == {"flows/provisioning/work.py:take"}
