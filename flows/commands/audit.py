"""`python -m flows audit`: the chain of records, checked from outside of the database that wrote it."""

from typing import NoReturn

import typer

app = typer.Typer(help="The audit chain.", no_args_is_help=True)


@app.callback()
def begin() -> None:
    """Keeps `verify` a command of its own while it is the only one."""


@app.command()
def verify() -> None:
    """Computes every hash anew, follows every request from state to state, and compares with the heads outside. Exit code 1 when broken."""
    from flows.approval import heads, verify
    from flows.model.session import snapshot
    from flows.settings import load

    place = load().audit.heads
    try:
        kept = heads.read(place) if place else []
    except heads.HeadsUnreadable as fault:
        _broken(str(fault))
    with snapshot() as session:
        found = verify.follow(verify.records(session), kept)
        if found.broken:
            _broken(f"The audit chain is broken: {found.broken}. {found.records} records before it are whole.")
        if astray := verify.states_differ(found, verify.states(session)):
            _broken(
                f"The records are whole, but {len(astray)} requests are not in the state where they lead, the first of them {astray[0]}."
            )
    typer.echo(f"The audit chain is whole: {found.records} records, the last one is {found.position} with the hash {found.hash}.")
    if kept:
        typer.echo(f"It holds all {len(kept)} heads that were written outside, the last one on {verify.moment(kept[-1].at)}.")
    elif place:
        typer.echo(f"No head was written to {place} yet, so it was compared with nothing outside the database.")
    else:
        typer.echo("NASTUP_AUDIT__HEADS is not set, so it was compared with nothing outside the database.")


def _broken(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
