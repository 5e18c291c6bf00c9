"""A terminal with the docker command in it, as a person has one."""

import fcntl
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

from support import PATIENCE, docker, eventually

CTRL_C = "\x03"
CTRL_Z = "\x1a"


class Terminal:
    """`docker ARGUMENTS` on a terminal of its own; ended, but not the container, at the end of the `with`."""

    def __init__(self, *arguments, rows=24, columns=80):
        self.screen, terminal = pty.openpty()
        self.text = ""
        self.position = 0
        self._set_size(rows, columns)
        self.process = subprocess.Popen(["docker", *arguments], stdin=terminal, stdout=terminal, stderr=terminal,
                                        start_new_session=True)
        os.close(terminal)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.screen)

    def type(self, text):
        os.write(self.screen, text.encode())

    def expect(self, text):
        """Waits for `text` behind what was waited for before, and answers everything from there to its end."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.text.find(text, self.position)) < 0:
            if not self._read(deadline):
                raise AssertionError(f"no {text!r} came; on the terminal: {self.text[self.position:]!r}")
        start, self.position = self.position, found + len(text)
        return self.text[start:self.position]

    def resize(self, rows, columns):
        self._set_size(rows, columns)
        # The kernel tells those whose controlling terminal it is, and docker has none.
        self.process.send_signal(signal.SIGWINCH)

    def wait(self):
        """The exit code of docker, after everything it printed."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(timeout=PATIENCE)

    def _read(self, deadline):
        """Takes in what is printed next; False when nothing more comes, or not in time."""
        readable, _, _ = select.select([self.screen], [], [], max(0, deadline - time.monotonic()))
        try:
            new = os.read(self.screen, 65536) if readable else b""
        except OSError:
            # EIO: nobody has the terminal open any more.
            new = b""
        self.text += new.decode(errors="replace")
        return bool(new)

    def _set_size(self, rows, columns):
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def run_on_terminal(test, *arguments):
    """`docker run --interactive --tty ARGUMENTS` on a terminal, and the id of its container, until the test ends."""
    directory = tempfile.TemporaryDirectory()
    test.addCleanup(directory.cleanup)
    id_file = pathlib.Path(directory.name, "id")
    terminal = Terminal("run", "--interactive", "--tty", "--cidfile", str(id_file), *arguments)
    test.addCleanup(terminal.close)
    container = eventually("docker made the container", lambda: id_file.exists() and id_file.read_text())
    test.addCleanup(docker, "rm", "--force", "--volumes", container)
    return terminal, container
