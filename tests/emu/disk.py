# SPDX-License-Identifier: MIT
"""Disks of the machine that are Vellum's, and the parts of them that later guests have."""
import os
import random
import re
import signal
import time

import images
import parts
from bochs import Bochs
from guest import check_tap, finish_mini
from machine import plain
from qemu import Qemu
from registry import test

SECTOR = parts.SECTOR
SMALL = 165  # sectors of partitions 1 and 2: role_disk's
PARTITIONS = {1: (63, SMALL), 2: (300, SMALL), 3: (2048, 16000)}
SECTORS = 19 * 16 * 63  # whole cylinders, for Bochs
PIECE = 8192  # LOG_BYTES
PLACES = 16000 * SECTOR // PIECE  # of pieces in partition 3; the log begins again behind its end, with other bytes

BOTH = "disk_partitions,disk_killed"


def pattern(size, seed=0):
    return bytes((i * 7 + (i >> 9) + 3 + seed) & 0xff for i in range(size))


def piece(number):
    start = number * PIECE
    return bytes((i * 7 + (i >> 9) + 3 + (i >> 13) * 31 + 17) & 0xff for i in range(start, start + PIECE))


def make_disk(t):
    """A disk with an MBR, with the bytes that role_disk expects in its first two partitions."""
    data = bytearray(SECTORS * SECTOR)
    data[:SECTOR] = parts.table(PARTITIONS)
    for start, sectors in PARTITIONS.values():
        if sectors == SMALL:
            data[start * SECTOR:(start + sectors) * SECTOR] = pattern(sectors * SECTOR)
    name = os.path.join(t.dir, "disk.img")
    with open(name, "wb") as out:
        out.write(data)
    return name, data


def machine(t, disk, tests, hypervisor="vellum", drive="", **kw):
    image = images.vellum(("mini", f"map=all test={tests}"), "mini", hypervisor=hypervisor)
    return Qemu(t, image, extra=["-drive", f"if=ide,index=1,format=raw,file={disk}{drive}"], **kw)


def check_partitions(t, name, data, m, seconds=150):
    finish_mini(t, m, seconds)
    t.check("# SKIP" not in plain(m.console.text), "there is no IDE controller")
    with open(name, "rb") as after:
        found = after.read()
    start = PARTITIONS[1][0] * SECTOR
    data[start:start + SMALL * SECTOR] = pattern(SMALL * SECTOR, 91)
    end = PARTITIONS[3][0] * SECTOR
    t.check(found[:end] == data[:end], "the first partition has what the guest wrote, all else what it had")
    t.check(found[end:end + PIECE] == piece(0), "and the third one what was flushed before the guest was ended")


@test("disk-partitions", shows="I7 I8 U3", needs="vellum mini", limit=160)
def disk_partitions(t):
    """The mini guest gives its IDE controller to Vellum; another guest reads, writes and flushes partitions of a disk, others
    are ended in the middle of it; then the first guest has the controller again and reads the same bytes, and so does the host."""
    name, data = make_disk(t)
    check_partitions(t, name, data, machine(t, name, BOTH))


@test("disk-partitions-debug", shows="I7 I8", needs="vellum-debug mini", limit=200)
def disk_partitions_debug(t):
    """The same on a debug build, which looks at locks and the shadow."""
    name, data = make_disk(t)
    check_partitions(t, name, data, machine(t, name, BOTH, "vellum-debug"))


@test("disk-partitions-bochs", shows="I7 I8 U3", needs="vellum mini", limit=300)
def disk_partitions_bochs(t):
    """The same in Bochs, whose drive has no cache, and no bus mastering selected by its BIOS."""
    name, data = make_disk(t)
    image = images.vellum(("mini", f"map=all uncached=1 test={BOTH}"), "mini")
    check_partitions(t, name, data, Bochs(t, image, disk=name), 280)


@test("disk-heir", shows="M19 I7", needs="vellum vellum-debug mini", limit=200)
def disk_heir(t):
    """The machine changes hands while the heir's write is under way, on a drive that is slow: the heir finds by its own driver what
    it has flushed, of the last write whole sectors or none of them, and nothing else. So does the host."""
    for hypervisor in ("vellum", "vellum-debug"):
        name, data = make_disk(t)
        m = machine(t, name, "disk_heir", hypervisor, ",throttling.iops-write=1", icount=True, name=hypervisor)
        t.equal(m.wait(90), "exit-16", "the heir's own verdict")
        m.no_panic()
        check_tap(t, m)
        text = plain(m.console.text)
        said = re.search(r"^# keeper: (\d+) pieces are flushed, one was under way.*^# keeper: \1 pieces are there, and (\d+) sectors", text,
                         re.MULTILINE | re.DOTALL)
        t.check(said, f"a write was under way: {re.findall('# keeper: .*', text)}")
        t.log(f"{hypervisor}: {said[1]} pieces, {said[2]} sectors of the next one")
        with open(name, "rb") as after:
            found = after.read()
        begin = PARTITIONS[3][0] * SECTOR
        end = begin + int(said[1]) * PIECE
        t.check(found[begin:end] == b"".join(piece(n) for n in range(int(said[1]))), "the pieces are in the image")
        t.check(found[:begin] == data[:begin] and found[end + PIECE:] == data[end + PIECE:], "and all else is as it was")


def pull_plug(m):
    """SIGKILL for QEMU itself, which runs as the only child of `timeout`."""
    pid = m.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        os.kill(int(children.read().split()[0]), signal.SIGKILL)
    m.process.wait()


@test("disk-power-cut", shows="I7", needs="vellum mini", limit=300)
def disk_power_cut(t):
    """QEMU is killed while a guest writes and flushes: what it was told is flushed is in the image, and QEMU itself was told
    to flush as often. Five times, at random moments."""
    rng = random.Random(20261122)
    for number in range(5):
        name, _ = make_disk(t)
        m = machine(t, name, "disk_log", name=f"cut-{number}")
        m.expect(r"flushed 3\b", 60)
        time.sleep(rng.random() * 1.5)
        stats = m.qmp.command("query-blockstats")
        flushes = max(s["stats"]["flush_operations"] for s in stats)
        told_then = len(re.findall(r"flushed \d+", plain(m.console.text)))
        pull_plug(m)
        told = [int(n) for n in re.findall(r"flushed (\d+)\r?\n", plain(m.console.text))]
        t.log(f"cut {number}: {len(told)} pieces acknowledged, {flushes} flushes")
        t.check(told == list(range(len(told))) and told, "acknowledged in order")
        t.check(flushes >= min(told_then, 3), f"{flushes} flushes reached QEMU for {told_then} pieces")
        with open(name, "rb") as after:
            for n in told[-PLACES // 2:]:  # others may be overwritten: what was said of the last ones is lost in the console
                after.seek(PARTITIONS[3][0] * SECTOR + n % PLACES * PIECE)
                t.check(after.read(PIECE) == piece(n), f"piece {n} of {len(told)} is there after cut {number}")
