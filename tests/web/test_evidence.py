"""The evidence of a request: who may take it, what is in it, and that a stranger can check it with the script beside it."""

import copy
import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.approval import bundle
from flows.approval.drafts import save_draft
from flows.approval.evidence import evidence
from flows.approval.paper import printed
from flows.approval.submit import submit
from flows.model import OnboardingRequest
from flows.model.session import open_session, transaction
from flows.texts import templates_root
from tests.approvals import PRIVILEGED, TYPED, answer, file, use_policy
from tests.cast import Cast
from tests.database import Database
from tests.journeys.test_reading import rows_of
from tests.web.conftest import LogIn

MAY = ("auditor", "approver", "founder", "security", "director")
MAY_NOT = ("deputy", "clerk", "hospital_director", "dpo", "it")
SCRIPT = "evidence/verify.py"


@pytest.fixture
def decided(cast: Cast) -> OnboardingRequest:
    """Returned with a comment, corrected, approved by two groups."""
    first = file(cast, cast.clerk, **PRIVILEGED)
    answer(cast.approver, first, "return", "Ověřte nástup.", comments={"start": "Je to pondělí?"})
    with open_session(cast.clerk.person) as session, transaction(session):
        later = {"start": (date.today() + timedelta(days=40)).isoformat()}
        save_draft(session, cast.clerk, first.id, TYPED | PRIVILEGED | later, "zofie@posta.cz")
        second = submit(session, cast.clerk, first.id)
    answer(cast.approver, second)
    answer(cast.security, second, reason="V pořádku.")
    return second


def taken(cast: Cast, request: OnboardingRequest) -> dict[str, Any]:
    with open_session(cast.auditor.person, cast.auditor.roles) as session:
        return evidence(session, cast.auditor, str(request.number))


def checked(whole: dict[str, Any], place: Path) -> subprocess.CompletedProcess[str]:
    """What the script of the bundle says, run by a Python that has nothing of ours."""
    (place / "evidence.json").write_text(json.dumps(whole, ensure_ascii=False))
    (place / "verify.py").write_text((templates_root() / SCRIPT).read_text())
    return subprocess.run([sys.executable, "-I", "-S", place / "verify.py"], cwd="/", capture_output=True, text=True, check=False)


@pytest.mark.parametrize("who", MAY)
def test_those_who_may_find_the_link_and_take_the_bundle_away(cast: Cast, log_in: LogIn, decided: OnboardingRequest, who: str) -> None:
    browser, path = log_in(getattr(cast, who)), f"/requests/{decided.number}/evidence.zip"
    assert path in browser.get(f"/requests/{decided.number}").links
    answered = browser.http.get(path)
    assert answered.status_code == 200, answered.text
    assert answered.headers["content-type"] == "application/zip"
    assert answered.headers["content-disposition"] == f'attachment; filename="evidence-{decided.number}.zip"'
    assert answered.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answered.content)) as opened:
        assert sorted(opened.namelist()) == ["evidence.json", "evidence.pdf", "verify.py"]
        assert json.loads(opened.read("evidence.json"))["request"]["number"] == decided.number


