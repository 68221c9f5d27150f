"""The evidence of a request, to be taken away as one file."""

from fastapi import APIRouter
from starlette.responses import Response

from flows.approval import bundle
from web.deps import CurrentCaller, Db, Number

router = APIRouter()


@router.get("/requests/{number}/evidence.zip")
def get_evidence(by: CurrentCaller, session: Db, number: Number) -> Response:
    named = {"content-disposition": f'attachment; filename="evidence-{number}.zip"'}
    return Response(bundle.zipped(session, by, number), media_type="application/zip", headers=named)
