"""The package itself: what is in it, what it runs and what it will not."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
from importlib import metadata, resources
from pathlib import Path

import flagstone
import world
from flagstone import ContextError, Flagstone, FlagstoneError
from flagstone import _artefact, _calls, _core, _runtime
from flagstone._context import Layout
from flagstone._instance import Opening
from world import ISSUED, Clock


def program(text, **environment):
    """What a program in a process of its own prints."""
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    done = subprocess.run([sys.executable, "-c", text], env=given, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.strip(), done.stderr


OPEN = """
import sys, world, logging
logging.basicConfig(level=logging.INFO)
from flagstone import Flagstone
flags = Flagstone(world.fixture("live/1.sealed"), trust=world.fixture("live/trust.txt"), audience=world.AUDIENCE,
                  environment=world.ENVIRONMENT, clock=world.Clock())
flags.look()
print(flags.decide("greeting", {"targetingKey": "ana"}).value)
"""


class Wheel(unittest.TestCase):
    def test_it_is_the_installed_package(self):
        if "FLAGSTONE_WHEEL" not in os.environ:
            self.skipTest("not run from a wheel")
        self.assertIn("site-packages", flagstone.__file__)
        files = {str(file) for file in metadata.files("flagstone")}
        for name in ("py.typed", "flagstone.component.wasm", "openfeature.py"):
            self.assertIn(f"flagstone/{name}", files)
        self.assertEqual([name for name in files if name.endswith(".wasm")], ["flagstone/flagstone.component.wasm"])
        self.assertEqual(metadata.version("flagstone"), flagstone.__version__)
        built = Path(os.environ["COMPONENT"]).read_bytes()
        self.assertEqual((resources.files("flagstone") / "flagstone.component.wasm").read_bytes(), built)

    def test_the_core_module_inside_the_component_is_the_published_one(self):
        if "CORE" not in os.environ:
            self.skipTest("no published core module was named")
        published, inside = Path(os.environ["CORE"]).read_bytes(), _artefact.core()
        self.assertTrue(inside.startswith(published))
        # What the encoder says of itself follows, as a custom section.
        self.assertIn(inside[len(published) : len(published) + 1], (b"", b"\0"))

    def test_something_else_is_no_component(self):
        good = _artefact.component()
        cut = good.index(_artefact.core()) + 100
        for wasm in (b"", _artefact.core(), good[:8], good[:cut], good[:8] + b"\x01\xff\xff\xff\xff\xff"):
            with self.assertRaises(FlagstoneError) as caught:
                _artefact.core_of(wasm)
            self.assertEqual(caught.exception.code, "bad-component")

    def test_a_module_of_other_functions_is_refused(self):
        import wasmtime

        other = wasmtime.Module(_runtime.engine(), "(module (memory (export \"memory\") 1))")
        needy = wasmtime.Module(_runtime.engine(), "(module (import \"a\" \"b\" (func)))")
        for module in (other, needy):
            with self.assertRaises(FlagstoneError):
                _calls.check(module, _core._SIGNATURES)


class Calls(unittest.TestCase):
    def test_both_ways_of_calling_answer_alike(self):
        self.assertTrue(_calls.direct_is_there(), "this wasmtime has not what direct calls need, so they are slow")
        text = OPEN.replace('print(flags.decide("greeting", {"targetingKey": "ana"}).value)', "print(flags.decide_all({}))")
        self.assertEqual(program(text, FLAGSTONE_CALLS="checked")[0], program(text)[0])

    def test_a_trap_is_an_error_either_way(self):
        import wasmtime

        module = wasmtime.Module(
            _runtime.engine(),
            "(module (memory (export \"memory\") 1) (func (export \"f\") (param i32) (result i32) unreachable))",
        )
        for way in ("checked", "direct"):
            os.environ["FLAGSTONE_CALLS"] = way
            try:
                calls = _calls.instantiate(_runtime.store(), module, {"f": ("i", "i")})
            finally:
                del os.environ["FLAGSTONE_CALLS"]
            for _ in range(2):
                with self.assertRaises(flagstone.EngineTrap) as caught:
                    calls.functions["f"](1)
                self.assertIn("unreachable", str(caught.exception))

    def test_an_instance_has_a_limit_of_memory(self):
        engine = _core.CoreInstance(_core.module(_runtime.default_cache()))
        with self.assertRaises(flagstone.EngineTrap):
            engine.open(Opening(world.fixture("live/trust.txt").decode(), bytes(40 << 20), "a", "b", ISSUED))


class Cache(unittest.TestCase):
    def test_compiled_code_is_kept_and_not_believed_blindly(self):
        if not hasattr(os, "getuid"):
            self.skipTest("files have no owner on this system")
        with tempfile.TemporaryDirectory() as held:
            folder = Path(held) / "cache"
            self.assertEqual(program(OPEN, FLAGSTONE_CACHE=str(folder))[0], "Hi")
            (file,) = folder.iterdir()
            self.assertEqual((stat.S_IMODE(folder.stat().st_mode), stat.S_IMODE(file.stat().st_mode)), (0o700, 0o600))
            made = file.stat().st_mtime_ns
            self.assertEqual(program(OPEN, FLAGSTONE_CACHE=str(folder)), ("Hi", ""))
            self.assertEqual(file.stat().st_mtime_ns, made)  # read, not made again
            whole = file.read_bytes()
            file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            answer, said = program(OPEN, FLAGSTONE_CACHE=str(folder))
            self.assertEqual(answer, "Hi")
            self.assertIn("damaged compiled code is not used", said)
            self.assertEqual(file.read_bytes()[32:64], whole[32:64])  # made again
            for place, mode, complaint in ((file, 0o666, "others could have written"), (folder, 0o777, "others may write")):
                made = file.stat().st_mtime_ns
                place.chmod(mode)
                answer, said = program(OPEN, FLAGSTONE_CACHE=str(folder))
                self.assertEqual(answer, "Hi")
                self.assertIn(complaint, said)
                place.chmod(0o700 if place == folder else 0o600)
            file.unlink()
            file.symlink_to("/dev/null")
            self.assertIn("is not used", program(OPEN, FLAGSTONE_CACHE=str(folder))[1])

    def test_no_cache_is_none(self):
        with tempfile.TemporaryDirectory() as held:
            self.assertEqual(program(OPEN, FLAGSTONE_CACHE="", HOME=held)[0], "Hi")
            self.assertEqual(list(Path(held).iterdir()), [])


class Contexts(unittest.TestCase):
    def test_what_has_no_json_form_is_refused(self):
        layout = Layout(["targetingKey", "a.b.1", ""])
        for context in ({"targetingKey": object()}, {"x": {1: 2}}, {"targetingKey": "\ud800"}, {"x": "y" * 70_000}):
            with self.assertRaises(ContextError, msg=context):
                layout.pack(context)
        deep = []
        for _ in range(20):
            deep = [deep]
        with self.assertRaises(ContextError):
            layout.pack({"x": deep})
        self.assertEqual(Layout(["targetingKey"]).pack({"other": object()}), b"\0\0")  # never looked at

    def test_the_documented_bytes(self):
        packed = Layout(["targetingKey", "country"]).pack({"targetingKey": "u1", "country": "de"})
        self.assertEqual(packed.hex(" "), "02 00 00 00 06 02 00 00 00 75 31 01 00 06 02 00 00 00 64 65")

    def test_both_ways_of_a_context_decide_alike(self):
        flags = Flagstone(
            world.fixture("core/flags.sealed"), trust=world.fixture("core/trust.txt"), audience=world.AUDIENCE,
            environment=world.ENVIRONMENT, clock=Clock(),
        )
        self.assertTrue(flags.look())
        odd = {"a": 1 << 63, "b": -(1 << 70), "age": float("inf"), "numbers": (1, 2.0, True), "email": "é" * 9, "n": -0.0,
               "roles": [{"z": 1, "é": 2, "a": [None]}], "company": {"address": {"city": "Bonn"}}}
        text = json.dumps(flags._keeper.generation.layout.plain(odd))
        for key, decision in flags.decide_all(odd).items():
            said = json.loads(flags._keeper.generation.run(lambda engine: engine.decision(text, key, ISSUED)))
            self.assertEqual((decision.value, decision.variant, decision.reason), (said["value"], said["variant"], said["reason"]), key)
            self.assertEqual(flags.decide(key, odd), decision)
        self.assertEqual(flags.explain("answers", odd)["decision"]["flag"], "answers")
        self.assertEqual(flags.decide("answers", {"email": object()}).error_code, "INVALID_CONTEXT")
        self.assertEqual(flags.decide("answers", ["email"]).error_code, "INVALID_CONTEXT")
        self.assertEqual(flags.decide("no-such-flag").error_code, "FLAG_NOT_FOUND")

    def test_what_rules_do_not_read_is_never_looked_at(self):
        layout = Layout(["targetingKey", "company.name", "groups.1", "groups", "list.0.deep"])
        circle = {"name": "acme", "other": object()}
        circle["self"] = circle
        context = {"targetingKey": "ana", "company": circle, "groups": ["a", "b"], "list": [{"deep": 1, "other": object()}]}
        layout.pack(context)
        self.assertEqual(
            layout.plain(context),
            {"targetingKey": "ana", "company": {"name": "acme"}, "groups": ["a", "b"], "list": {"0": {"deep": 1}}},
        )

    def test_the_component_is_a_door_too(self):
        told = []
        for door in ("core", "component"):
            flags = Flagstone(
                world.fixture("core/flags.sealed"), trust=world.fixture("core/trust.txt"), audience=world.AUDIENCE,
                environment=world.ENVIRONMENT, clock=Clock(), door=door,
            )
            self.assertTrue(flags.look(), flags.status().last_error)
            told.append((flags.decide_all({"targetingKey": "unit-1", "country": "de"}), flags.flags, flags.status().snapshot))
        self.assertEqual(told[0], told[1])
        with self.assertRaises(FlagstoneError):
            Flagstone(b"", trust="", audience="", environment="", door="window")

    def test_threads_of_a_started_client_stop(self):
        with Flagstone(
            world.fixture("live/1.sealed"), trust=world.fixture("live/trust.txt"), audience=world.AUDIENCE,
            environment=world.ENVIRONMENT, clock=Clock(),
        ) as flags:
            thread = flags._thread
            self.assertIn(thread, threading.enumerate())
        self.assertNotIn(thread, threading.enumerate())
        self.assertEqual(flags.decide("greeting").value, "Hi")


if __name__ == "__main__":
    unittest.main()
