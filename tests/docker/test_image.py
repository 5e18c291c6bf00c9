"""The images themselves: what is in them and how they are used by authors of other images."""

import pathlib
import re
import tempfile
import unittest

from support import IMAGE, STATIC_IMAGE, Container, ContainerTest, docker


class ImageTest(ContainerTest):
    def test_static_image_is_the_binary_alone(self):
        self.assertRegex(docker("run", "--rm", STATIC_IMAGE, "--version").stdout, r"^quarterdeck \d+\.\d+\.\d+")

    def test_binary_copied_into_an_empty_image_runs(self):
        with tempfile.TemporaryDirectory() as context:
            pathlib.Path(context, "Dockerfile").write_text(
                f"FROM {STATIC_IMAGE} AS quarterdeck\n"
                "FROM scratch\n"
                "COPY --from=quarterdeck /quarterdeck /sbin/init\n"
                'ENTRYPOINT ["/sbin/init"]\n'
            )
            image = docker("build", "--quiet", context).stdout.strip()
        self.addCleanup(docker, "rmi", image)
        self.assertRegex(docker("run", "--rm", image, "--version").stdout, r"^quarterdeck \d+\.\d+\.\d+")

    def test_sessions_find_a_shell_git_and_certificates(self):
        with Container() as container:
            session = container.create_session("bash", "-c", "git --version; wc -l </etc/ssl/certs/ca-certificates.crt; pwd")
            output = container.await_output(session, "/workspace")
            self.assertRegex(output, r"git version \d+[^\n]*\n[1-9]\d*\r\n/workspace")

    def test_real_page_is_built_in(self):
        with Container() as container:
            status, page = container.curl("/")
            self.assertEqual(status, 200)
            # A binary built without Node.js has a page as well, but one without a script.
            script = re.search(r'<script[^>]* src="([^"]+)"', page)
            self.assertIsNotNone(script, page)
            status, _ = container.curl(script.group(1))
            self.assertEqual(status, 200)

    def test_unknown_option_is_refused_with_exit_code_2(self):
        result = docker("run", "--rm", IMAGE, "--no-such-option", check=False)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("--no-such-option", result.stderr)


if __name__ == "__main__":
    unittest.main()
