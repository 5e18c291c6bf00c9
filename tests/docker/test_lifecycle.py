"""From docker run to docker stop: the ends that a container has, and what it says about itself meanwhile."""

import json
import time
import unittest

from support import Container, ContainerTest, docker, eventually

DOCKER_STOP_GRACE = 10


class LifecycleTest(ContainerTest):
    def test_session_made_with_curl_gives_its_output(self):
        with Container() as container:
            self.assert_sessions_work(container)
            status, body = container.curl("/api/sessions")
            self.assertEqual(status, 200)
            self.assertEqual([session["name"] for session in json.loads(body)["sessions"]], ["session-1"])

    def test_init_is_pid_1_with_one_thread_beside_one_server(self):
        with Container() as container:
            self.assertEqual(container.exec("ls", "/proc/1/task").split(), ["1"])
            self.assertEqual([(pid, parent) for pid, parent, _, _ in container.processes()][0], (1, 0))
            self.assertEqual([parent for _, parent, _, _ in container.processes()], [0, 1])

    def test_stop_ends_within_the_grace_with_exit_code_0(self):
        with Container() as container:
            polite = container.create_session("sh", "-c", "echo ready; sleep 1000")
            stubborn = container.create_session("sh", "-c", "trap '' TERM HUP; echo ready; while :; do sleep 1; done")
            for session in (polite, stubborn):
                container.await_output(session, "ready")
            started = time.monotonic()
            self.assert_stops_cleanly(container)
            # Docker would have killed it after the grace, and the exit code would then be 137.
            self.assertLess(time.monotonic() - started, DOCKER_STOP_GRACE)

    def test_interrupt_ends_with_exit_code_0(self):
        with Container() as container:
            docker("kill", "--signal", "INT", container.id)
            self.assertEqual(docker("wait", container.id).stdout.strip(), "0")

    def test_kill_ends_with_exit_code_137(self):
        with Container() as container:
            container.create_session("sleep", "1000")
            docker("kill", container.id)
            self.assertEqual(docker("wait", container.id).stdout.strip(), "137")

    def test_healthcheck_turns_healthy_and_unhealthy(self):
        with Container("--health-interval", "1s", "--health-retries", "1", "--health-timeout", "2s") as container:
            health = lambda: container.state()["Health"]["Status"]
            eventually("the container is healthy", lambda: health() == "healthy")
            # Stopped, not killed: a killed server is started again before anybody could ask.
            server = next(pid for pid, parent, _, _ in container.processes() if parent == 1)
            container.exec("kill", "-STOP", str(server))
            eventually("the container is unhealthy", lambda: health() == "unhealthy")

    def test_restarted_container_takes_sessions_again(self):
        with Container() as container:
            self.assert_sessions_work(container)
            docker("restart", container.id)
            container.await_ready()
            self.assert_sessions_work(container)


if __name__ == "__main__":
    unittest.main()
