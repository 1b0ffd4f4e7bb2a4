"""The ASGI application: pages over HTTP, live fragments over one WebSocket."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pomni_admin.settings")
http = get_asgi_application()

from pomni_admin import cache  # noqa: E402  (needs the app registry that the line above fills)
from pomni_admin.dashboard.live import routes  # noqa: E402
from pomni_admin.dashboard.live.origin import SameOrigin  # noqa: E402
from pomni_admin.limits import bounded  # noqa: E402
from pomni_admin.logs import last_words  # noqa: E402

last_words.into_the_log()


async def lifespan(
    _scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Ends the layer with the server: uvicorn dies of the signal that stopped it, past `atexit`."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(cache.close)
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "lifespan.startup.complete"})


application = ProtocolTypeRouter(
    {
        "http": bounded(http),
        "lifespan": lifespan,
        "websocket": SameOrigin(AuthMiddlewareStack(URLRouter(routes.websocket))),
    }
)
