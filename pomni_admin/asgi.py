"""The ASGI application: pages over HTTP, live fragments over one WebSocket."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pomni_admin.settings")
http = get_asgi_application()

from pomni_admin.dashboard.live import routes  # noqa: E402  (needs the app registry that the line above fills)

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(routes.websocket))),
    }
)
