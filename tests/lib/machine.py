# SPDX-License-Identifier: MIT
"""What both emulators have in common: a console to read and how a run can end."""
import os
import re
import subprocess
import threading
import time

import pace
from registry import Crash, Failure

# Terminal control that GRUB writes to its serial terminal.
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|c|[()][A-Z0-9])")


def plain(text):
    """Serial output without terminal control."""
    return _ESCAPES.sub("", text).replace("\r", "")


class Console:
    """The serial line: a thread collects what the guest writes, so the guest never waits."""

    def __init__(self):
        self._bytes = bytearray()
        self._news = threading.Condition()
        self._closed = False
        self._seen = 0

    def feed(self, data):
        with self._news:
            self._bytes += data
            self._news.notify_all()

    def end(self):
        with self._news:
            self._closed = True
            self._news.notify_all()

    @property
    def text(self):
        """All output so far."""
        with self._news:
            return self._bytes.decode("utf-8", "replace")

    def lines(self):
        return plain(self.text).split("\n")

    def expect(self, pattern, seconds=60):
        """Wait for a regular expression after the last match; returns the match object."""
        regex = re.compile(pattern, re.MULTILINE)
        deadline = pace.now() + seconds
        with self._news:
            while True:
                tail = self._bytes[self._seen:].decode("latin-1")
                match = regex.search(tail)
                if match:
                    self._seen += match.end()
                    return match
                left = deadline - pace.now()
                if self._closed or left <= 0:
                    break
                self._news.wait(min(left, 1))
        last = plain(tail)[-300:].strip()
        why = "the machine stopped" if self._closed else f"{seconds} s went by"
        raise Failure(f"no output like {pattern!r}: {why}; the last output was: {last!r}")


class Machine:
    """One emulator process. Subclasses build the command line and say how it ended."""

    def __init__(self, t, name):
        self.t = t
        self.name = name
        self.console = Console()
        self.process = None
        self._reader = None
        t.keep(self)

    def file(self, suffix):
        """Path of one of this machine's log files."""
        return os.path.join(self.t.dir, f"{self.name}.{suffix}")

    def launch(self, command, **kw):
        self.t.log("run:", " ".join(command))
        self.process = subprocess.Popen(command, **kw)

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def expect(self, pattern, seconds=60):
        """Wait for serial output; a dead machine or a panic ends the wait as a CRASH."""
        try:
            return self.console.expect(pattern, seconds)
        except Failure:
            self.no_panic()
            raise

    def no_panic(self):
        """CRASH if Vellum or guest Linux panicked."""
        match = re.search(r"^.*(vellum: panic|Kernel panic - not syncing|Oops: ).*$",
                          plain(self.console.text), re.MULTILINE)
        if match:
            raise Crash(match.group(0).strip())

    def wait(self, seconds=120, panic_is_wanted=False):
        """Wait for the machine to end by itself; returns how (see the subclass)."""
        deadline = pace.now() + seconds
        while self.alive:
            if pace.now() > deadline:
                self.no_panic()
                raise Failure(f"{self.name} did not end within {seconds} s; "
                              f"last output: {plain(self.console.text)[-300:]!r}")
            time.sleep(0.1)
            if not panic_is_wanted:
                self.no_panic()
        if self._reader:
            self._reader.join(5)
        return self.ending()

    def ending(self):
        raise NotImplementedError

    def stop(self):
        """End the emulator now; harmless when it has ended."""
        if self.alive:
            self.process.kill()
            self.process.wait()
        if self._reader:
            self._reader.join(5)
