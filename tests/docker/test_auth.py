"""The image as it comes asks for a token, which its log tells once, and runs its server without rights."""

import json
import re

from support import Container, ContainerTest, eventually


class AuthTest(ContainerTest):
    def token(self, container):
        found = eventually("the log has the address", lambda: re.findall(r"^Open http://127\.0\.0\.1:3000/#token=(\S+)$", container.log(), re.MULTILINE))
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_the_log_tells_the_address_with_the_token_and_nothing_else_lets_anybody_in(self):
        with Container(options=()) as container:
            token = self.token(container)
            self.assertEqual(container.ask("/api/sessions", expect=401)["code"], "UNAUTHORIZED")
            bearer = ("--header", f"Authorization: Bearer {token}")
            self.assertEqual(container.ask("/api/sessions", *bearer)["sessions"], [])
            # Through docker exec nobody needs one.
            self.assertEqual(json.loads(container.exec("quarterdeck", "ls", "--json"))["sessions"], [])
            self.assertEqual(container.exec("cat", "/var/lib/quarterdeck/token").strip(), token)
            self.assertNotIn(token, container.exec("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; true"))

    def test_a_page_of_another_port_is_refused_and_one_of_the_published_port_is_not(self):
        with Container(options=()) as container:
            bearer = ("--header", f"Authorization: Bearer {self.token(container)}")
            origin = ("--header", "Origin: http://127.0.0.1:5000")
            self.assertEqual(container.ask("/api/sessions", *bearer, *origin, expect=403)["code"], "ORIGIN_NOT_ALLOWED")
            own = ("--header", f"Origin: http://{container.address}", "--header", "Sec-Fetch-Site: same-origin")
            self.assertEqual(container.ask("/api/sessions", *bearer, *own)["sessions"], [])

    def test_the_server_is_nobody_in_the_container(self):
        with Container() as container:
            pids = container.exec("sh", "-c", "grep -lz '^server$' /proc/[0-9]*/cmdline 2>/dev/null | head -n 1").strip()
            status = container.exec("cat", pids.replace("cmdline", "status"))
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            self.assertEqual(fields["Uid"].split(), ["64321"] * 4)
            self.assertEqual({fields[name].strip("0") for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")}, {""})
            self.assertEqual((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"))
