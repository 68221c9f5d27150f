"""Alembic's entry: migrations run online only, as nastup_owner, in one transaction each."""

from typing import Any

from alembic import context

from flows.model import Base


def run() -> None:
    connection: Any = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


run()
