"""Rules that the database keeps as the program does: days of Prague, absences that end, names that are given up while a request waits."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    for table in ("regional_role", "organisation_role"):
        op.alter_column(table, "valid_from", server_default=sa.text("today()"))
    op.get_bind().exec_driver_sql((SQL / "rules.sql").read_text().replace("%", "%%"))
