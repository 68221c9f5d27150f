"""The queue: what came since, what I have, and samples that are looked at once, by somebody whose own request it is not."""

from alembic import op

revision = "0005"
down_revision = "0004"

OPEN = "state = 'open'"
LOOKED = """
DROP POLICY portal ON sample;
CREATE POLICY portal ON sample FOR SELECT TO nastup_portal USING ((SELECT asking_regional()));
CREATE POLICY portal_look ON sample FOR UPDATE TO nastup_portal USING (looked_at IS NULL AND (SELECT asking_regional('{region-it}')))
  WITH CHECK (looked_by_id = asking_person() AND finding <> '' AND NOT EXISTS (SELECT FROM onboarding_request q
    WHERE q.id = request_id AND human(asking_person()) IN (human(q.requester_id), human(q.beneficiary_id))));
"""


def upgrade() -> None:
    op.create_index("ix_stage_came", "stage", ["group_name", "opened_at"], postgresql_where=OPEN)
    op.create_index("ix_stage_holder", "stage", ["holder_id"], postgresql_where=OPEN)
    op.create_index("ix_sample_open", "sample", ["drawn_at", "request_id"], postgresql_where="looked_at IS NULL")
    op.get_bind().exec_driver_sql(LOOKED.replace("%", "%%"))
