"""Several requests before one decider: looked at together, then decided together, each with a result of its own."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import queue, together
from flows.approval.people import Caller
from flows.approval.refusals import FormProblems
from web.deps import CurrentCaller, Db, PageFrame, Typed
from web.forms.together import TogetherForm, chosen_in
from web.frame import Frame

router = APIRouter()


@router.get("/queue/together")
def get_together(request: Request, frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    return _show(frame, by, session, TogetherForm(chosen=chosen_in(request)))


@router.post("/queue/decisions")
def post_decisions(frame: PageFrame, by: CurrentCaller, session: Db, typed: Typed) -> Response:
    by.must_have_a_queue()
    form = TogetherForm.read(typed)
    try:
        results = together.decide_together(session, by, form.chosen, form.verdict(), form.values["reason"])
    except FormProblems as problems:
        form.errors |= problems.fields
        return _show(frame, by, session, form)
    frame.reader.counts["queue"] = queue.count_again(session, by)
    return frame.show("pages/decided_together.html", here="queue", results=results)


def _show(frame: Frame, by: Caller, session: Db, form: TogetherForm) -> Response:
    by.must_have_a_queue()
    shown = together.look(session, by, form.chosen)
    return frame.show(
        "pages/together.html",
        422 if form.errors else 200,
        here="queue",
        items=[one for one in shown if one.why_not is None],
        left_out=[one for one in shown if one.why_not is not None],
        form={"values": form.values, "errors": form.errors},
        most=together.MOST,
        too_many=len(form.chosen) > together.MOST,
    )
