"""Lists that cost the same with a million requests: what a person may read is asked by key, and each order of a list has its index."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SQL = Path(__file__).parent.parent / "sql"
NEWEST = [sa.text("coalesce(submitted_at, created_at) DESC"), sa.text("id DESC")]
DECIDED = "state IN ('approved','running','prepared','waiting_retry','needs_attention','done')"

EXECUTED = "state IN ('approved','running','prepared','waiting_retry','needs_attention','done','cancelled')"


def upgrade() -> None:
    _requests()
    op.create_index("ix_stage_due", "stage", ["due_at", "id", "group_name"], postgresql_where=sa.text("state = 'open'"))
    op.get_bind().exec_driver_sql((SQL / "reading.sql").read_text().replace("%", "%%"))


def _requests() -> None:
    op.create_index("ix_request_newest", "onboarding_request", NEWEST, postgresql_where=sa.text("submitted_at IS NOT NULL"))
    for column in ("organisation_id", "requester_id"):  # the old one is the beginning of the new one
        op.drop_index(op.f(f"ix_onboarding_request_{column}"), "onboarding_request")
    for name, column in (("organisation", "organisation_id"), ("requester", "requester_id"), ("state", "state")):
        op.create_index(f"ix_request_{name}", "onboarding_request", [column, *NEWEST])
    op.create_index("ix_request_decided", "onboarding_request", ["kind", sa.text("submitted_at DESC")], postgresql_where=sa.text(DECIDED))
    moved = [sa.text("changed_at DESC"), sa.text("id DESC")]
    op.create_index("ix_request_changed", "onboarding_request", moved, postgresql_where=sa.text(EXECUTED))
    op.create_index("ix_request_done", "onboarding_request", [sa.text("done_at DESC")], postgresql_where=sa.text("state = 'done'"))
