"""One request before one decider: what will exist, what speaks for and against it, approve or refuse."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from flows.approval import decide, desk, judged, progress, queue, renew, samples, versions
from flows.approval.people import Caller
from flows.approval.refusals import AlreadyDecided, FormProblems, NoLongerOpen, NotAllowed, PlanChanged, SecondFactorNeeded
from flows.model import RequestState, Stage
from flows.model.session import transaction
from flows.sentence import Sentence, say
from flows.words import PRAGUE
from web.deps import CurrentCaller, Db, Number, PageFrame, Typed
from web.forms.decision import DecisionForm, uuid_of
from web.frame import Frame

router = APIRouter()


def _typed_decision(typed: Typed) -> DecisionForm:
    return DecisionForm.read(typed)


@router.get("/queue/{number}")
def get_decision(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    return _show(frame, session, by, number, DecisionForm())


@router.post("/queue/{number}/decision")
def post_decision(
    frame: PageFrame, by: CurrentCaller, session: Db, number: Number, form: Annotated[DecisionForm, Depends(_typed_decision)]
) -> Response:
    try:
        verdict = form.verdict()
        with transaction(session):
            outcome = decide.decide(session, by, decide.StageRef(number, form.version, form.stage), verdict)
    except FormProblems as problems:
        form.errors |= problems.fields
        return _show(frame, session, by, number, form, 422)
    except (AlreadyDecided, NoLongerOpen, NotAllowed, PlanChanged) as late:
        if isinstance(late, SecondFactorNeeded):
            raise
        if isinstance(late, AlreadyDecided) and late.mine:
            return _go_on(frame, session, by, number, "twice")
        return _show(frame, session, by, number, form, late.status, late.sentence)
    if isinstance(outcome, decide.Renewed):  # kept: the next version; the decision was about the one before
        told = say("The world changed after you opened the page, so nothing was decided. Read what changed and decide anew.")
        return _show(frame, session, by, number, form, 409, told, renewed=True)
    step = verdict.verdict == "approve" and outcome.request.state is RequestState.WAITING_APPROVAL
    return _go_on(frame, session, by, number, "step" if step else verdict.verdict)


def _go_on(frame: Frame, session: Db, by: Caller, number: str, verdict: str) -> Response:
    """To the request that is due next; the decision before is said there, also to whom pressed twice."""
    done = {
        "approve": say("%(number)s approved.", number=number),
        "step": say("%(number)s: your step is approved, others decide now.", number=number),
        "twice": say("%(number)s: your decision is recorded already.", number=number),
        "refuse": say("%(number)s refused.", number=number),
        "return": say("%(number)s returned to complete.", number=number),
        "opinion": say("Your opinion about %(number)s was recorded.", number=number),
    }[verdict]
    following = queue.following(session, by, number)
    return frame.redirect(f"/queue/{following}" if following else "/queue", done)


@router.post("/queue/{number}/handling")
def post_handling(frame: PageFrame, by: CurrentCaller, session: Db, number: Number, typed: Typed) -> Response:
    """Takes the stage over, or hands it to a colleague."""
    form, to = DecisionForm.read({name: typed[name] for name in ("version", "stage") if name in typed}), uuid_of(typed.get("to", ""))
    wanted = decide.Verdict("hand" if "to" in typed else "take", to=to)
    by.must_have_a_queue()
    try:
        with transaction(session):
            decide.decide(session, by, decide.StageRef(number, form.version, form.stage), wanted)
    except FormProblems as problems:
        form.errors |= problems.fields
        return _show(frame, session, by, number, form, 422)
    except (AlreadyDecided, NoLongerOpen, PlanChanged) as late:
        return _show(frame, session, by, number, form, late.status, late.sentence)
    done = say("%(number)s was handed over.", number=number) if to else say("You have %(number)s now.", number=number)
    return frame.redirect(f"/queue/{number}", done)


def _show(
    frame: Frame,
    session: Db,
    by: Caller,
    number: str,
    form: DecisionForm,
    status: int = 200,
    late: Sentence | None = None,
    renewed: bool = False,
) -> Response:
    """`late`: why what was just sent was not kept."""
    by.must_have_a_queue()
    whole = progress.find(session, by, number)
    request = whole.request
    stage = judged.stage_shown(request, by)
    open_now = stage.state == "open"
    why_not = judged.why_not(session, by, stage) if open_now else None
    return frame.show(
        "pages/decision.html",
        status,
        here="queue",
        request=progress.summary(whole),
        stage=judged.stage_words(session, whole, stage, datetime.now(PRAGUE).date()),
        next_path=_next(session, by, number),
        form=_form(form, whole, stage),
        drifted=renew.changes(session, request) if open_now and not renewed else [],
        late=late,
        desk=desk.desk(session, by, stage) if open_now else None,
        may_decide=open_now and why_not is None,
        why_not=why_not if open_now else _not_open(stage.decision is None),
        decided=judged.decided(stage),
        **_facts(session, whole),
    )


def _form(form: DecisionForm, whole: progress.Whole, stage: Stage) -> dict[str, Any]:
    """What was typed, and what the decision will be about: the version, plan and stage that are on this page."""
    path = f"/queue/{whole.request.number}"
    about = {"plan_hash": whole.request.plan_hash, "version": whole.request.version, "stage": stage.position}
    return {"action": f"{path}/decision", "handling": f"{path}/handling", "values": form.values, "errors": form.errors} | about


def _facts(session: Db, whole: progress.Whole) -> dict[str, Any]:
    """What stands beside the button, whoever reads it."""
    request = whole.request
    return {
        "plan": judged.plan(whole),
        "in_short": judged.in_short(whole),
        "meters": judged.meters(session, request),
        "checks": judged.checks(session, whole),
        "route": desk.stages_shown(request),
        "renewed": renew.last_changes(session, request),
        "changes": versions.changes(session, request),
        "returned": versions.last_return(session, request),
        "correctable": decide.CORRECTABLE,
        "history": progress.history(whole),
        "sample": samples.found(session, request.id),
        "requested_by": request.requester.name,
    }


def _next(session: Db, by: Caller, number: str) -> str | None:
    following = queue.following(session, by, number)
    return f"/queue/{following}" if following else None


def _not_open(undecided: bool) -> Sentence | None:
    return say("This request does not wait for a decision.") if undecided else None
