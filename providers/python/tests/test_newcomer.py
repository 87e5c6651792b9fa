"""The newcomer's path: what docs/python.md says, run as it stands there, in an empty folder."""

import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import world
from test_client import Server
from world import Sealed, publish


class Newcomer(unittest.TestCase):
    def test_from_installation_to_a_decision(self):
        if "FLAGSTONE_DOCS" not in os.environ:
            self.skipTest("the documentation is not there")
        docs = Path(os.environ["FLAGSTONE_DOCS"])
        page = (docs / "python.md").read_text(encoding="utf-8")
        shell, program = re.search(r"```console\n(.*?)```\n\n```python\n(.*?)```", page, re.DOTALL).groups()
        lines = [line for line in (shell + program).splitlines() if line.strip()]
        self.assertLessEqual(len(lines), 10)
        self.assertIn("pip install flagstone", lines[0])
        for shown in ("README.md", "providers/python/README.md"):  # the very lines that are run here
            self.assertIn(program, (docs.parent / shown).read_text(encoding="utf-8"))
        now, local = int(time.time()), {"audience": "local/flagstone", "environment": "local"}
        one = Sealed(world.payload("core/flags.sealed"), 1, issued=now - 60, **local)
        with tempfile.TemporaryDirectory() as held:
            published, empty = Path(held) / "published", Path(held) / "empty"
            note = world.trust(issued=now - 60, environment="local")
            publish(published, note, one.pulse(1, issued=now - 60, life=600), one)
            (empty / ".flagstone").mkdir(parents=True)
            (empty / ".flagstone" / "trust.note").write_text(note, encoding="utf-8")
            with Server(published, "/v1/environments/local/") as server:
                # `flagstone up` would listen there.
                self.assertIn("http://127.0.0.1:7070", program)
                done = subprocess.run(
                    [sys.executable, "-c", program.replace("http://127.0.0.1:7070", server.address)], cwd=empty,
                    capture_output=True, text=True, timeout=120,
                )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "today STATIC {'model': 'small', 'temperature': 0.2, 'passages': 4}\n")


if __name__ == "__main__":
    unittest.main()
