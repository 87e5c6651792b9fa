"""The shared vectors, and sealed files and pulses good and bad: the same bytes as every other build."""

import hashlib
import json
import unittest

import world
from flagstone import FlagstoneError, Mark
from flagstone._component import ComponentInstance, component
from flagstone._context import Layout
from flagstone._core import CoreInstance, module
from flagstone._instance import Opening
from flagstone._runtime import default_cache


def doors():
    """A maker of instances for each door."""
    core, whole = module(default_cache()), component(default_cache())
    return {"core": lambda: CoreInstance(core), "component": lambda: ComponentInstance(whole)}


def opening(folder, policy, file="flags.sealed", note="trust.txt"):
    mark = policy.get("mark")
    return Opening(
        world.fixture(f"{folder}/{note}").decode("utf-8", "replace"), world.fixture(f"{folder}/{file}"),
        policy["audience"], policy["environment"], policy["now"],
        None if mark is None else Mark(mark["epoch"], mark["sequence"], mark["digest"]),
    )


class Vectors(unittest.TestCase):
    def answers(self, make):
        """What docs/embedders.md calls ANSWERS: the hash over everything that was answered; and how many cases."""
        lines, asked = [], 0
        for name in world.fixture_json("index.json")["vectors"]:
            vectors = world.fixture_json(f"{name}/cases.json")
            told = {}
            for number in [None, *range(len(vectors["pulses"]))]:
                engine = make()
                engine.open(opening(name, vectors["policy"]))
                if number is not None:
                    engine.pulse(world.fixture(f"{name}/pulse-{number}.txt"), vectors["pulses"][number]["now"])
                layout = Layout(engine.attributes())
                index = {flag.key: place for place, flag in enumerate(engine.flags())}
                for case in vectors["cases"]:
                    if case["pulse"] == number:
                        told[case["name"]] = self.case(engine, layout, index, case)
                        asked += 1
            lines += [told[case["name"]] for case in vectors["cases"]]
        lines += self.refusals(make)
        return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest(), asked

    def case(self, engine, layout, index, case):
        key, now = case["flag"], case["now"]
        text = engine.decision(json.dumps(case["context"]), key, now)
        self.assertEqual(text, case["expect"], case["name"])
        if key in index:
            # The fast doors say the same, by a context that went another way.
            attributes, said = layout.pack(case["context"]), int(case["packed"], 16)
            self.assertEqual(engine.decide(attributes, index[key], now), said, case["name"])
            self.assertEqual(engine.decide_all(attributes, now)[index[key]], said, case["name"])
            packed, place = engine.decide_assign(attributes, index[key], now)
            self.assertEqual(packed, said, case["name"])
            cohort = json.loads(text)["cohort"]
            if place is not None and cohort is not None:
                self.assertEqual(place.probability, round(cohort["probability"] * 1_000_000_000), case["name"])
        else:
            self.assertIsNone(case["packed"])
        if "explain" in case and engine.__class__ is CoreInstance:
            self.assertEqual(engine.explain(json.dumps(case["context"]), key, now), case["explain"], case["name"])
        return text

    def refusals(self, make):
        said, lines = world.fixture_json("refused/cases.json"), []
        for case in said["cases"]:
            lines.append(code(lambda: make().open(opening("refused", case["policy"], case["file"], case["trust"])), "opens"))
            self.assertEqual(lines[-1], case["code"] or "opens", case["name"])
        engine = make()
        engine.open(opening("refused", said["cases"][0]["policy"], said["cases"][0]["file"]))
        for pulse in said["pulses"]:
            note = world.fixture(f"refused/{pulse['file']}")
            lines.append(code(lambda: engine.pulse(note, pulse["now"]), "taken"))
            self.assertEqual(lines[-1], pulse["code"] or "taken", pulse["file"])
        return lines

    def test_both_doors_answer_byte_for_byte(self):
        told = {name: self.answers(make) for name, make in doors().items()}
        self.assertEqual(told["core"], told["component"])
        self.assertGreater(told["core"][1], 100)
        print(f"\nvectors: {told['core'][1]} cases by each door, answers {told['core'][0]}")

    def test_an_instance_opens_once_and_answers_nothing_before(self):
        for name, make in doors().items():
            with self.subTest(name):
                engine = make()
                self.assertEqual(engine.decision("{}", "greeting", world.ISSUED), "")
                self.assertEqual(engine.decide_all(b"\0\0", world.ISSUED), [])
                good = opening("refused", {"audience": world.AUDIENCE, "environment": world.ENVIRONMENT, "now": world.ISSUED},
                               "good.sealed")
                info = engine.open(good)
                self.assertEqual((info.mark.sequence, info.signers), (5, (world.RELEASE.name,)))
                self.assertEqual(code(lambda: engine.open(good), ""), "already-open")

    def test_damaged_attributes_are_an_error_and_no_trap(self):
        for name, make in doors().items():
            with self.subTest(name):
                engine = make()
                engine.open(opening("core", world.fixture_json("core/cases.json")["policy"]))
                for attributes in (b"", b"\xff", b"\x01\x00\x00\x00\x09", b"\x01\x00\xff\xff\x00", b"\x01\x00\x00\x00\x06\xff\xff\xff\xff"):
                    self.assertEqual(engine.decide(attributes, 0, world.ISSUED) >> 16 & 0xFFFF, 0x0406, attributes)
                    self.assertEqual(engine.decide_all(attributes, world.ISSUED), [], attributes)


class Trust(unittest.TestCase):
    def test_a_trust_note_follows_another(self):
        first = world.trust()
        second = world.trust(2, root=world.ROOT_TWO, signers=(world.ROOT, world.ROOT_TWO))
        self.assertEqual(first, world.fixture("live/trust.txt").decode())
        for name, make in doors().items():
            with self.subTest(name):
                engine = make()
                self.assertEqual(engine.advance(first, first, world.ISSUED).version, 1)
                info = engine.advance(first, second, world.ISSUED)
                self.assertEqual((info.version, info.epoch, info.issued), (2, 1, world.ISSUED))
                unsigned = world.trust(2, root=world.ROOT_TWO, signers=(world.ROOT_TWO,))
                third = world.trust(3, root=world.ROOT_TWO, signers=(world.ROOT, world.ROOT_TWO))
                self.assertIn(code(lambda: engine.advance(first, unsigned, world.ISSUED), ""), ("threshold", "wrong-role"))
                self.assertEqual(code(lambda: engine.advance(first, third, world.ISSUED), ""), "trust-version")
                self.assertEqual(code(lambda: engine.advance(second, first, world.ISSUED), ""), "threshold")


def code(run, otherwise):
    try:
        run()
        return otherwise
    except FlagstoneError as problem:
        return problem.code


if __name__ == "__main__":
    unittest.main()
