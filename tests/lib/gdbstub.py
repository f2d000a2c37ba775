# SPDX-License-Identifier: MIT
"""A small client of the gdb remote protocol, enough to look at a guest from outside.

gdb itself would do, but a scenario wants addresses and bytes, not text to parse.
"""
import socket

from registry import Environment, Failure


class GdbStub:
    """One connection; the guest is stopped while it is not inside cont()."""

    def __init__(self, path, seconds=30):
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(seconds)
        self._sock.connect(path)
        self._data = b""
        self.command("qSupported:swbreak+;hwbreak+")
        # Before it was asked for this QEMU answers the packets for single registers with nothing.
        self.command("qXfer:features:read:target.xml:0,ffb")
        self.command("?")

    def _byte(self):
        if not self._data:
            self._data = self._sock.recv(65536)
            if not self._data:
                raise Failure("the gdb stub closed: QEMU ended")
        first, self._data = self._data[:1], self._data[1:]
        return first

    def _send(self, text):
        body = text.encode()
        self._sock.sendall(b"$" + body + b"#%02x" % (sum(body) % 256))

    def _receive(self):
        while self._byte() != b"$":
            pass
        body = b""
        while True:
            byte = self._byte()
            if byte == b"#":
                break
            body += byte
        self._byte()
        self._byte()
        self._sock.sendall(b"+")
        return body.decode("latin-1")

    def command(self, text):
        """Send one packet and return the answer."""
        self._send(text)
        return self._receive()

    def ok(self, text):
        answer = self.command(text)
        if answer != "OK":
            raise Environment(f"the gdb stub answered {answer!r} to {text!r}")

    def read(self, address, size):
        """Bytes at a virtual address."""
        answer = self.command(f"m{address:x},{size:x}")
        if answer.startswith("E"):
            raise Failure(f"cannot read {size} bytes at {address:#x}: not mapped")
        return bytes.fromhex(answer)

    def write_physical(self, address, data):
        """Overwrite bytes of the machine's memory."""
        self.ok("Qqemu.PhyMemMode:1")
        self.ok(f"M{address:x},{len(data):x}:{data.hex()}")
        self.ok("Qqemu.PhyMemMode:0")

    def rip(self):
        """Instruction pointer; gdb numbers it 16."""
        return self.register(16)

    def register(self, number):
        """A general register by gdb's number: 0 RAX, 1 RBX, 2 RCX, 3 RDX, 4 RSI, 5 RDI, 6 RBP, 7 RSP, 8 R8."""
        return int.from_bytes(bytes.fromhex(self.command(f"p{number:x}")), "little")

    def set_rip(self, address):
        self.ok(f"P10={address.to_bytes(8, 'little').hex()}")

    def break_at(self, address, hardware=True):
        self.ok(f"Z{int(hardware)},{address:x},1")

    def clear(self, address, hardware=True):
        self.ok(f"z{int(hardware)},{address:x},1")

    def watch(self, address, size=8):
        """Stop after a write to the address."""
        self.ok(f"Z2,{address:x},{size:x}")

    def cont(self, seconds=60):
        """Let the guest run until it stops; returns the stop reply."""
        self._sock.settimeout(seconds)
        try:
            return self.command("c")
        except socket.timeout:
            raise Failure(f"the guest did not reach a breakpoint within {seconds} s") from None

    def go(self):
        """Let the guest run and do not wait."""
        self._send("c")

    def go_alone(self, cpu):
        """The same for one CPU, while the others stand."""
        self._send(f"vCont;c:{cpu + 1:x}")

    def interrupt(self):
        """Stop a guest that go() set running."""
        self._sock.sendall(b"\x03")
        return self._receive()

    def step(self):
        return self.command("s")

    def close(self):
        try:
            self._send("D")
        except OSError:
            pass
        self._sock.close()
