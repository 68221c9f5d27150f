"""`python -m flows`: the processes of the business, and what an operator does by hand."""

from typing import Annotated

import typer

from flows import logs
from flows.commands import audit, policy

app = typer.Typer(help="Nástup: the flows of the onboarding portal.", no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(policy.app, name="policy")
app.add_typer(audit.app, name="audit")


@app.callback()
def begin() -> None:
    logs.configure()


@app.command()
def work() -> None:
    """The worker: carries out released runs."""
    from flows import worker

    worker.run()


@app.command()
def dispatch() -> None:
    """The dispatcher: outbox, letters, questions, upkeep."""
    from flows import dispatch as dispatcher

    dispatcher.run()


@app.command()
def agent(which: Annotated[str, typer.Argument(help="backup | store")]) -> None:
    """An agent that runs as a server's own user."""
    from flows.agents import backup, store

    {"backup": backup.main, "store": store.main}[which]()


@app.command()
def prove(number: Annotated[str, typer.Argument(help="P-2026-0001")]) -> None:
    """Proves a request that is done once more: a new message, a new snapshot."""
    from flows.approval import operator

    typer.echo(operator.prove_again(number))


@app.command()
def settings() -> None:
    """The table of settings, as README.md holds it."""
    from flows.settings_table import table

    typer.echo(table())


def main() -> None:
    app()


if __name__ == "__main__":
    main()
