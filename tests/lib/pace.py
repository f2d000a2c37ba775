# SPDX-License-Identifier: MIT
"""The clock that limits of time go by: it is slow where the host is slow.

A limit says how long a test takes at most on a machine like the developers', with two cores of its own. A host that is shared,
or that was started a minute ago, may do a sixth of that for some minutes, and then a limit in its seconds says nothing of
Vellum: of one run of 248 tests three needed twenty times as long as ever before and failed by that, the others passed. So the
runner looks four times a second how fast the host does a known bit of work and how many threads share its cores,
and lets this clock run by it: never faster than time, never slower than 1/SLOWEST of it. A hang stays a hang, and is
found later. The tests' processes, which are the runner's children, read the clock from shared memory.
"""
import mmap
import os
import statistics
import struct
import time
import zlib

SLOWEST = 6  # what must end in the host's own time gets this many times its limit
PERIOD = 0.25  # seconds between two looks
UNIT = 0.0015  # seconds that work() takes on a developer's machine with something else to do

_shared = mmap.mmap(-1, mmap.PAGESIZE)
_recent = []


def work():
    """Seconds for fresh memory written, read and summed: what emulators do."""
    start = time.monotonic()
    with mmap.mmap(-1, 1 << 20) as memory:
        zlib.crc32(memory[:])
    return time.monotonic() - start


def runnable():
    """Threads that run or wait for a core now."""
    with open("/proc/loadavg", encoding="ascii") as load:
        return int(load.read().split()[3].split("/")[0])


def share(took, threads, cores):
    """What a thread gets of such a machine: between 1/SLOWEST and 1."""
    return max(min(1.0, UNIT / took) * min(1.0, cores / max(threads, 1)), 1 / SLOWEST)


def _read():
    """(this clock, the host's clock) when the runner looked last, and the pace since."""
    return struct.unpack_from("<ddd", _shared)


def now():
    """Seconds of a machine of the usual speed; outside of the runner: of this one."""
    clock, host, pace = _read()
    return clock + (time.monotonic() - host) * (pace or 1.0)


def look():
    """The runner's part, called as often as it likes."""
    _, host, _ = _read()
    if host and time.monotonic() - host < PERIOD:
        return
    _recent.append(share(work(), runnable(), os.cpu_count()))
    del _recent[:-9]
    struct.pack_into("<ddd", _shared, 0, now(), time.monotonic(), statistics.median(_recent))
