"""Containers with less than everything: read-only, no capabilities, no root, not PID 1. And nothing dead left lying."""

import unittest

from support import IMAGE, Container, ContainerTest, docker, eventually

READ_ONLY = ("--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp")
STATE_OF_ROOT = ("--tmpfs", "/var/lib/quarterdeck")
STATE_OF_AGENT = ("--tmpfs", "/home/agent:uid=1000,mode=0700")

# Each round leaves a process behind whose parent ended at once: an orphan, which becomes the reaper's to wait for.
ORPHANS = 40
MAKE_ORPHANS = f"for i in $(seq {ORPHANS}); do (sleep 0.2 &); done; echo made"


class ConfinementTest(ContainerTest):
    def assert_works(self, *flags):
        with Container(*flags) as container:
            self.assert_sessions_work(container)
            container.exec("quarterdeck", "health")
            self.assert_stops_cleanly(container)

    def test_read_only_with_tmpfs(self):
        self.assert_works(*READ_ONLY, *STATE_OF_ROOT)

    def test_without_capabilities(self):
        self.assert_works("--cap-drop", "ALL")

    def test_as_ordinary_user(self):
        self.assert_works("--user", "1000")

    def test_as_user_without_an_account(self):
        self.assert_works("--user", "4321:4321", "--env", "HOME=/tmp")

    def test_everything_taken_away_at_once(self):
        no_privileges = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        self.assert_works(*READ_ONLY, *STATE_OF_AGENT, *no_privileges, "--user", "1000", "--pids-limit", "64")

    def test_under_another_init_it_warns_and_reaps_as_subreaper(self):
        with Container("--init") as container:
            self.assertIn("subreaper", container.log())
            init = next(pid for pid, parent, _, name in container.processes() if parent == 1 and name == "quarterdeck")
            session = container.create_session("sh", "-c", "(sleep 1000 &); echo made; sleep 1000")
            container.await_output(session, "made")
            # The orphan's new parent is quarterdeck, not the init above it.
            eventually("the orphan is quarterdeck's", lambda: any(
                parent == init and name == "sleep" for _, parent, _, name in container.processes()))
            self.assert_stops_cleanly(container)

    def test_orphans_leave_no_zombies(self):
        with Container() as container:
            session = container.create_session("sh", "-c", f"{MAKE_ORPHANS}; sleep 1000")
            container.await_output(session, "made")
            container.exec("sh", "-c", MAKE_ORPHANS)
            eventually("every orphan has ended", lambda: self.sleepers(container) == ["sleep 1000"])
            eventually("there are no zombies", lambda: all(
                not state.startswith("Z") for _, _, state, _ in container.processes()))

    def test_the_zombie_check_sees_zombies_where_nobody_reaps(self):
        """The test above proves something only if the same orphans do stay where PID 1 does not wait for them."""
        container = docker("run", "--detach", "--entrypoint", "sleep", IMAGE, "1000").stdout.strip()
        self.addCleanup(docker, "rm", "--force", container)
        docker("exec", container, "sh", "-c", MAKE_ORPHANS)
        states = lambda: docker("exec", container, "ps", "-e", "-o", "stat=").stdout.split()
        eventually("every orphan is a zombie", lambda: sum(s.startswith("Z") for s in states()) == ORPHANS)

    def sleepers(self, container):
        lines = container.exec("ps", "-e", "-o", "args=").splitlines()
        return [line for line in lines if line.startswith("sleep")]


if __name__ == "__main__":
    unittest.main()
