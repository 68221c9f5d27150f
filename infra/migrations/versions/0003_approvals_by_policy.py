"""Approvals by a policy: its versions, stages that carry their rule, several deciders, opinions, deputies, one human with two accounts."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

SQL = Path(__file__).parent.parent / "sql"
NOW = sa.text("clock_timestamp()")
NEW_KEY = sa.text("gen_random_uuid()")


def upgrade() -> None:
    _policies()
    _stages()
    _decisions()
    _people()
    _organisations()
    op.alter_column("letter", "request_id", nullable=True)
    names = ["kind", "request_id", "person_id", "occasion"]
    op.drop_constraint(op.f("uq_letter_kind_request_id_person_id_occasion"), "letter", type_="unique")
    op.create_unique_constraint(op.f("uq_letter_kind_request_id_person_id_occasion"), "letter", names, postgresql_nulls_not_distinct=True)
    op.get_bind().exec_driver_sql((SQL / "approvals.sql").read_text().replace("%", "%%"))


def _policies() -> None:
    op.create_table(
        "policy",
        sa.Column("hash", sa.Text(), primary_key=True),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("standard_hires", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("active", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("loaded_by", sa.Text(), nullable=False),
    )
    op.create_index("uq_policy_active", "policy", ["active"], unique=True, postgresql_where=sa.text("active"))
    for table in ("onboarding_request", "request_version"):
        op.add_column(table, sa.Column("policy_hash", sa.Text(), sa.ForeignKey("policy.hash"), nullable=True))
    op.add_column("onboarding_request", sa.Column("run_id", sa.Uuid(), nullable=True))
    op.add_column("onboarding_request", sa.Column("facts", postgresql.JSONB(), nullable=True))
    op.add_column("request_version", sa.Column("facts", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("request_version", sa.Column("renewed_for", postgresql.JSONB(), nullable=True))
    op.create_table(
        "sample",
        sa.Column("request_id", sa.Uuid(), sa.ForeignKey("onboarding_request.id"), primary_key=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_by_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("finding", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("finding IN ('','in order','objection')", name=op.f("ck_sample_finding")),
    )


def _stages() -> None:
    whole: dict[str, Any] = {"nullable": False}
    flag: dict[str, Any] = {"nullable": False, "server_default": "false"}
    for column in (
        sa.Column("step", sa.Integer(), server_default="1", **whole),
        sa.Column("fallback_group", sa.Text(), nullable=True),
        sa.Column("fallback_from", sa.Text(), nullable=True),
        sa.Column("deciders", sa.Integer(), server_default="1", **whole),
        sa.Column("opinion", sa.Boolean(), **flag),
        sa.Column("different_people", sa.Boolean(), nullable=False, server_default="true"),
        sa.Column("deputies", sa.Boolean(), nullable=False, server_default="true"),
        sa.Column("working_days", sa.Integer(), server_default="3", **whole),
        sa.Column("reminders", postgresql.ARRAY(sa.INTEGER()), server_default=sa.text("'{}'"), **whole),
        sa.Column("escalation", postgresql.ARRAY(sa.TEXT()), server_default=sa.text("'{}'"), **whole),
        sa.Column("reminded", sa.Integer(), server_default="0", **whole),
        sa.Column("escalated", sa.Integer(), server_default="0", **whole),
        sa.Column("nobody", sa.Boolean(), **flag),
        sa.Column("inputs_hash", sa.Text(), server_default="", **whole),
        sa.Column("carried_from_id", sa.Uuid(), sa.ForeignKey("stage.id"), nullable=True),
        sa.Column("holder_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("stage", column)
    _check("stage", "state", "state IN ('open','waiting','approved','refused','returned','closed','given')", replaces=True)
    _check("stage", "deciders", "deciders >= 1")
    _check("stage", "opinion_given", "(state = 'given') <= opinion")
    op.execute("UPDATE stage SET step = position")


def _decisions() -> None:
    op.add_column("decision", sa.Column("deputised_for_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True))
    op.drop_constraint(op.f("uq_decision_stage_id"), "decision", type_="unique")
    op.create_unique_constraint(op.f("uq_decision_stage_id_decided_by_id"), "decision", ["stage_id", "decided_by_id"])
    op.create_index("uq_decision_final", "decision", ["stage_id"], unique=True, postgresql_where=sa.text("verdict IN ('refuse','return')"))
    op.create_foreign_key(op.f("fk_decision_policy_hash"), "decision", "policy", ["policy_hash"], ["hash"])
    _check("decision", "verdict", "verdict IN ('approve','refuse','return','opinion')", replaces=True)
    _check("decision", "reason", "verdict NOT IN ('refuse','opinion') OR length(trim(reason)) > 0", replaces=True)
    _check("decision", "rule_of_a_policy", "(rule IS NULL) = (policy_hash IS NULL)")
    _check("decision", "not_ones_own_deputy", "deputised_for_id <> decided_by_id")


def _people() -> None:
    op.add_column("regional_role", sa.Column("head", sa.Boolean(), server_default="false", nullable=False))
    op.create_table(
        "same_human",
        _person("person_id", primary_key=True),
        _person("same_as_id", nullable=False, index=True),
        _person("linked_by_id", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("person_id <> same_as_id", name=op.f("ck_same_human_two")),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_same_human_reason")),
    )
    op.create_table(
        "absence",
        sa.Column("id", sa.Uuid(), server_default=NEW_KEY, primary_key=True),
        _person("person_id", nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=False),
        _person("deputy_id", nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("until_day >= from_day", name=op.f("ck_absence_order")),
        sa.CheckConstraint("deputy_id <> person_id", name=op.f("ck_absence_another")),
    )
    op.create_index("ix_absence_deputy", "absence", ["deputy_id"])
    op.create_index("ix_absence_person", "absence", ["person_id"])
    op.create_table(
        "saved_filter",
        sa.Column("id", sa.Uuid(), server_default=NEW_KEY, primary_key=True),
        _person("person_id", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.UniqueConstraint("person_id", "name", name=op.f("uq_saved_filter_person_id_name")),
    )


def _organisations() -> None:
    for column in ("people_limit", "mail_gb_limit"):
        op.add_column("organisation", sa.Column(column, sa.Integer(), nullable=True))
    op.create_table(
        "closed_day",
        sa.Column("id", sa.Uuid(), server_default=NEW_KEY, primary_key=True),
        sa.Column("organisation_id", sa.Uuid(), sa.ForeignKey("organisation.id"), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("set_by_id", sa.Uuid(), sa.ForeignKey("person.id"), nullable=True),
    )
    op.create_index("uq_closed_day", "closed_day", ["organisation_id", "day"], unique=True, postgresql_nulls_not_distinct=True)


def _person(name: str, **how: Any) -> "sa.Column[Any]":
    return sa.Column(name, sa.Uuid(), sa.ForeignKey("person.id"), **how)


def _check(table: str, name: str, rule: str, *, replaces: bool = False) -> None:
    if replaces:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule)
