"""The site's process in the demo: uvicorn on a listening socket that it inherits.

The supervisor binds the socket and keeps it, so that the port it has announced cannot go to someone else while this
process is restarted. (`uvicorn --fd` takes it for a Unix socket and leaves Nagle's algorithm on.)
"""

from __future__ import annotations

import argparse
import socket

import uvicorn

from pomni_admin.limits import UVICORN


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the site on an inherited socket.")
    parser.add_argument("--fd", type=int, required=True, help="the listening socket's file descriptor")
    options = parser.parse_args()
    config = uvicorn.Config(
        "pomni_admin.asgi:application",
        access_log=False,
        lifespan="on",
        ws="websockets-sansio",
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=UVICORN["h11_max_incomplete_event_size"],
        ws_max_size=UVICORN["ws_max_size"],
        timeout_keep_alive=UVICORN["timeout_keep_alive"],
        limit_concurrency=UVICORN["limit_concurrency"],
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=options.fd)])


if __name__ == "__main__":
    main()
