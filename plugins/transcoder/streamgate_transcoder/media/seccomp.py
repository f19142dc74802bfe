"""The system call filter of a child: an allow-list of what computing and talking on open descriptors take.

seccomp BPF (linux/filter.h, linux/seccomp.h), put in place through ctypes. Whatever is not listed fails with EPERM:
nothing can be opened, connected, started, signalled, renamed or asked about by name. Memory that is made executable
later is refused too.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Mapping

import attrs

# Numbers from asm/unistd_64.h and asm-generic/unistd.h: x86-64, arm64. 0 at arm64: has no such call.
_ALLOWED: Mapping[str, tuple[int, int]] = {
    # the line and the source, both open already
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "close": (3, 57),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "poll": (7, 0),
    "ppoll": (271, 73),
    "select": (23, 0),
    "pselect6": (270, 72),
    # memory
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    # threads and time
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "set_tid_address": (218, 96),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "getrandom": (318, 278),
    "restart_syscall": (219, 128),
    # how a process ends, and says so
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "exit": (60, 93),
    "exit_group": (231, 94),
}


@attrs.frozen(kw_only=True)
class _Machine:
    """Numbers of one architecture (linux/audit.h): of calls whose arguments are looked at, or that are answered
    otherwise."""

    audit_number: int
    column: int  # in _ALLOWED
    clone: int
    clone3: int
    mmap: int
    mprotect: int
    seccomp: int


_MACHINES: Mapping[str, _Machine] = {
    "x86_64": _Machine(audit_number=0xC000003E, column=0, clone=56, clone3=435, mmap=9, mprotect=10, seccomp=317),
    "aarch64": _Machine(audit_number=0xC00000B7, column=1, clone=220, clone3=435, mmap=222, mprotect=226, seccomp=277),
}

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_FLAG_TSYNC = 1  # all threads that there may be, not this one alone
_RET_ALLOW = 0x7FFF_0000
_RET_EPERM = 0x0005_0001  # SECCOMP_RET_ERRNO | EPERM
_RET_ENOSYS = 0x0005_0026  # glibc then falls back from clone3 to clone, whose flags can be looked at
_RET_KILL = 0x8000_0000
_X32 = 0x4000_0000
_CLONE_THREAD = 0x0001_0000
_PROT_EXEC = 0x4

_FIRST_ARGUMENT, _THIRD_ARGUMENT = 16, 32  # where their low halves are in struct seccomp_data


def filter_system_calls() -> bool:
    """Allows from now on, for good, what is listed. False where that cannot be done: another system, another
    architecture, a kernel without it, or one that forbids it."""
    machine = _MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
    if machine is None:
        return False
    program = _program(machine)
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(b"".join(program), len(program) * 8)
    filter_program = _SockFprog(len(program), ctypes.cast(instructions, ctypes.c_void_p))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.syscall(machine.seccomp, _SET_MODE_FILTER, _FLAG_TSYNC, ctypes.byref(filter_program)) == 0)


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _program(machine: _Machine) -> list[bytes]:
    """sock_filter is code u16 ‖ jump if true u8 ‖ jump if false u8 ‖ k u32. Loads are from struct seccomp_data."""

    def instruction(code: int, k: int, true: int = 0, false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, true, false, k)

    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06

    def judged(number: int, argument: int, bit: int, with_it: int, without_it: int) -> list[bytes]:
        """The call `number` is answered by whether an argument has a bit."""
        return [
            instruction(equal, number, false=4),
            instruction(load, argument),
            instruction(any_bit, bit, false=1),
            instruction(answer, with_it),
            instruction(answer, without_it),
        ]

    program = [
        instruction(load, 4),  # architecture
        instruction(equal, machine.audit_number, true=1),
        instruction(answer, _RET_KILL),
        instruction(load, 0),  # number of the call
        instruction(any_bit, _X32, false=1),  # x86-64's other numbers for the same calls
        instruction(answer, _RET_KILL),
        instruction(equal, machine.clone3, false=1),
        instruction(answer, _RET_ENOSYS),
        *judged(machine.clone, _FIRST_ARGUMENT, _CLONE_THREAD, _RET_ALLOW, _RET_EPERM),
        *judged(machine.mmap, _THIRD_ARGUMENT, _PROT_EXEC, _RET_EPERM, _RET_ALLOW),
        *judged(machine.mprotect, _THIRD_ARGUMENT, _PROT_EXEC, _RET_EPERM, _RET_ALLOW),
    ]
    for numbers in _ALLOWED.values():
        # Number 0 is `read` at x86-64; at arm64 it stands for calls that are not there.
        if numbers[machine.column] or machine.column == 0:
            program += [instruction(equal, numbers[machine.column], false=1), instruction(answer, _RET_ALLOW)]
    return [*program, instruction(answer, _RET_EPERM)]
