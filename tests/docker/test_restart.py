"""Sessions outlive the container: docker restart, docker kill, and another container with the same volume."""

import time
import unittest
import uuid

from support import Container, ContainerTest, docker, eventually

DOCKER_STOP_GRACE = 10
STATE = "/var/lib/quarterdeck"
# Shows where it is, and then does what it was told.
SHOW = 'printf "%s|%s|%s\\n" "$PWD" "$COLOUR" "$(stty size)"; '
STUBBORN = "trap '' TERM HUP; while :; do sleep 0.1; done"
BUSY = "while :; do :; done"


class RestartTest(ContainerTest):
    def volume(self):
        name = f"quarterdeck-test-{uuid.uuid4().hex}"
        docker("volume", "create", name)
        self.addCleanup(docker, "volume", "rm", "--force", name)
        return name

    def make_four(self, container):
        container.exec("mkdir", "-p", "/workspace/a place")
        asked = [
            ("polite", SHOW + "exec sleep 1000", {"cwd": "a place", "env": {"COLOUR": "blue"}, "cols": 101, "rows": 33}),
            ("stubborn", SHOW + STUBBORN, {}),
            ("flood", SHOW + "exec yes", {}),
            ("busy", SHOW + BUSY, {}),
        ]
        sessions = [container.create_session("sh", "-c", script, name=name, **more) for name, script, more in asked]
        for session in sessions[:2]:
            container.await_output(session, "|")
        self.await_saved(container, 4)
        return sessions

    def await_saved(self, container, count):
        file = f"{STATE}/sessions.json"
        eventually("the state file has them all",
                   lambda: container.exec("cat", file, check=False).count('"createdAt"') == count)

    def sessions(self, container):
        return container.ask("/api/sessions")["sessions"]

    def assert_idle_and_resumable(self, container, before):
        identity = lambda session: [session[field] for field in (
            "id", "name", "command", "workingDirectory", "cols", "rows", "createdAt", "startedAt")]
        after = self.sessions(container)
        self.assertEqual([identity(session) for session in after], [identity(session) for session in before])
        self.assertEqual([session["status"] for session in after], ["idle"] * 4)
        for session in before:
            resumed = container.post(f"/api/sessions/{session['id']}/resume", {})["session"]
            self.assertEqual((resumed["id"], resumed["name"]), (session["id"], session["name"]))
        container.await_output(before[0], "/workspace/a place|blue|33 101")
        container.await_output(before[1], "/workspace||24 80")
        self.assertEqual([session["status"] for session in self.sessions(container)], ["active"] * 4)

    def test_docker_restart_within_the_grace(self):
        with Container("--volume", f"{self.volume()}:{STATE}") as container:
            before = self.make_four(container)
            started = time.monotonic()
            docker("restart", container.id)
            self.assertLess(time.monotonic() - started, DOCKER_STOP_GRACE)
            container.await_up()
            self.assertIn("State saved", container.log())
            self.assert_idle_and_resumable(container, before)

    def test_docker_kill_and_start(self):
        with Container("--volume", f"{self.volume()}:{STATE}") as container:
            before = self.make_four(container)
            docker("kill", container.id)
            self.assertEqual(docker("wait", container.id).stdout.strip(), "137")
            docker("start", container.id)
            container.await_up()
            self.assert_idle_and_resumable(container, before)

    def test_another_container_with_the_volumes(self):
        flags = ("--volume", f"{self.volume()}:{STATE}", "--volume", f"{self.volume()}:/workspace")
        with Container(*flags) as container:
            before = self.make_four(container)
            self.assert_stops_cleanly(container)
        with Container(*flags, options=("--no-auth=i-know", "--max-sessions", "8")) as container:
            self.assert_idle_and_resumable(container, before)

    def test_a_container_without_a_writable_place_says_so_and_works(self):
        with Container("--read-only", "--tmpfs", "/run") as container:
            eventually("the log says so", lambda: "The state of the sessions is not saved" in container.log())
            self.assert_sessions_work(container)
            self.assert_stops_cleanly(container)

    def test_the_state_is_saved_with_no_process_left(self):
        with Container("--pids-limit", "16") as container:
            session = container.create_session("cat", name="kept")
            hog = container.create_session("bash", "-c", "while :; do sleep 1000 & done")
            container.await_output(hog, "fork")
            container.ask(f"/api/sessions/{session['id']}/resize", "--json", '{"cols": 123, "rows": 45}')
            # "docker exec" has no process left for it either.
            saved = lambda: docker("cp", f"{container.id}:{STATE}/sessions.json", "-").stdout
            eventually("the new size is saved", lambda: '"cols":123' in saved())
            self.assertNotIn("not saved", container.log())


if __name__ == "__main__":
    unittest.main()
