"""Pages for everybody, logged in or not."""

from fastapi import APIRouter
from starlette.responses import Response

from flows.settings import load
from web.deps import PublicFrame

router = APIRouter()


@router.get("/accessibility")
def get_accessibility(frame: PublicFrame) -> Response:
    return frame.show("pages/accessibility.html")


@router.get("/privacy")
def get_privacy(frame: PublicFrame) -> Response:
    return frame.show("pages/privacy.html", activation_hours=load().provisioning.activation_hours, keep_days=load().snapshots.keep_daily)


@router.get("/activated")
def get_activated(frame: PublicFrame) -> Response:
    """Where the identity server leads a person after the first password."""
    return frame.show("pages/activated.html")
