"""What the Docker tests share: the docker and curl commands, a container with an end, and waiting for conditions."""

import json
import subprocess
import sys
import time
import unittest

IMAGE = "quarterdeck:test"
STATIC_IMAGE = "quarterdeck:test-static"
PATIENCE = 15


def docker(*arguments, check=True, timeout=60, **options):
    result = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def eventually(what, probe):
    """The first true answer of `probe`, which is asked until there is one; fails with `what` and the last answer."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {what} (last answer: {answer!r})")
        time.sleep(0.05)


class Container:
    """A running container of the image, removed at the end of the `with`; its log is shown if that ends badly."""

    def __init__(self, *flags, options=("--no-auth=i-know",)):
        result = docker("run", "--detach", "--publish", "127.0.0.1::3000", *flags, IMAGE, *options)
        self.id = result.stdout.strip()

    def __enter__(self):
        try:
            self.await_ready()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, _error, _traceback):
        if kind is not None:
            print(f"--- log of the container\n{self.log()}---", file=sys.stderr)
        docker("rm", "--force", "--volumes", self.id)

    def await_ready(self):
        self.await_up()
        eventually("GET /ready answers 200", lambda: self._alive() and self.curl("/ready", check=False)[0] == 200)

    def await_up(self):
        """Waits until it answers: with as many sessions as there may be it is not ready for more."""
        self.address = eventually("the port is published", self._published)
        eventually("GET /health answers 200", lambda: self._alive() and self.curl("/health", check=False)[0] == 200)

    def _published(self):
        self._alive()
        return docker("port", self.id, "3000/tcp", check=False).stdout.strip().partition("\n")[0]

    def _alive(self):
        state = self.state()
        if not state["Running"]:
            raise AssertionError(f"the container ended by itself with exit code {state['ExitCode']}")
        return True

    def state(self):
        return json.loads(docker("inspect", "--format", "{{json .State}}", self.id).stdout)

    def restarts(self):
        return int(docker("inspect", "--format", "{{.RestartCount}}", self.id).stdout)

    def log(self):
        result = docker("logs", self.id)
        return result.stdout + result.stderr

    def exec(self, *command, **options):
        return docker("exec", self.id, *command, **options).stdout

    def curl(self, path, *arguments, check=True):
        """GET by default; (status code, body), the code being 0 while nobody answers."""
        command = ["curl", "--silent", "--show-error", "--max-time", "10", "--write-out", "\n%{http_code}"]
        result = subprocess.run([*command, *arguments, f"http://{self.address}{path}"], capture_output=True)
        body, _, status = result.stdout.rpartition(b"\n")
        if check and result.returncode != 0:
            raise AssertionError(f"curl {path}: {result.stderr.decode()}")
        return int(status or 0), body.decode(errors="replace")

    def ask(self, path, *arguments, expect=200):
        """The JSON of an answer that has to have this status."""
        status, answer = self.curl(path, *arguments)
        if status != expect:
            raise AssertionError(f"{' '.join(arguments)} {path}: {status} {answer}")
        return json.loads(answer)

    def post(self, path, body, expect=200):
        return self.ask(path, "--header", "Content-Type: application/json", "--data", json.dumps(body), expect=expect)

    def create_session(self, *command, **fields):
        return self.post("/api/sessions", {"command": command, **fields}, expect=201)["session"]

    def session(self, session):
        return self.ask(f"/api/sessions/{session['id']}")["session"]

    def delete_session(self, session):
        self.ask(f"/api/sessions/{session['id']}", "--request", "DELETE")

    def type(self, session, text):
        status, answer = self.curl(f"/api/sessions/{session['id']}/input", "--data-binary", text)
        if status >= 300:
            raise AssertionError(f"POST input: {status} {answer}")

    def output(self, session):
        status, body = self.curl(f"/api/sessions/{session['id']}/output")
        if status != 200:
            raise AssertionError(f"GET output: {status} {body}")
        return body

    def await_output(self, session, text):
        return eventually(f"{text!r} in the output of {session['name']}",
                          lambda: text in self.output(session) and self.output(session))

    def processes(self):
        """Every process in the container but ps itself: a list of (pid, parent, state, command)."""
        lines = self.exec("ps", "-e", "-o", "pid=,ppid=,stat=,comm=").splitlines()
        rows = [line.split(None, 3) for line in lines]
        return [(int(pid), int(parent), state, name) for pid, parent, state, name in rows if name != "ps"]

    def commands(self):
        """The command line of every process but ps itself, by its pid in the container."""
        rows = (line.split(None, 1) for line in self.exec("ps", "-e", "-o", "pid=,args=").splitlines())
        return {int(pid): command for pid, command in rows if not command.startswith("ps ")}


class ContainerTest(unittest.TestCase):
    maxDiff = None

    def assert_sessions_work(self, container):
        """The whole way round: made over HTTP, typed into, and its output read back."""
        session = container.create_session("sh", "-c", "read line; echo got:$line; cat")
        container.type(session, "ahoy\n")
        container.await_output(session, "got:ahoy")

    def assert_stops_cleanly(self, container):
        docker("stop", container.id)
        self.assertEqual(container.state()["ExitCode"], 0)
