"""Becomes another program that ends when its parent does: `python parent_guard.py SIGNAL ACCOUNT|-
PROGRAM [ARGUMENT ...]`.

A supervisor that is killed cannot stop its children; Linux does it for them. Under `ACCOUNT` the
program runs without our rights.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(number: int, account: str, program: list[str]) -> None:
    parent = os.getppid()
    if account != "-":
        entry = pwd.getpwnam(account)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)  # before the next line: a change of account clears it
        os.chdir("/")
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it has died meanwhile
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606  (the command line is ours)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
