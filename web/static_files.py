"""Style sheets, fonts and htmx. An address with a hash may be kept for ever; without one it is asked for again."""

from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from web.render import STATIC


class ForEver(StaticFiles):
    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        keep = b"public, max-age=31536000, immutable" if scope["query_string"].startswith(b"v=") else b"no-cache"

        async def with_cache(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                message = {**message, "headers": [*message["headers"], (b"cache-control", keep)]}
            await send(message)

        await super().__call__(scope, receive, with_cache)
