"""The sweep beside docker exec: what came in from outside stays, and what a session has left behind does not."""

import unittest

from support import Container, ContainerTest, eventually
from terminal import Terminal

MARKER = "QUARTERDECK_SESSION_ID"
# For the command line of what is left behind, the only place where all that is below can be told apart.
LEFTOVER = "sleep 7001"


class SweepTest(ContainerTest):
    def ended_session(self, container):
        """The id of a session that is gone, and the limit by which its processes were marked."""
        session = container.create_session("sh", "-c", "grep locks /proc/self/limits; echo told; read line")
        output = container.await_output(session, "told")
        container.delete_session(session)
        return session["id"], output.split()[3]

    def leave_behind(self, container, environment, *wrapper):
        """Makes an orphan, which is init's, as if it had been left over by a session; its pid."""
        script = 'env -i PATH="$PATH" "$@" setsid sleep 7001 </dev/null >/dev/null 2>&1 & echo $!'
        return int(container.exec("sh", "-c", script, "sh", *environment, *wrapper))

    def await_leftover(self, container, pid):
        eventually("the leftover is there", lambda: container.commands().get(pid) == LEFTOVER)
        self.assertIn((pid, 1), [(process, parent) for process, parent, _, _ in container.processes()])

    def open_shell(self, container):
        """A shell by docker exec, on a terminal, with a child in the background, and what those two look like."""
        shell = Terminal("exec", "--interactive", "--tty", container.id, "bash")
        self.addCleanup(shell.close)
        shell.type("sleep 7002 &\n")
        ours = lambda: {pid: command for pid, command in container.commands().items()
                        if command in ("bash", "sleep 7002")}
        return shell, eventually("the shell and its child are there", lambda: len(ours()) == 2 and ours())

    def assert_untouched(self, container, shell, before):
        commands = container.commands()
        self.assertEqual({pid: commands.get(pid) for pid in before}, before)
        shell.type("jobs; echo $((6 * 7)) left\n")
        self.assertIn("Running", shell.expect("42 left"))

    def assert_swept(self, container, pid):
        self.assertNotIn(pid, container.commands())
        for line in (f"Zombie process detected: PID {pid}", f"Zombie process cleaned: PID {pid}"):
            eventually(f"{line!r} is in the log", lambda: line in container.log())

    def test_on_request_it_ends_leftovers_and_spares_a_shell_by_docker_exec(self):
        with Container() as container:
            dead, _ = self.ended_session(container)
            shell, before = self.open_shell(container)
            leftover = self.leave_behind(container, [f"{MARKER}={dead}"])
            self.await_leftover(container, leftover)
            swept = container.post("/api/sweep", {})
            self.assertEqual([(killed["pid"], killed["sessionId"]) for killed in swept["killed"]], [(leftover, dead)])
            self.assert_swept(container, leftover)
            self.assert_untouched(container, shell, before)
            self.assertEqual(container.post("/api/sweep", {})["killed"], [])

    def test_it_knows_leftovers_that_have_cleared_their_environment(self):
        with Container() as container:
            dead, mark = self.ended_session(container)
            leftover = self.leave_behind(container, [], "prlimit", f"--locks={mark}:{mark}")
            self.await_leftover(container, leftover)
            self.assertNotIn(MARKER, container.exec("cat", f"/proc/{leftover}/environ"))
            swept = container.post("/api/sweep", {})
            self.assertEqual([(killed["pid"], killed["sessionId"]) for killed in swept["killed"]], [(leftover, dead)])
            self.assert_swept(container, leftover)

    def test_by_itself_it_ends_leftovers_and_spares_a_shell_by_docker_exec(self):
        with Container(options=("--no-auth=i-know", "--sweep-interval", "1s")) as container:
            dead, _ = self.ended_session(container)
            shell, before = self.open_shell(container)
            stranger = self.leave_behind(container, [])
            leftover = self.leave_behind(container, [f"{MARKER}={dead}"])
            eventually("the leftover is swept", lambda: leftover not in container.commands())
            self.assert_swept(container, leftover)
            self.assert_untouched(container, shell, before)
            # An orphan of docker exec belongs to no session.
            self.await_leftover(container, stranger)

    def test_a_daemon_that_hides_ends_with_its_session(self):
        with Container() as container:
            daemon = "env -i /usr/bin/setsid sh -c 'trap \"\" HUP TERM; while :; do sleep 7001; done' &"
            session = container.create_session("sh", "-c", f"({daemon}); sleep 1000")
            there = lambda: [command for command in container.commands().values()
                             if LEFTOVER in command and "env -i" not in command]
            eventually("the daemon and its child are there", lambda: len(there()) == 2)
            shell, before = self.open_shell(container)
            container.delete_session(session)
            self.assertEqual(there(), [])
            self.assert_untouched(container, shell, before)


if __name__ == "__main__":
    unittest.main()
