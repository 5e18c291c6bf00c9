"""Memory under a limit of Docker's: seen coming, said in words, refused in time, and no false alarm."""

import json
import pathlib
import unittest

from support import Container, ContainerTest, docker, eventually

MIB = 1 << 20
LIMIT = 256 * MIB
# Small enough to be taken in time on a machine that is busy with other things.
STEP = 128 * MIB
SMALL = ("--memory", "256m", "--memory-swap", "256m")
# Each line is a number of KiB to take and to keep.
HOG = '$| = 1; while (<STDIN>) { push @all, "x" x ($_ * 1024); print "took:$.\\n" }'
REFUSAL = {
    "type": "resource",
    "code": "RESOURCE_EXHAUSTED",
    "message": "Maximum resource capacity reached",
    "suggestion": "Close idle sessions before creating new ones.",
}


class Hog:
    """A session that fills memory as it is told."""

    def __init__(self, container):
        self.container, self.took = container, 0
        self.session = container.create_session("perl", "-e", HOG)

    def take(self, amount):
        self.took += 1
        self.container.type(self.session, f"{amount // 1024}\n")
        self.container.await_output(self.session, f"took:{self.took}\r\n")

    def fill_to(self, percent):
        state = self.container.ask("/api/resources")
        self.take(max(0, state["memoryLimitBytes"] * percent // 100 - state["memoryUsedBytes"]))


def lines(container, start):
    entries = [json.loads(line) for line in container.log().splitlines() if line.startswith("{")]
    return [entry for entry in entries if entry["message"].startswith(start)]


def stats_bytes(container):
    """What `docker stats` shows for the memory of a container."""
    shown = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container.id).stdout.split(" / ")[0]
    number = shown.rstrip("KMGiB")
    return float(number) * {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[shown[len(number):]]


def resident(container, name):
    """Resident memory of quarterdeck's processes without what is shared with sessions as rings, in bytes."""
    total = 0
    for line in docker("top", container.id, "-o", "pid,comm").stdout.splitlines()[1:]:
        pid, command = line.split(None, 1)
        if command.strip().startswith(name):
            fields = dict(row.split(":", 1) for row in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            total += sum(int(fields[field].split()[0]) * 1024 for field in ("RssAnon", "RssFile"))
    return total


class ResourcesTest(ContainerTest):
    def test_levels_refusal_and_recovery(self):
        with Container(*SMALL) as container:
            echo = container.create_session("sh", "-c", "while read -r line; do echo got:$line; done")
            hog = Hog(container)
            self.assertEqual(container.ask("/api/resources")["memoryLimitBytes"], LIMIT)
            hog.fill_to(80)
            self.assertEqual(container.ask("/api/resources")["memoryLevel"], "normal")
            hog.fill_to(89)
            eventually("87 % is seen", lambda: container.ask("/api/resources")["memoryLevel"] == "warning")
            self.assertEqual(len(lines(container, "Memory usage high: 8")), 1)
            container.delete_session(container.create_session("true"))
            hog.fill_to(95)
            error = container.post("/api/sessions", {"command": ["true"]}, expect=503)
            self.assertEqual(error["code"], "RESOURCE_EXHAUSTED")
            self.assertRegex(error["error"].pop("details"), r"^Memory usage is at 9\d%\. Cannot create new sessions\.$")
            self.assertEqual(error["error"], REFUSAL)
            eventually("93 % is seen", lambda: container.ask("/api/resources")["memoryLevel"] == "critical")
            self.assertFalse(container.ask("/api/resources")["isAcceptingNewSessions"])
            self.assertRegex(lines(container, "Memory critical: ")[0]["message"],
                             r"^Memory critical: 9\d%, blocking new sessions$")
            self.assertEqual(container.curl("/ready")[0], 503)
            container.type(echo, "still\n")
            container.await_output(echo, "got:still")
            container.delete_session(hog.session)
            container.delete_session(container.create_session("true"))
            eventually("the recovery is told", lambda: lines(container, "Memory usage recovered: "))
            self.assertEqual(container.curl("/ready")[0], 200)

    def test_page_cache_raises_no_alarm(self):
        """Four times the limit is read, then a hot set until the kernel has it on its active list."""
        script = "truncate -s 1G /tmp/big; cat /tmp/big >/dev/null; for n in 1 2 3 4 5 6; do head -c 200M /tmp/big; done >/dev/null"
        with Container(*SMALL) as container:
            session = container.create_session("sh", "-c", f"{script}; echo read:all; cat")
            fullest = working_set = 0

            def is_read():
                nonlocal fullest, working_set
                state = container.ask("/api/resources")
                self.assertEqual(state["memoryLevel"], "normal", state)
                self.assertTrue(state["isAcceptingNewSessions"], state)
                fullest = max(fullest, state["memoryCurrentBytes"])
                working_set = max(working_set, state["memoryWorkingSetBytes"])
                return "read:all" in container.output(session)

            eventually("all is read", is_read)
            self.assertGreater(fullest, LIMIT * 93 // 100, "the raw counter was to be misled")
            self.assertGreater(working_set, LIMIT // 2, "the figure of docker stats was to be misled")
            self.assertEqual(lines(container, "Memory "), [])
            self.assert_sessions_work(container)

    def test_a_limit_changed_while_running_counts(self):
        with Container("--memory", "512m", "--memory-swap", "512m") as container:
            hog = Hog(container)
            hog.fill_to(45)
            docker("update", "--memory", "256m", "--memory-swap", "256m", container.id)
            eventually("memory is short", lambda: container.ask("/api/resources")["memoryLevel"] != "normal")
            self.assertEqual(container.ask("/api/resources")["memoryLimitBytes"], LIMIT)

    def test_who_is_killed_for_memory_says_so_and_nobody_else_is(self):
        with Container(*SMALL) as container:
            echo = container.create_session("sh", "-c", "while read -r line; do echo got:$line; done")
            hog = Hog(container)
            container.type(hog.session, f"{2 * LIMIT // 1024}\n")
            ended = eventually("the hog is killed", lambda: container.session(hog.session).get("exitReason"))
            self.assertEqual(ended, "killed by the kernel: out of memory")
            self.assertEqual(container.session(hog.session)["status"], "error")
            container.type(echo, "alive\n")
            container.await_output(echo, "got:alive")
            self.assertEqual(container.ask("/api/health")["serverRestarts"], 0)
            eventually("the kill is counted", lambda: container.ask("/api/resources")["oomKills"] >= 1)
            self.assert_sessions_work(container)

    def test_four_big_sessions_beside_docker_stats(self):
        amounts = [1024 * MIB, 1152 * MIB, 1280 * MIB, 1536 * MIB]
        with Container("--memory", "8g") as container:
            hogs = [Hog(container) for _ in amounts]
            for hog, amount in zip(hogs, amounts):
                for _ in range(amount // STEP):
                    hog.take(STEP)

            shown, ours = stats_bytes(container), container.ask("/api/resources")["memoryWorkingSetBytes"]
            self.assertLess(abs(shown - ours), 0.02 * shown, f"docker stats {shown}, ours {ours}")
            self.assertGreater(ours, sum(amounts))
            overhead = resident(container, "quarterdeck")
            self.assertTrue(0 < overhead < ours // 100, f"{overhead} of {ours}")
            for hog, amount in zip(hogs, amounts):
                memory = eventually("its memory is known",
                                    lambda: container.session(hog.session).get("memoryBytes", 0) > amount
                                    and container.session(hog.session)["memoryBytes"])
                self.assertLess(memory, amount * 1.05)
                container.delete_session(hog.session)
            print(f"docker stats {shown / MIB:.0f} MiB, memoryWorkingSetBytes {ours / MIB:.0f} MiB, "
                  f"quarterdeck itself {overhead / MIB:.1f} MiB")

    def test_cpu_of_sessions_that_compute_on_all_cores(self):
        # Whatever else the machine does, these come first.
        with Container("--cpu-shares", "16384") as container:
            busy = [container.create_session("sh", "-c", "while :; do :; done") for _ in range(4)]
            eventually("the container uses more than one core",
                       lambda: container.ask("/api/resources")["cpuPercent"] > 110)
            for session in busy:
                eventually("each session has its share", lambda: container.session(session).get("cpuPercent", 0) > 10)


if __name__ == "__main__":
    unittest.main()
