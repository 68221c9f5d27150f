"""`python -m flows policy`: what is wrong with a file of rules, what it would do, and making it the policy of new requests."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(help="The rules of approval.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="a policy, like flows/approval/policy.toml")]


@app.command()
def check(file: File) -> None:
    """Says each problem of a file with where and what, groups that nobody is in too. Exit code 1 when there is one."""
    from flows.approval import policies
    from flows.approval.policy import PolicyProblems, read
    from flows.model.session import snapshot
    from flows.settings import load as settings

    text = _text(file)
    try:
        policy = read(text)
        if settings().database is None:
            typer.echo("The file is a policy. Who is in the groups was not looked at: NASTUP_DATABASE__URL is not set.")
            return
        with snapshot() as session:
            if problems := policies.unanswerable(session, policy):
                raise PolicyProblems(problems)
    except PolicyProblems as wrong:
        _problems(file, wrong.problems)
    typer.echo(f"The file is a policy (version {policy.version}), and every group in it has enough people.")


@app.command()
def load(file: File) -> None:
    """Makes a file the policy of new requests. Needs the database role that owns the tables; a file with a problem changes nothing."""
    from sqlalchemy.exc import ProgrammingError

    from flows.approval import operator, policies
    from flows.approval.policy import PolicyProblems
    from flows.model.session import transaction

    try:
        with transaction() as session:
            digest = policies.load(session, _text(file), operator.operator())
    except PolicyProblems as wrong:
        _problems(file, wrong.problems)
    except ProgrammingError as refused:
        if "permission denied" not in str(refused.orig):
            raise
        _say_no("The policy is loaded with the database role nastup_owner only, not with that of a process of the portal.")
    typer.echo(f"It is the policy of new requests now: {digest}.")


@app.command()
def show() -> None:
    """The active policy: version, hash, since when, and its routes in plain words."""
    from flows.approval import policies, policy_words
    from flows.approval.refusals import NoLongerOpen
    from flows.model.session import snapshot

    with snapshot() as session:
        try:
            policy, digest = policies.active(session)
        except NoLongerOpen as none:
            _say_no(str(none))
        at, by = policies.in_force(session, digest)
    typer.echo(f"version {policy.version}\nhash {digest}\nin force since {_moment(at)}, loaded by {by}\n")
    typer.echo("\n".join(policy_words.route_lines(policy)))


@app.command()
def explain(number: Annotated[str, typer.Argument(help="P-2026-0001")]) -> None:
    """What a request was asked about and why, and what the active policy would ask now."""
    from flows.approval import explain as explaining
    from flows.approval.refusals import NoLongerOpen, NotFound
    from flows.model.session import snapshot

    with snapshot() as session:
        try:
            lines = explaining.lines(session, number)
        except NotFound:
            _say_no(f"There is no request {number}.")
        except NoLongerOpen as none:
            _say_no(str(none))
    typer.echo("\n".join(lines))


@app.command()
def shadow(file: File, days: Annotated[int, typer.Option(help="how far back", min=1)] = 90) -> None:
    """What a changed policy would have asked about every request of the last days, beside what was asked. Changes nothing."""
    from datetime import datetime, timedelta

    from flows.approval import shadow as shadows
    from flows.approval.policy import PolicyProblems, read
    from flows.model.session import snapshot
    from flows.words import PRAGUE

    try:
        policy = read(_text(file))
    except PolicyProblems as wrong:
        _problems(file, wrong.problems)
    since = datetime.now(PRAGUE) - timedelta(days=days)
    with snapshot() as session:
        found = shadows.compare(shadows.past_requests(session, since), policy)
        unknown = shadows.unknown(session, since)
    if found.differences:
        _table(
            [
                ("request", "was asked", "would be asked"),
                *((row.number, ", ".join(row.had), ", ".join(row.would)) for row in found.differences),
            ]
        )
    typer.echo(f"{found.requests} requests of the last {days} days, {len(found.differences)} of them would have been asked otherwise.")
    for name in sorted(found.had | found.would):
        typer.echo(f"  {name}: {found.had[name]} times, would have been {found.would[name]}")
    if unknown:
        typer.echo(f"{unknown} more were filed before there was a policy; nothing is known of their facts.")


def _table(rows: list[tuple[str, str, str]]) -> None:
    wide = [max(len(row[n]) for row in rows) for n in range(2)]
    for one, other, last in rows:
        typer.echo(f"{one:{wide[0]}}  {other:{wide[1]}}  {last}")


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as fault:
        _say_no(f"{file} cannot be read as text: {fault}")


def _problems(file: Path, problems: list[str]) -> NoReturn:
    _say_no("\n".join(f"{file}: {problem}" for problem in problems))


def _say_no(words: str) -> NoReturn:
    typer.echo(words, err=True)
    raise typer.Exit(1)


def _moment(at: object) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "an unknown moment"
