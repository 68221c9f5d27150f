"""The database's way from one version to the next. Forward only: a way back is a new migration."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

HERE = Path(__file__).parent


def upgrade(dsn: str) -> None:
    """Brings the database to the newest version. `dsn` is SQLAlchemy's, with the role nastup_owner; the other roles exist already."""
    engine = create_engine(dsn)
    try:
        with engine.connect() as connection:
            config = Config()
            config.set_main_option("script_location", str(HERE))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
