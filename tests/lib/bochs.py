# SPDX-License-Identifier: MIT
"""Bochs: a second opinion on what an x86-64 CPU does, and the stricter one.

Debian's build has the debugger and only terminal displays, so it runs on a terminal of its own with a
command file that says "continue". It ignores SIGTERM and its exit status says nothing, so it is
killed by timeout and the ending is read from its log. With the debugger on the terminal, its display is another one that it
makes and names. Somebody has to read that all the time: Bochs moves its cursor there, and waits for ever once that is full, after minutes.
"""
import fcntl
import os
import re
import signal
import termios
import threading
import time
import tty

import pace
from machine import Machine, plain
from registry import Failure

CONFIG = """\
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, parallel=0, gameport=0, iodebug=1
config_interface: textconfig
display_library: term
cpu: model={model}, count={cpus}, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1, mwait_is_nop={nop}
memory: guest={memory}, host={memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
mouse: enabled=0
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=utc
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
log: {log}
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
com1: enabled=1, {com}
{more}"""

CYLINDER = 16 * 63 * 512

ENDINGS = (
    ("ACPI control: soft power off", "poweroff"),
    ("Shutdown port: shutdown requested", "shutdown-port"),
    ("exception with no resolution", "triple-fault"),
)


def configuration(iso, log, com, memory=256, cpus=1, model="corei7_haswell_4770", more=""):
    """Text of a bochsrc; `more` lines of it at the end. Bochs's MONITOR has other CPUs forget what they have at the linear address that the physical one
    would be, so it misses their stores to most lines; a wait that ends at once is as good a MWAIT."""
    return CONFIG.format(model=model, cpus=cpus, nop=int(cpus > 1), memory=memory, iso=iso, log=log, com=com, more=more)


def reading(terminal):
    """What comes from a terminal, until the other side is gone."""
    try:
        while data := os.read(terminal, 65536):
            yield data
    except OSError:
        pass
    os.close(terminal)


def drain(name):
    """Read Bochs's display, which nobody looks at, as it comes and not by lines."""
    terminal = os.open(name, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(terminal)
    for _ in reading(terminal):
        pass


class Bochs(Machine):
    """One Bochs run; the serial line goes to a file, there is no input. network: the text of a configuration of slirp (Bochs's
    network in user mode) for an e1000. disk: an image, of whole cylinders, for the first channel's second drive."""
    good_ending = "shutdown-port"  # by a guest that has ended; what its verdict is, is in its output

    def __init__(self, t, iso, memory=256, cpus=1, model="corei7_haswell_4770", limit=None,
                 name="bochs", network=None, disk=None):
        super().__init__(t, name)
        self._serial = self.file("serial")
        self._log = self.file("log")
        for path in (self._serial, self._log):
            with open(path, "wb"):
                pass
        # Bochs takes at most 160 or so characters for some paths: run it in its folder.
        short = {os.path.basename(p) for p in (self._serial, self._log)}
        assert len(short) == 2
        more = ""
        if network:
            more = f"e1000: enabled=1, mac=52:54:00:12:34:56, ethmod=slirp, script={os.path.basename(self.file('net'))}\n"
            with open(self.file("net"), "w", encoding="utf-8") as net:
                net.write(network)
        if disk:
            cylinders = os.path.getsize(disk) // CYLINDER
            more += f"ata0-slave: type=disk, mode=flat, path={os.path.relpath(disk, t.dir)}, cylinders={cylinders}, heads=16, spt=63\n"
        with open(self.file("rc"), "w", encoding="utf-8") as rc:
            rc.write(configuration(os.path.relpath(iso, t.dir), os.path.basename(self._log),
                                   f"mode=file, dev={os.path.basename(self._serial)}",
                                   memory, cpus, model, more))
        with open(self.file("go"), "w", encoding="utf-8") as go:
            go.write("c\n")
        command = ["timeout", "--foreground", "-s", "KILL", str((limit or t.test.limit) * pace.SLOWEST), "bochs-bin", "-q",
                   "-f", os.path.basename(self.file("rc")), "-rc", os.path.basename(self.file("go"))]
        terminal, theirs = os.openpty()
        # Its session's terminal: with the test's process, Bochs dies.
        self.launch(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=t.dir, env=dict(os.environ, TERM="xterm"),
                    start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        threading.Thread(target=self._keep_terminal, args=(terminal,), daemon=True).start()
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _keep_terminal(self, terminal):
        said, display = b"", None
        with open(self.file("tty"), "wb", buffering=0) as out:
            for data in reading(terminal):
                out.write(data)
                said += data
                name = re.search(rb'connected to screen "(/dev/pts/\d+)"', said)
                if name and not display:
                    display = threading.Thread(target=drain, args=(name[1],), daemon=True)
                    display.start()

    def _follow(self):
        with open(self._serial, "rb") as serial:
            while True:
                ended = not self.alive
                data = serial.read()
                if data:
                    self.console.feed(data)
                elif ended:
                    break
                else:
                    time.sleep(0.05)
        self.console.end()

    def stop(self):
        if self.alive:
            os.killpg(self.process.pid, signal.SIGKILL)
        super().stop()

    def ending(self):
        """poweroff, shutdown-port, triple-fault, killed or error."""
        with open(self._log, encoding="utf-8", errors="replace") as log:
            text = log.read()
        for mark, ending in ENDINGS:
            if mark in text:
                return ending
        return "killed" if self.process.returncode in (137, -9) else "error"


def boot_smp(t, iso, run, **kw):
    """Run run(machine) on two CPUs; once more if Bochs stalled (1 run in 8 does, LINUX notes)."""
    machine = Bochs(t, iso, cpus=2, **kw)
    try:
        return run(machine)
    except Failure:
        stalled = "Switched to clocksource tsc" in plain(machine.console.text)[-200:]
        machine.stop()
        if not stalled:
            raise
    t.log("Bochs stalled after the switch to the TSC clock source; trying once more")
    return run(Bochs(t, iso, cpus=2, name="bochs-again", **kw))