def test_a_bundle_as_it_was_taken_away_is_checked_by_its_own_script(
    cast: Cast, log_in: LogIn, decided: OnboardingRequest, tmp_path: Path
) -> None:
    content = log_in(cast.director).http.get(f"/requests/{decided.number}/evidence.zip").content
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        opened.extractall(tmp_path)
    done = subprocess.run([sys.executable, "-I", "-S", tmp_path / "verify.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 decisions" in done.stdout


@pytest.mark.parametrize("who", MAY_NOT)
def test_for_others_it_is_not_there_and_no_link_leads_to_it(cast: Cast, log_in: LogIn, decided: OnboardingRequest, who: str) -> None:
    browser, path = log_in(getattr(cast, who)), f"/requests/{decided.number}/evidence.zip"
    foreign, missing = browser.http.get(path), browser.http.get("/requests/P-2026-9999/evidence.zip")
    assert foreign.status_code == 404
    assert foreign.text.replace(str(decided.number), "N") == missing.text.replace("P-2026-9999", "N")
    if who != "hospital_director":
        assert path not in browser.get(f"/requests/{decided.number}").links


@pytest.mark.parametrize("who", MAY_NOT)
def test_the_database_itself_gives_them_no_record(database: Database, cast: Cast, decided: OnboardingRequest, who: str) -> None:
    from sqlalchemy import text

    asking = getattr(cast, who)
    with open_session(asking.person, asking.roles) as session:
        assert session.execute(text("SELECT count(*) FROM audit_of(:request)"), {"request": decided.id}).scalar_one() == 0


def test_taking_it_writes_nothing(database: Database, cast: Cast, log_in: LogIn, decided: OnboardingRequest) -> None:
    browser = log_in(cast.director)
    before = rows_of(database)
    assert browser.http.get(f"/requests/{decided.number}/evidence.zip").status_code == 200
    assert rows_of(database) == before


def test_it_holds_what_was_asked_planned_and_decided_and_every_record_of_it(cast: Cast, decided: OnboardingRequest) -> None:
    file(cast, personal_number="77")  # records of another request lie between and behind
    whole = taken(cast, decided)
    assert [each["version"] for each in whole["versions"]] == [1, 2]
    assert whole["versions"][1]["plan_hash"] == decided.plan_hash
    assert [(each["verdict"], each["by"]["name"]) for each in whole["decisions"]] == [
        ("return", cast.approver.name),
        ("approve", cast.approver.name),
        ("approve", cast.security.name),
    ]
    assert whole["decisions"][0]["comments"] == {"start": "Je to pondělí?"}
    assert {each["group"] for each in whole["stages"]} == {"region-it", "security"}
    assert {each["request_id"] for each in whole["audit"]["records"]} == {str(decided.id)}
    assert whole["audit"]["head"]["position"] > whole["audit"]["records"][-1]["position"]
    assert "returned" in {each["kind"] for each in whole["letters"]}


def test_no_private_address_and_no_secret_is_in_it(database: Database, cast: Cast, decided: OnboardingRequest) -> None:
    text = json.dumps(taken(cast, decided))
    with database.superuser() as db:
        (salt,) = db.execute("SELECT salt FROM activation_contact WHERE request_id = %s", (decided.id,)).fetchone() or ("",)
    assert "zofie@posta.cz" not in text
    assert "posta.cz" not in text
    assert salt
    assert salt not in text


def test_a_request_that_a_rule_approved_and_one_that_nobody_decided_are_checked_too(database: Database, cast: Cast, tmp_path: Path) -> None:
    waiting = checked(taken(cast, file(cast)), tmp_path)
    assert waiting.returncode == 0, waiting.stderr
    use_policy(database, ("enabled = false", "enabled = true"))
    by_rule = checked(taken(cast, file(cast, personal_number="2")), tmp_path)
    assert by_rule.returncode == 0, by_rule.stderr
    assert "1 decisions" in by_rule.stdout


def test_a_version_that_the_portal_made_anew_is_checked_too(database: Database, cast: Cast, tmp_path: Path) -> None:
    request = file(cast)
    stricter = ("when = [{ privileged = true }, { contract", 'when = [{ filed_by = ["director"] }, { contract')
    use_policy(database, ('version = "2026-11-26"', 'version = "stricter"'), stricter)
    answer(cast.approver, request)
    whole = taken(cast, request)
    assert len(whole["policies"]) == 2
    assert "stricter" in whole["versions"][1]["renewed_for"][0]
    done = checked(whole, tmp_path)
    assert done.returncode == 0, done.stderr


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, Change] = {
    "an answer": lambda e: e["versions"][0]["content"].update(position="ředitel"),
    "an answer and its hash": lambda e: e["versions"][1].update(content={}, content_hash=of({})),
    "the plan": lambda e: e["versions"][1]["plan"]["mailbox"].update(quota_bytes=1 << 40),
    "the plan and its hash": lambda e: e["versions"][1].update(plan={}, plan_hash=of({})),
    "a version's number": lambda e: e["versions"][0].update(version=3),
    "the rules": lambda e: next(iter(e["policies"].values())).update(source="version = 'mine'"),
    "which rules": lambda e: e["versions"][0].update(policy="0" * 64),
    "a verdict": lambda e: e["decisions"][0].update(verdict="approve"),
    "a decider": lambda e: e["decisions"][1]["by"].update(id="11111111-1111-4111-8111-111111111111"),
    "a reason": lambda e: e["decisions"][2].update(reason="Nesouhlasím."),
    "a comment": lambda e: e["decisions"][0]["comments"].update(start="Jiný den."),
    "a decision less": lambda e: e["decisions"].pop(),
    "a decision more": lambda e: e["decisions"].append(e["decisions"][-1]),
    "a record less": lambda e: e["audit"]["records"].pop(1),
    "two records changed over": lambda e: e["audit"]["records"].insert(0, e["audit"]["records"].pop(1)),
    "the state": lambda e: e["request"].update(state="refused"),
    "the head": lambda e: e["audit"]["head"].update(position=1),
}


def of(value: Any) -> str:
    from flows.approval.hashes import of_json

    return of_json(value)


@pytest.mark.parametrize("change", CHANGES)
def test_a_bundle_with_something_changed_is_found(cast: Cast, decided: OnboardingRequest, tmp_path: Path, change: str) -> None:
    whole = taken(cast, decided)
    CHANGES[change](whole)
    done = checked(whole, tmp_path)
    assert done.returncode == 1
    assert "Not so:" in done.stderr, done.stderr


def test_every_field_of_every_record_is_held_by_its_hash(cast: Cast, decided: OnboardingRequest, tmp_path: Path) -> None:
    whole = taken(cast, decided)
    unseen: list[tuple[int, str]] = []
    for n, record in enumerate(whole["audit"]["records"]):
        for name, value in record.items():
            forged = copy.deepcopy(whole)
            forged["audit"]["records"][n][name] = value + 1000 if isinstance(value, int) else re.sub(r"[0-9a-z](?=[^0-9a-z]*$)", "_", value)
            assert forged != whole, (n, name)
            if checked(forged, tmp_path).returncode != 1:
                unseen.append((n, name))
    assert unseen == []


def test_a_record_that_was_changed_with_a_new_hash_no_longer_chains_to_its_neighbour(
    cast: Cast, decided: OnboardingRequest, tmp_path: Path
) -> None:
    whole = taken(cast, decided)
    record = whole["audit"]["records"][1]
    record["actor"] = "somebody else"
    from flows.approval.hashes import of_text

    fields = ("previous_hash", "at", "actor_id", "actor", "action", "request_id", "facts")
    record["hash"] = of_text("\n".join(record[name] for name in fields))
    done = checked(whole, tmp_path)
    assert done.returncode == 1
    assert "comes after" in done.stderr


def test_the_script_is_short_enough_to_be_read(tmp_path: Path) -> None:
    source = (templates_root() / SCRIPT).read_text()
    assert len(source.splitlines()) <= 30
    imported = set(re.findall(r"^(?:import|from) (.+)$", source, re.MULTILINE))
    assert imported == {"hashlib, json, pathlib, sys"}


def unpacked(paper: bytes) -> bytes:
    """A PDF with its streams as they are read."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", paper, re.DOTALL)
    return paper + b"\n".join(zlib.decompress(stream) for stream in streams if stream.startswith(b"x\xda"))


def test_the_paper_is_accessible_and_names_the_file_it_belongs_to(cast: Cast, decided: OnboardingRequest) -> None:
    paper = printed(taken(cast, decided), "ab" * 32)
    assert paper.startswith(b"%PDF-")
    inside = unpacked(paper)
    assert b"/Lang (cs)" in inside
    assert b"/MarkInfo <</Marked true>>" in inside
    assert b"pdfuaid" in inside
    assert b"/S /TH" in inside


def test_the_paper_fetches_nothing_that_somebody_typed(database: Database, cast: Cast, tmp_path: Path) -> None:
    inside = tmp_path / "secret.txt"
    inside.write_text("secret")
    whole = taken(cast, file(cast))
    whole["decisions"].append(
        {"at": whole["made_at"], "by": {"name": "x"}, "deputised_for": None, "rule": None, "group": "security", "version": 1, "stage": 1}
        | {"verdict": "refuse", "reason": f'<a rel="attachment" href="file://{inside}">x</a>', "comments": {}}
    )
    paper = unpacked(printed(whole, "ab" * 32))
    assert b"/EmbeddedFile" not in paper
    assert b"secret" not in paper


def test_the_auditors_page_leads_to_the_bundles_and_says_as_of_when_the_chain_is_whole(
    database: Database, cast: Cast, log_in: LogIn, decided: OnboardingRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import upkeep
    from flows.settings import load

    page = log_in(cast.auditor).get("/audit")
    assert f"/requests/{decided.number}/evidence.zip" in page.links
    assert "řetězec celý" not in page.text
    monkeypatch.setenv("NASTUP_AUDIT__HEADS", str(tmp_path / "heads.jsonl"))
    with database.used_as("nastup_worker"):
        upkeep.write_head()
    load.cache_clear()
    assert "byl řetězec celý až po záznam" in log_in(cast.auditor).get("/audit").text
    with database.superuser() as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE audit SET actor = 'somebody else' WHERE position > 3 AND action = 'audit.head_written'")
    with database.used_as("nastup_worker"):
        upkeep.write_head()
    load.cache_clear()
    assert "Řetězec je porušený u záznamu" in log_in(cast.auditor).get("/audit").text


def test_the_paper_is_printed_after_the_evidence_was_read(cast: Cast) -> None:
    number = str(file(cast).number)
    with open_session(cast.auditor.person, cast.auditor.roles) as session:
        assert bundle.zipped(session, cast.auditor, number)
        assert not session.in_transaction()
