"""The queue page without anything behind it: FastAPI, Jinja and the rows in memory. No log-in, no database, no guard. What the queue is
compared with, in the same run."""

import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from granian import Granian
from granian.constants import Interfaces

from flows.settings import Portal, load
from web.frame import Frame
from web.render import render

KEPT = "NASTUP_BENCH_CONTEXT"  # the file with what the page shows


def create() -> FastAPI:
    template, language, context = pickle.loads(Path(os.environ[KEPT]).read_bytes())
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/queue")
    def get_queue() -> HTMLResponse:
        return HTMLResponse(render(template, language, context))

    assert get_queue
    return app


@contextmanager
def keeping(place: Path) -> Iterator[None]:
    """While it lasts, what a frame of this process shows is written there as well."""
    plain = Frame._answer

    def answer(self: Frame, template: str, status: int, context: Mapping[str, Any]) -> HTMLResponse:
        place.write_bytes(pickle.dumps((template, self.language, dict(context))))
        return plain(self, template, status, context)

    Frame._answer = answer
    try:
        yield
    finally:
        Frame._answer = plain


def main() -> None:
    portal = load().need(Portal)
    Granian(
        "tests.bench.bare_page:create", address=portal.host, port=portal.port, interface=Interfaces.ASGI, factory=True, websockets=False
    ).serve()


if __name__ == "__main__":
    main()
