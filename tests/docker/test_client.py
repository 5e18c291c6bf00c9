"""The client commands through docker exec, as a person uses them."""

import json
import unittest

from support import Container, ContainerTest, docker, eventually
from terminal import Terminal

DETACH = "\x1dd"


class ClientTest(ContainerTest):
    def client(self, container, *words, **options):
        return docker("exec", container.id, "quarterdeck", *words, **options)

    def size(self, container, name):
        session = container.session({"id": name})
        return session["rows"], session["cols"]

    def test_commands_need_no_token_and_no_terminal(self):
        with Container() as container:
            said = self.client(container, "new", "--name", "build", "--", "sh", "-c", "read a; echo got:$a; exec cat")
            self.assertEqual(said.stdout, "build\n")
            self.client(container, "send", "build", "ahoy", "--enter")
            container.await_output({"id": "build", "name": "build"}, "got:ahoy")
            self.assertIn("got:ahoy", self.client(container, "logs", "build").stdout)
            table = self.client(container, "ls").stdout.splitlines()
            self.assertEqual([line.split()[0] for line in table], ["NAME", "build"])
            sessions = json.loads(self.client(container, "ls", "--json").stdout)["sessions"]
            self.assertEqual([session["status"] for session in sessions], ["active"])
            self.client(container, "rm", "build")
            self.assertEqual(self.client(container, "ls", "--quiet").stdout, "")

    def test_another_user_of_the_container_is_not_served(self):
        with Container() as container:
            result = docker("exec", "--user", "1000", container.id, "quarterdeck", "ls", check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn("Permission denied", result.stderr)

    def test_attach_in_docker_exec_is_a_whole_terminal(self):
        with Container() as container:
            self.client(container, "new", "--name", "shell", "-e", "PS1=ready> ", "--", "bash", "--norc")
            attach = ("exec", "--interactive", "--tty", container.id, "quarterdeck", "attach", "shell")
            with Terminal(*attach, rows=33, columns=101) as terminal:
                terminal.expect("ready> ")
                eventually("the session has the terminal's size", lambda: self.size(container, "shell") == (33, 101))
                terminal.type("stty size\r")
                terminal.expect("33 101")

                def resized():
                    # Docker misses a change that comes before it has begun to listen for them.
                    terminal.resize(44, 120)
                    return self.size(container, "shell") == (44, 120)

                eventually("the session has the terminal's new size", resized)
                terminal.type("sleep 1000\r")
                eventually("sleep runs", lambda: "sleep 1000" in container.commands().values())
                terminal.type("\x03")
                terminal.expect("ready> ")
                terminal.type("X=kept" + "\r")
                terminal.expect("ready> ")
                terminal.type(DETACH)
                terminal.expect("[shell: detached]")
                self.assertEqual(terminal.wait(), 0)
            with Terminal(*attach) as terminal:
                terminal.expect("X=kept")
                # Everybody but PID 1 and those who are no child of it: the server comes back, and so does the client.
                server = [pid for pid, command in container.commands().items() if command.endswith(" server")]
                container.exec("kill", "-9", str(server[0]))
                terminal.type("echo $X; exit 3\r")
                terminal.expect("kept\r\n")
                terminal.expect("[shell: ended with code 3]")
                self.assertEqual(terminal.wait(), 3)


if __name__ == "__main__":
    unittest.main()
