"""Run a command that cannot outlive the process that started it, on Linux even if that one is killed with SIGKILL.

Used as a script: `python leash.py PARENT_PID USER COMMAND...`, where USER is `-` for "stay who you are". It asks the
kernel to send SIGKILL when the parent dies (prctl(2), PR_SET_PDEATHSIG), makes sure that the parent has not died
already, and becomes the command. A script of its own instead of `preexec_fn`, which is unsafe in a process with
threads. The kernel watches the *thread* that started us: start long-lived commands from one that lives as long.

A command may need another user: PostgreSQL refuses to run as root. That user must still be able to reach the
program and its data below, say, /root, so it keeps one capability, to read and search past file permissions.
Nothing on disk is opened up for it.

Standard library only, so that `python -I -S` runs it in some 20 ms. On systems other than Linux it only becomes the
command, and a killed parent leaves it behind.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


def become(user: str) -> None:
    """Give up root for `user`, keeping CAP_DAC_READ_SEARCH where the kernel lets us."""
    entry = pwd.getpwnam(user)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    bit = 1 << CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; low words, then high
    if libc.capset(header, sets) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)


def die_with(parent: int) -> None:
    """Have the kernel kill us when `parent` dies. Must come after a change of user, which would undo it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before we had asked
        os._exit(1)


def main(arguments: list[str]) -> None:
    parent, user, *command = arguments
    if sys.platform == "linux":
        if user != "-":
            become(user)
        die_with(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job, and what it starts, would ignore it
    os.execvp(command[0], command)  # noqa: S606  (becoming the command is the point)


if __name__ == "__main__":
    main(sys.argv[1:])
