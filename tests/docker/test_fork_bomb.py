"""A fork bomb in one session, where Docker limits the number of processes: nobody but the bomb notices."""

import os
import time
import unittest

from support import Container, ContainerTest, docker, eventually

PIDS_LIMIT = 100
HEALTH_MAX = 1
ROUNDS = 20
# Never gives up, and spins where it cannot fork: worse than the shell's, which waits longer and longer.
BOMB = "fork while 1"


class ForkBombTest(ContainerTest):
    def bombs(self, container):
        """Processes of the bomb, counted from the host: inside there is no room for a ps."""
        lines = docker("top", container.id, "-eo", "pid,args").stdout.splitlines()
        return sum(BOMB in line for line in lines)

    def can_fork(self, container):
        # Docker itself gets its process in, limit or not.
        return docker("exec", container.id, "sh", "-c", "(true)", check=False).returncode == 0

    def assert_answers_in_time(self, container):
        started = time.monotonic()
        status, body = container.curl("/health")
        self.assertEqual((status, body), (200, '{"status":"ok"}'))
        self.assertLess(time.monotonic() - started, HEALTH_MAX)

    def test_api_and_other_sessions_stay_usable(self):
        # One CPU for bomb and API together; another one, where there is one, for Docker's own commands.
        cpu = str(min(os.sched_getaffinity(0)))
        with Container("--pids-limit", str(PIDS_LIMIT), "--cpuset-cpus", cpu) as container:
            steady = container.create_session("sh", "-c", "while read -r line; do echo got:$line; done")
            bomb = container.create_session("perl", "-e", BOMB)
            # All there is room for beside init, the server with its threads, and the other session.
            eventually("the bomb has filled the container", lambda: self.bombs(container) > PIDS_LIMIT - 20)
            eventually("there is no room for another process", lambda: not self.can_fork(container))
            for number in range(ROUNDS):
                self.assert_answers_in_time(container)
                container.type(steady, f"{number}\n")
                container.await_output(steady, f"got:{number}\r\n")
            container.delete_session(bomb)
            self.assertEqual(self.bombs(container), 0)
            self.assertEqual([session["id"] for session in container.ask("/api/sessions")["sessions"]], [steady["id"]])
            self.assertEqual([state for _, _, state, _ in container.processes() if state.startswith("Z")], [])
            self.assertEqual(container.session(steady)["status"], "active")
            self.assert_sessions_work(container)
            self.assertEqual(container.ask("/api/health")["serverRestarts"], 0)
            self.assert_stops_cleanly(container)


if __name__ == "__main__":
    unittest.main()
