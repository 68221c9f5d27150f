"""The evidence of a request as one file to take away: for programs (JSON), for people (PDF), and the script that checks it."""

import json
import zipfile
from io import BytesIO
from typing import Any

from sqlalchemy.orm import Session

from flows.approval import hashes, paper
from flows.approval.evidence import evidence
from flows.approval.people import Caller
from flows.texts import templates_root


def zipped(session: Session, by: Caller, number: str) -> bytes:
    """evidence.json, evidence.pdf and verify.py. Raises NotFound for whoever may not take it."""
    whole = evidence(session, by, number)
    session.rollback()  # nothing was written: printing takes its time, and needs neither the snapshot nor a connection
    return packed(whole)


def packed(whole: dict[str, Any]) -> bytes:
    """The paper names the hash of the JSON, so the two belong together."""
    text = json.dumps(whole, ensure_ascii=False, indent=1)
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("evidence.json", text)
        bundle.writestr("evidence.pdf", paper.printed(whole, hashes.of_text(text)))
        bundle.writestr("verify.py", (templates_root() / "evidence" / "verify.py").read_text())
    return out.getvalue()
