# SPDX-License-Identifier: MIT
"""QEMU in TCG: boot an image, talk on the serial line, look from outside.

Three ways in: the console (stdin/stdout are the guest's serial port), QMP with the human monitor
behind it, and the gdb stub. All run beside the guest; none of them needs the guest's help.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pace
from gdbstub import GdbStub
from machine import Machine
from registry import Environment, Failure

OVMF = "/usr/share/ovmf/OVMF.fd"
CPU = "max,la57=off,smap=off,erms=off"


class Qmp:
    """The few QMP commands that tests need."""

    def __init__(self, path, seconds=20):
        self.events = []
        self._sock = socket.socket(socket.AF_UNIX)
        deadline = pace.now() + seconds
        while True:
            try:
                self._sock.connect(path)
                break
            except OSError:
                if pace.now() > deadline:
                    raise Environment("QEMU did not open its monitor") from None
                time.sleep(0.02)
        self._file = self._sock.makefile("rw")
        self._file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        request = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        self._file.write(json.dumps(request) + "\n")
        self._file.flush()
        while True:
            line = self._file.readline()
            if not line:
                raise Failure(f"QEMU ended during the monitor command {name}")
            answer = json.loads(line)
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise Environment(f"QEMU's monitor refused {name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def drain(self):
        """Collect the events that are left when QEMU has ended."""
        self._sock.settimeout(2)
        try:
            for line in self._file:
                answer = json.loads(line)
                if "event" in answer:
                    self.events.append(answer)
        except (OSError, ValueError):
            pass

    def close(self):
        self._sock.close()


class Qemu(Machine):
    """One QEMU run.

    iso       boot image (see images.py), or None
    memory    MiB
    firmware  "bios" or "uefi"
    icount    count instructions: one nanosecond of guest time is one instruction
    leaps     with icount, time leaps to the next timer when the guest is idle; without, it goes on
              with the host's, so that a disk's time-out does not come before the host has read
    paused    start stopped; cont() starts the guest
    gdb       open the gdb stub (self.gdb())
    limit     seconds until the process is killed, whatever happens
    extra     more arguments
    smp       number of CPUs
    thread    "single" or "multi": one host thread for all CPUs or one for each; None: QEMU's choice
    """
    good_ending = "exit-16"  # by a guest whose own verdict of itself is good

    def __init__(self, t, iso, memory=256, cpu=CPU, firmware="bios", icount=False, paused=False,
                 gdb=False, limit=None, extra=(), smp=1, thread=None, name="qemu", leaps=True):
        super().__init__(t, name)
        self._sockets = tempfile.mkdtemp(prefix="vl-")
        self._stub = None
        command = ["timeout", "-s", "KILL", str((limit or t.test.limit) * pace.SLOWEST), "qemu-system-x86_64",
                   "-nodefaults", "-no-user-config", "-machine", "pc",
                   "-accel", "tcg" + (f",thread={thread}" if thread else ""), "-cpu", cpu,
                   "-m", str(memory), "-smp", str(smp), "-vga", "std", "-display", "none",
                   "-no-reboot", "-chardev", "stdio,id=ser,signal=off", "-serial", "chardev:ser",
                   "-qmp", f"unix:{self._sockets}/qmp,server=on,wait=off",
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                   "-d", "cpu_reset", "-D", self.file("reset.log")]
        if iso:
            command += ["-drive", f"if=ide,media=cdrom,readonly=on,format=raw,file={iso}",
                        "-boot", "d"]
        if firmware == "uefi":
            command += ["-bios", OVMF]
        if icount:
            command += ["-icount", f"shift=0,sleep={'off' if leaps else 'on'}"]
            if "-rtc" not in extra: # its ticks are to be in the same time
                command += ["-rtc", "clock=vm"]
        if paused:
            command += ["-S"]
        if gdb:
            command += ["-chardev", f"socket,path={self._sockets}/gdb,server=on,wait=off,id=gdb0",
                        "-gdb", "chardev:gdb0"]
        with open(self.file("stderr"), "wb") as err:
            self.launch(command + list(extra), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=err)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.qmp = Qmp(f"{self._sockets}/qmp")
        except (Environment, OSError):
            with open(self.file("stderr"), encoding="utf-8") as err:
                raise Environment(f"QEMU did not start: {err.read().strip()}") from None

    def _read(self):
        with open(self.file("serial"), "wb") as out:
            while True:
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    break
                out.write(data)
                out.flush()
                self.console.feed(data)
        self.console.end()

    def send(self, text):
        """Type on the serial line, slowly enough for a UART without flow control."""
        for char in text:
            self.process.stdin.write(char.encode())
            self.process.stdin.flush()
            time.sleep(0.002)

    # The monitor.

    def hmp(self, line, cpu=0):
        """One command of the human monitor; returns its output. Some look at one CPU."""
        return self.qmp.command("human-monitor-command", **{"command-line": line, "cpu-index": cpu}).replace("\r", "")

    def pause(self):
        self.qmp.command("stop")

    def cont(self):
        self.qmp.command("cont")

    def registers(self, cpu=0):
        """Registers of a CPU by name; CPL, HLT, GDT, IDT, TR (as base) included."""
        text = self.hmp("info registers", cpu)
        regs = {k: int(v, 16) for k, v in re.findall(r"\b([A-Z][A-Z0-9]+) *=([0-9a-f]+)\b", text)}
        for table in ("GDT", "IDT"):
            regs[table] = int(re.search(rf"^{table}= +([0-9a-f]+) ", text, re.MULTILINE)[1], 16)
        for seg in ("CS", "SS", "TR"):
            fields = re.search(rf"^{seg} *=([0-9a-f]+) ([0-9a-f]+) ", text, re.MULTILINE)
            regs[seg], regs[seg + "_BASE"] = int(fields[1], 16), int(fields[2], 16)
        return regs

    def memory(self, address, size):
        """Machine memory as bytes."""
        path = self.file("memory")
        self.qmp.command("pmemsave", val=address, size=size, filename=path)
        with open(path, "rb") as dump:
            data = dump.read()
        os.unlink(path)
        return data

    def virtual_memory(self, address, size, cpu=0):
        """Memory at a virtual address of the address space that a CPU has loaded."""
        path = self.file("memory")
        if address >= 1 << 63:
            address -= 1 << 64
        self.qmp.command("memsave", val=address, size=size, filename=path, **{"cpu-index": cpu})
        with open(path, "rb") as dump:
            data = dump.read()
        os.unlink(path)
        return data

    def screen(self):
        """The VGA text screen as a list of 25 lines."""
        cells = self.memory(0xb8000, 4000)[0::2].decode("cp437")
        return [cells[i:i + 80].rstrip("\0 ") for i in range(0, 2000, 80)]

    def gdb(self):
        """The gdb stub; attaching stops the guest."""
        if not self._stub:
            self._stub = GdbStub(f"{self._sockets}/gdb")
        return self._stub

    # The end.

    def triple_faulted(self):
        with open(self.file("reset.log"), encoding="utf-8", errors="replace") as log:
            return "Triple fault" in log.read()

    def ending(self):
        """poweroff, reset, triple-fault, killed, exit-N (isa-debug-exit wrote N) or error-N."""
        status = self.process.returncode
        self.qmp.drain()
        if self.triple_faulted():
            return "triple-fault"
        if status in (137, -signal.SIGKILL):
            return "killed"
        if status & 1:
            return f"exit-{status >> 1}"
        if status:
            return f"error-{status}"
        reasons = [e["data"]["reason"] for e in self.qmp.events if e["event"] == "SHUTDOWN"]
        return "reset" if "guest-reset" in reasons else "poweroff"

    def stop(self):
        if self._stub:
            self._stub.close()
            self._stub = None
        if self.alive:
            try:
                self.qmp.command("quit")
                self.process.wait(5)
            except (Failure, OSError, subprocess.TimeoutExpired, AttributeError):
                pass
        super().stop()
        if hasattr(self, "qmp"):
            self.qmp.close()
        shutil.rmtree(self._sockets, ignore_errors=True)
