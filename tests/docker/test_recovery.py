"""What is killed from outside comes back: the container by docker start and restart policies, the server by init."""

import os
import signal
import unittest

from support import IMAGE, Container, ContainerTest, docker, eventually

MAIN_SCRIPT = ("--no-auth=i-know", "--", "sh", "-c")


class RecoveryTest(ContainerTest):
    def kill_pid_1(self, container):
        """kill -9 from the host, which Docker, unlike with docker kill, takes for a failure."""
        os.kill(container.state()["Pid"], signal.SIGKILL)

    def assert_comes_back(self, container):
        eventually("Docker has started it again", lambda: container.restarts() > 0 and container.state()["Running"])
        container.await_ready()
        self.assert_sessions_work(container)

    def test_killed_container_starts_again(self):
        with Container() as container:
            container.create_session("sleep", "1000")
            docker("kill", "--signal", "KILL", container.id)
            self.assertEqual(docker("wait", container.id).stdout.strip(), "137")
            docker("start", container.id)
            container.await_ready()
            # The socket of the server before, which nobody could remove, is not in the way.
            container.exec("quarterdeck", "health")
            self.assert_sessions_work(container)
            self.assert_stops_cleanly(container)

    def test_restart_always_brings_it_back_after_kill_9_of_pid_1(self):
        with Container("--restart", "always") as container:
            container.create_session("sleep", "1000")
            self.kill_pid_1(container)
            self.assert_comes_back(container)

    def test_restart_on_failure_brings_it_back_after_kill_9_of_pid_1(self):
        with Container("--restart", "on-failure:3") as container:
            self.kill_pid_1(container)
            self.assert_comes_back(container)

    def test_restart_on_failure_brings_it_back_when_the_main_command_fails(self):
        script = "[ -e go ] && exec sleep 1000; until [ -e go ]; do sleep 0.1; done; exit 3"
        with Container("--restart", "on-failure:3", options=(*MAIN_SCRIPT, script)) as container:
            container.exec("touch", "go")
            self.assert_comes_back(container)
            self.assertEqual(container.restarts(), 1)

    def test_restart_on_failure_lets_it_rest_when_the_main_command_succeeds(self):
        run = ("run", "--detach", "--restart", "on-failure:3")
        container = docker(*run, IMAGE, *MAIN_SCRIPT, "exit 0").stdout.strip()
        self.addCleanup(docker, "rm", "--force", "--volumes", container)
        self.assertEqual(docker("wait", container).stdout.strip(), "0")
        self.assertEqual(docker("inspect", "--format", "{{.RestartCount}}", container).stdout.strip(), "0")

    def test_restart_always_brings_it_back_when_the_main_command_succeeds(self):
        script = "[ -e go ] && exec sleep 1000; until [ -e go ]; do sleep 0.1; done"
        with Container("--restart", "always", options=(*MAIN_SCRIPT, script)) as container:
            container.exec("touch", "go")
            self.assert_comes_back(container)

    def test_kill_9_of_everybody_leaves_init_which_starts_the_server_again(self):
        with Container() as container:
            victim = container.create_session("sleep", "1000")
            before = container.state()
            # What the kill of procps answers to -1 differs from version to version.
            docker("exec", container.id, "kill", "-9", "-1", check=False)
            restarts = lambda: container.ask("/api/health")["serverRestarts"]
            self.assertEqual(eventually("another server answers", restarts), 1)
            said = "The API server ended; sessions go on and a new one starts"
            eventually("the log says so", lambda: said in container.log())
            ended = eventually("the session has ended", lambda: container.session(victim)["status"] == "error"
                               and container.session(victim))
            self.assertEqual(ended["signal"], "SIGKILL")
            self.assertEqual(container.state(), before)
            self.assertEqual([parent for _, parent, _, _ in container.processes()], [0, 1])
            self.assert_sessions_work(container)
            self.assert_stops_cleanly(container)

    def test_kill_9_of_everybody_ends_a_container_with_a_main_command(self):
        with Container(options=("--no-auth=i-know", "--", "sleep", "1000")) as container:
            docker("exec", container.id, "kill", "-9", "-1", check=False)
            self.assertEqual(docker("wait", container.id).stdout.strip(), "137")


if __name__ == "__main__":
    unittest.main()
