"""Limits of time and memory: what exceeds one is stopped and replaced, and the snapshot stays in force."""

import os
import threading
import time
import unittest

import wasmtime
import world
from flagstone import EngineTrap, Flagstone
from flagstone import _calls, _runtime
from flagstone._clock import LONGEST, TICK, Clock, ticks
from test_package import program
from world import ISSUED, Sealed

ENDLESS = """(module (memory (export "memory") 1) (func (export "spin") (param i32) (result i32) (loop (br 0)) (i32.const 0)))"""
SPIN = f"""
import time
from flagstone import EngineTrap, _calls, _runtime
import wasmtime
module = wasmtime.Module(_runtime.engine(), '''{ENDLESS}''')
def stopped():
    store = _runtime.store()
    calls = _calls.instantiate(store, module, {{"spin": ("i", "i")}})
    _runtime.limit(store, 0.2)
    try:
        calls.functions["spin"](1)
    except EngineTrap as problem:
        return "interrupt" in str(problem)
"""


def client(source, **more):
    return Flagstone(
        source, trust=world.trust(), audience=world.AUDIENCE, environment=world.ENVIRONMENT, clock=world.Clock(), **more
    )


class Time(unittest.TestCase):
    def test_what_never_ends_is_stopped_either_way_of_calling(self):
        for way in ("checked", "direct"):
            self.assertEqual(program(SPIN + "print(stopped(), stopped())", FLAGSTONE_CALLS=way)[0], "True True")

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_it_is_stopped_in_a_child_too(self):
        text = SPIN + "import os\nstopped()\nchild = os.fork()\nif child == 0:\n    os._exit(0 if stopped() else 1)\n"
        self.assertEqual(program(text + "print(os.waitpid(child, 0)[1])")[0], "0")

    def test_a_decision_that_is_stopped_costs_its_instance_and_nothing_else(self):
        one = Sealed(world.payload("core/flags.sealed"), 1)
        for door in ("core", "component"):
            flags = client(one.file, instances=1, door=door)
            self.assertTrue(flags.look())
            flags._keeper.pulse(one.pulse(1, halts=["answers"]), ISSUED)
            generation = flags._keeper.generation

            def stuck(engine):
                engine._store.set_epoch_deadline(0)  # its time is over before it begins
                return engine.decide(generation.layout.pack({}), 0, ISSUED)

            with self.assertRaises(EngineTrap) as caught:
                generation.run(stuck)
            self.assertIn("interrupt", str(caught.exception))
            self.assertEqual((flags.status().traps, generation.instances), (1, 0))
            # The next call has another instance, which stands where that one stood.
            self.assertEqual(flags.decide("answers", {"targetingKey": "ana"}).detail, "halt")
            self.assertEqual((flags.status().traps, generation.instances), (1, 1))

    def test_a_limit_in_ticks(self):
        self.assertEqual([ticks(seconds) for seconds in (-1, 0, TICK, 1.0, 1e9)], [1, 1, 2, 11, ticks(LONGEST)])

    def test_the_clock_sleeps_while_nobody_calls(self):
        told, moved = [0], threading.Condition()

        def tick():
            with moved:
                told[0] += 1
                moved.notify_all()

        clock = Clock(tick, every=0.001, quiet=3)
        for _ in range(3):
            until = told[0] + 3
            clock.begin()
            with moved:
                self.assertTrue(moved.wait_for(lambda: told[0] >= until, 30.0))
            end = time.monotonic() + 30.0
            while not clock._asleep and time.monotonic() < end:
                time.sleep(0.001)
            self.assertTrue(clock._asleep)
        # However long nobody calls: there was a tick for each of the last calls, and those of the quiet time.
        self.assertLessEqual(told[0], 3 * 5)


class Memory(unittest.TestCase):
    def test_a_file_that_takes_too_much_memory_keeps_the_old_one(self):
        class Source:
            file, tag = Sealed(world.payload("live/1.sealed"), 1).file, "1"

            def has_pulse(self):
                return False

            def fetch(self, item, known, largest):
                from flagstone import Body, NotModified

                return NotModified() if known == self.tag else Body(self.file, self.tag)

        source = Source()
        flags = client(source, memory_limit=2 << 20)
        self.assertTrue(flags.look(), flags.status().last_error)
        source.file, source.tag = Sealed(bytes(3 << 20), 2).file, "2"
        self.assertFalse(flags.look())
        self.assertIn("(trap)", flags.status().last_error)
        self.assertEqual(flags.decide("greeting").value, "Hi")

    def test_a_limit_below_what_an_instance_needs(self):
        for door in ("core", "component"):
            with self.assertRaises(EngineTrap):
                client(b"", memory_limit=1 << 16, door=door)

    def test_memory_that_is_asked_for_is_not_given(self):
        text = '(module (memory (export "memory") 1) (func (export "f") (param i32) (result i32) (memory.grow (local.get 0))))'
        module = wasmtime.Module(_runtime.engine(), text)
        calls = _calls.instantiate(_runtime.store(4 << 16), module, {"f": ("i", "i")})
        self.assertEqual([calls.functions["f"](pages) for pages in (3, 1)], [1, 0xFFFFFFFF])


if __name__ == "__main__":
    unittest.main()
