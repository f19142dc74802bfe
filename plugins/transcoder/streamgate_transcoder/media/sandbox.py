"""What a child may still do once it holds a stranger's file: compute, and talk on the line it has.

Called after everything is imported and the source's descriptor is here, so that no file needs opening any
more. Resource limits work on every Unix; the system call filter needs Linux on x86-64 or arm64. Elsewhere only the
limits hold.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys

from .task import SandboxLimits


def enter(limits: SandboxLimits) -> bool:
    """Gives up what is not needed, for good. Returns whether system calls are filtered too."""
    os.nice(limits.niceness)
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    # The soft limit ends the process by SIGXCPU, the hard one a second later by SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # Descriptors that are open stay; no file, socket or pipe can be added. Threads count as processes.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return _filter_system_calls()


# --- the filter ------------------------------------------------------------------------------------
# seccomp BPF (linux/filter.h, linux/seccomp.h). Resource limits do not bind root in all cases (processes),
# and do not stop what needs no new descriptor (unlink, kill, exec); this does.

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_RET_ALLOW = 0x7FFF0000
_RET_EPERM = 0x0005_0001  # SECCOMP_RET_ERRNO | EPERM
_RET_ENOSYS = 0x0005_0026  # glibc then falls back from clone3 to clone, whose flags can be looked at
_X32 = 0x40000000
_RET_KILL = 0x8000_0000
_CLONE_THREAD = 0x0001_0000

# Numbers from asm/unistd_64.h and asm-generic/unistd.h.
_X86_64 = (
    0xC000003E,
    56,  # clone
    435,  # clone3
    (
        *(2, 257, 437, 304, 85),  # open, openat, openat2, open_by_handle_at, creat
        *(41, 42, 43, 288, 49, 50, 53),  # socket, connect, accept, accept4, bind, listen, socketpair
        *(57, 58, 59, 322),  # fork, vfork, execve, execveat
        *(62, 200, 234, 129, 297),  # kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo
        *(101, 310, 311, 272, 308, 165, 425, 321),  # ptrace, process_vm_*, unshare, setns, mount, io_uring_setup, bpf
        *(82, 264, 316, 83, 258, 84, 86, 265, 87, 263, 88, 266, 76),  # rename*, mkdir*, rmdir, link*, unlink*, symlink*
        *(90, 268, 92, 260, 94, 133, 259),  # chmod, fchmodat, chown, fchownat, lchown, mknod, mknodat
    ),
)
_ARM64 = (
    0xC00000B7,
    220,
    435,
    (
        *(56, 437, 265),
        *(198, 203, 202, 242, 200, 201, 199),
        *(221, 281),
        *(129, 130, 131, 138, 240),
        *(117, 270, 271, 97, 268, 40, 425, 280),
        *(38, 276, 34, 37, 35, 36, 45),
        *(53, 54, 33),
    ),
)


def _filter_system_calls() -> bool:
    table = {"x86_64": _X86_64, "aarch64": _ARM64}.get(os.uname().machine) if sys.platform == "linux" else None
    if table is None:
        return False
    program = _program(*table)
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(b"".join(program), len(program) * 8)
    filter_program = _SockFprog(len(program), ctypes.cast(instructions, ctypes.c_void_p))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_program), 0, 0) == 0)


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _program(architecture: int, clone: int, clone3: int, denied: tuple[int, ...]) -> list[bytes]:
    """sock_filter is code u16 ‖ jump if true u8 ‖ jump if false u8 ‖ k u32. Loads are from struct seccomp_data."""

    def instruction(code: int, k: int, true: int = 0, false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, true, false, k)

    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    program = [
        instruction(load, 4),  # architecture
        instruction(equal, architecture, true=1),
        instruction(answer, _RET_KILL),
        instruction(load, 0),  # number of the call
        instruction(any_bit, _X32, false=1),  # x86-64's other numbers for the same calls
        instruction(answer, _RET_KILL),
        instruction(equal, clone3, false=1),
        instruction(answer, _RET_ENOSYS),
        instruction(equal, clone, false=4),
        instruction(load, 16),  # the low half of its first argument
        instruction(any_bit, _CLONE_THREAD, false=1),
        instruction(answer, _RET_ALLOW),
        instruction(answer, _RET_EPERM),
    ]
    for number in denied:
        program += [instruction(equal, number, false=1), instruction(answer, _RET_EPERM)]
    return [*program, instruction(answer, _RET_ALLOW)]
