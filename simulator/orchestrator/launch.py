"""Becomes the program in its arguments, and dies with its parent: `launch.py PARENT_PID PROGRAM ARG…`.

Linux sends the signal when the thread that forked us ends, and keeps it over exec (not over a change of user).
Runs as a plain file, before any package of ours is imported.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent_pid, program, *arguments = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != int(parent_pid):
        sys.exit(1)  # the parent died before we could ask
    os.execvp(program, [program, *arguments])  # noqa: S606 - becoming another program is all we do


if __name__ == "__main__":
    main()
