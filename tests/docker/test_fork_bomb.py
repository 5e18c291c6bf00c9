"""A fork bomb in one session, where Docker limits the number of processes: nobody but the bomb notices."""

import pathlib
import time
import unittest

from support import Container, ContainerTest, docker, eventually

PIDS_LIMIT = 100
HEALTH_MAX = 1
ROUNDS = 20
# Never gives up, and spins where it cannot fork: worse than the shell's, which waits longer and longer.
BOMB = "fork while 1"


class ForkBombTest(ContainerTest):
    def tasks(self, container):
        """How many processes and threads the kernel counts, read on the host: Docker's own way to ask takes as many
        seconds as there are processes that spin."""
        pid = container.state()["Pid"]
        for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "pids"):
                file = pathlib.Path("/sys/fs/cgroup", controllers, path.lstrip("/"), "pids.current")
                if file.exists():
                    return int(file.read_text())
        raise AssertionError(f"no limit of processes is in force for {container.id}")

    def assert_answers_in_time(self, container):
        started = time.monotonic()
        status, body = container.curl("/health")
        self.assertEqual((status, body), (200, '{"status":"ok"}'))
        self.assertLess(time.monotonic() - started, HEALTH_MAX)

    def test_api_and_other_sessions_stay_usable(self):
        with Container("--pids-limit", str(PIDS_LIMIT)) as container:
            steady = container.create_session("sh", "-c", "while read -r line; do echo got:$line; done")
            bomb = container.create_session("perl", "-e", BOMB)
            eventually("there is no room for another process", lambda: self.tasks(container) >= PIDS_LIMIT)
            for number in range(ROUNDS):
                self.assert_answers_in_time(container)
                container.type(steady, f"{number}\n")
                container.await_output(steady, f"got:{number}\r\n")
            container.delete_session(bomb)
            self.assertEqual([command for command in container.commands().values() if BOMB in command], [])
            self.assertEqual([session["id"] for session in container.ask("/api/sessions")["sessions"]], [steady["id"]])
            self.assertEqual([state for _, _, state, _ in container.processes() if state.startswith("Z")], [])
            self.assertEqual(container.session(steady)["status"], "active")
            self.assert_sessions_work(container)
            self.assertEqual(container.ask("/api/health")["serverRestarts"], 0)
            self.assert_stops_cleanly(container)


if __name__ == "__main__":
    unittest.main()
