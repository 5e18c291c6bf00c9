"""A main command: on a terminal with job control as in any shell, and from docker stop to its exit code."""

import unittest

from support import IMAGE, Container, ContainerTest, docker, eventually
from terminal import CTRL_C, CTRL_Z, run_on_terminal


class TerminalTest(ContainerTest):
    def run_bash(self, *options):
        terminal, self.container = run_on_terminal(self, "--hostname", "ship", IMAGE, *options)
        terminal.expect("root@ship:")
        self.assertNotIn("job control", terminal.text)
        return terminal

    def await_state(self, command, state):
        """Waits until this is what ps shows of the command: T is stopped, + is the terminal's foreground."""
        shown = lambda: docker("exec", self.container, "ps", "-C", command, "-o", "stat=").stdout.split()
        eventually(f"{command} is {state}", lambda: shown() == [state])

    def assert_job_control(self, terminal):
        terminal.type("sleep 100\r")
        self.await_state("sleep", "S+")
        terminal.type(CTRL_Z)
        terminal.expect("Stopped")
        terminal.expect("root@ship:")
        self.await_state("sleep", "T")
        terminal.type("jobs\r")
        self.assertRegex(terminal.expect("sleep 100"), r"\[1\]\+ +Stopped")
        terminal.type("fg\r")
        self.await_state("sleep", "S+")
        terminal.type(CTRL_C)
        terminal.expect("root@ship:")
        terminal.type("echo code:$?\r")
        terminal.expect("code:130")

    def assert_full_screen(self, terminal):
        terminal.type("top\r")
        terminal.expect("COMMAND")
        self.await_state("top", "S+")
        terminal.type(CTRL_Z)
        terminal.expect("Stopped")
        terminal.expect("root@ship:")
        self.await_state("top", "T")
        terminal.type("fg\r")
        terminal.expect("COMMAND")
        self.await_state("top", "S+")
        terminal.type("q")
        terminal.expect("root@ship:")

    def assert_ends(self, terminal):
        terminal.type("exit 7\r")
        self.assertEqual(terminal.wait(), 7)

    def test_bash_has_job_control(self):
        terminal = self.run_bash("bash")
        self.assert_job_control(terminal)
        self.assert_full_screen(terminal)
        self.assert_ends(terminal)

    def test_bash_has_job_control_without_api(self):
        terminal = self.run_bash("--no-api", "--", "bash")
        self.assert_job_control(terminal)
        self.assert_full_screen(terminal)
        self.assert_ends(terminal)

    def test_bash_learns_the_size_of_the_terminal(self):
        terminal = self.run_bash("bash")
        # Again until it is there: docker listens for SIGWINCH only some time after the container's first output.
        def has_arrived():
            terminal.resize(33, 101)
            # Init shows nobody its descriptors, but the main command has the terminal too.
            shown = docker("exec", self.container, "sh", "-c", "stty -F /proc/$(pgrep -o -x bash)/fd/0 size").stdout
            return shown.split() == ["33", "101"]

        eventually("the size has arrived", has_arrived)
        terminal.type("echo size:$LINES,$COLUMNS\r")
        terminal.expect("size:33,101")
        self.assert_ends(terminal)

    def test_end_of_input_ends_bash_and_the_container(self):
        terminal = self.run_bash("bash")
        terminal.type("(exit 5)\r")
        terminal.expect("root@ship:")
        terminal.type("\x04")
        self.assertEqual(terminal.wait(), 5)


class StopTest(ContainerTest):
    def test_main_command_without_a_handler_ends_with_143(self):
        with Container(options=("--no-auth=i-know", "--", "sleep", "1000")) as container:
            docker("stop", container.id)
            self.assertEqual(container.state()["ExitCode"], 143)

    def test_handler_of_the_main_command_decides_the_exit_code(self):
        script = "trap 'echo asked to end; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
        with Container(options=("--no-auth=i-know", "--", "sh", "-c", script)) as container:
            eventually("the handler is set", lambda: "ready" in container.log())
            docker("stop", container.id)
            self.assertEqual(container.state()["ExitCode"], 7)
            self.assertIn("asked to end", container.log())

    def test_helpers_have_time_to_save_their_files_after_the_main_command(self):
        # HUP, because a session loses its terminal before it gets TERM.
        trap = "trap 'sleep 0.3; echo saved >/workspace/'$0'; exit' TERM HUP"
        save = f"{trap}; echo ready:$0; while :; do sleep 0.1; done"
        main = 'setsid sh -c "$1" helper & exec sleep 1000'
        with Container(options=("--no-auth=i-know", "--", "sh", "-c", main, "sh", save)) as container:
            session = container.create_session("sh", "-c", save, "session")
            container.await_output(session, "ready:session")
            eventually("the helper's handler is set", lambda: "ready:helper" in container.log())
            docker("stop", container.id)
            self.assertEqual(container.state()["ExitCode"], 143)
            for name in ("helper", "session"):
                saved = docker("cp", f"{container.id}:/workspace/{name}", "-")
                self.assertIn("saved\n", saved.stdout)


if __name__ == "__main__":
    unittest.main()
