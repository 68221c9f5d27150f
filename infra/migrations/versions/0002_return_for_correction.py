"""A decider may return a request for correction, with comments at the fields; the applicant corrects and submits the next version."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    op.add_column("decision", sa.Column("comments", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    _check("decision", "verdict", "verdict IN ('approve','refuse','return')")
    _check("stage", "state", "state IN ('open','waiting','approved','refused','returned','closed')")
    op.create_check_constraint(
        op.f("ck_decision_what_to_correct"), "decision", "verdict <> 'return' OR length(trim(reason)) > 0 OR comments <> '{}'"
    )
    op.get_bind().exec_driver_sql((SQL / "corrections.sql").read_text())


def _check(table: str, name: str, rule: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule)
