"""`make demo`: everything up with nothing but Python, until Ctrl-C.

Brings up what the environment does not name (`REDIS_URL`, `DATABASE_URL`, `QDRANT_URL`), fills the database at the
first start, keeps all processes running, and says where to open the site and how to sign in.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

from pomni_admin.demo.environment import Folder, StartRefusedError
from pomni_admin.demo.servers import PROJECT
from pomni_admin.demo.show import Show, say

PR_SET_PDEATHSIG = 1


def main() -> None:
    options = _options()
    folder = Folder(options.folder)
    if options.end_with_parent and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    try:
        folder.take()
        if options.reset:
            folder.wipe()
        sys.exit(asyncio.run(_run(Show(folder, os.environ, options.port))))
    except StartRefusedError as refused:
        sys.exit(f"demo: {refused}")
    finally:
        folder.leave()


async def _run(show: Show) -> int:
    """Run until a signal or a failure; then end what was started, whatever happened."""
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(show.run())
    asked = 0

    def ask_to_end() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            say("ending; press Ctrl-C again to end at once")
            running.cancel()
        else:
            show.supervisor.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask_to_end)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        await show.supervisor.stop()
        show.close()
    say(f"ended; its data stays in {show.folder.path}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pomni_admin.demo", description="Run the whole product as a demo.")
    parser.add_argument("--port", type=int, default=8000, help="where to serve the site; the next free one if taken")
    parser.add_argument("--reset", action="store_true", help="forget the data of earlier starts first")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".demo", help="where data, logs and secrets are kept")
    parser.add_argument("--end-with-parent", action="store_true", help="end when the starting process is killed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
