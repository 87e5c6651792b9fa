"""The steps of OpenFeature's feature files, for our provider in its SDK."""

import asyncio
import copy
import json
import time

import world
from flagstone import Flagstone
from flagstone.openfeature import FlagstoneProvider
from gherkin import Steps
from openfeature import api
from openfeature.evaluation_context import EvaluationContext, get_evaluation_context, set_evaluation_context
from openfeature.flag_evaluation import FlagEvaluationOptions
from openfeature.hook import Hook
from openfeature.transaction_context import ContextVarsTransactionContextPropagator, set_transaction_context
from openfeature.transaction_context import set_transaction_context_propagator
from world import Clock

steps = Steps()
TEXT = r'"((?:[^"\\]|\\.)*)"'
KINDS = {"boolean": "boolean", "string": "string", "integer": "integer", "float": "float", "object": "object"}


def flags(source, **more):
    given = {"clock": Clock(), "poll": 3600.0, **more}
    return Flagstone(
        source, trust=world.fixture("openfeature/trust.txt"), audience=world.AUDIENCE, environment=world.ENVIRONMENT, **given
    )


class Seen(Hook):
    """A hook that remembers what it was called with."""

    def __init__(self):
        self.calls = {}

    def before(self, hook_context, hints):
        self.calls["before"] = hook_context

    def after(self, hook_context, details, hints):
        self.calls["after"] = details

    def error(self, hook_context, exception, hints):
        self.calls["error"] = exception

    def finally_after(self, hook_context, details, hints):
        self.calls["finally"] = details


class Retrieving(FlagstoneProvider):
    """Our provider, and the context that it was last asked with."""

    context = None

    def resolve_boolean_details(self, flag_key, default_value, evaluation_context=None):
        self.context = evaluation_context
        return super().resolve_boolean_details(flag_key, default_value, evaluation_context)


class State:
    """What one scenario has set up."""

    def __init__(self, test):
        self.test, self.attributes, self.hook, self.levels = test, {}, Seen(), {}
        self.flag = self.details = None

    def ready(self, provider):
        api.set_provider_and_wait(provider)
        self.client = api.get_client()

    def evaluate(self, kind, key, default, attributes=None):
        self.flag = (kind, key, default)
        ask = getattr(self.client, f"get_{kind}_details")
        given = self.attributes if attributes is None else attributes
        self.details = ask(key, default, EvaluationContext(None, given))


def value(kind, text):
    kind = kind.lower()
    if kind == "boolean":
        return text.lower() == "true"
    if kind == "integer":
        return int(text)
    if kind == "float":
        return float(text)
    return json.loads(text) if kind == "object" else None if text == "null" and kind != "string" else text


@steps("a stable provider")
def stable(state):
    state.ready(FlagstoneProvider(flags(world.fixture("openfeature/flags.sealed"))))


@steps("a stable provider with retrievable context is registered")
def retrieving(state):
    state.provider = Retrieving(flags(world.fixture("openfeature/flags.sealed")))
    state.ready(state.provider)
    set_transaction_context_propagator(ContextVarsTransactionContextPropagator())


@steps("a not ready provider")
def not_ready(state):
    # Nothing is where its files should be: it waits for them.
    api.set_provider(FlagstoneProvider(flags(state.test.folder), wait=600.0))
    state.client = api.get_client()


@steps("an? error provider")
def error(state):
    with state.test.assertRaises(Exception):
        state.ready(FlagstoneProvider(flags(state.test.folder), wait=0.0))
    state.client = api.get_client()


@steps("a stale provider")
def stale(state):
    file = world.fixture("openfeature/flags.sealed")
    state.ready(FlagstoneProvider(flags(state.test.folder, embedded=file, clock=Clock(world.ISSUED + 15 * 86_400))))
    until = time.monotonic() + 30.0
    while state.client.get_provider_status().name != "STALE" and time.monotonic() < until:
        time.sleep(0.01)


@steps("a fatal provider")
def fatal(state):
    def broken():
        return Flagstone(b"", trust="no trust note", audience="a", environment="b", clock=Clock())

    with state.test.assertRaises(Exception):
        state.ready(FlagstoneProvider(broken))
    state.client = api.get_client()


@steps(r"an? ([A-Za-z]+)-flag with key " + TEXT + " and a fallback value " + TEXT)
def flag(state, kind, key, default):
    state.flag = (KINDS[kind.lower()], key, value(kind, default))


@steps("a context containing a key " + TEXT + ", with type " + TEXT + " and with value " + TEXT)
def attribute(state, key, kind, text):
    state.attributes[key] = value(kind, text)


@steps("a context containing a key " + TEXT + " with null value")
def null_attribute(state, key):
    state.attributes[key] = None


@steps("the flag was evaluated with details")
def evaluated(state):
    state.evaluate(*state.flag)


@steps("the resolved details value should be " + TEXT)
def resolved(state, expected):
    wanted = value(state.flag[0], expected)
    state.test.assertEqual(state.details.value, wanted)
    state.test.assertIs(type(state.details.value), type(wanted))


@steps("the reason should be " + TEXT)
def reason(state, expected):
    state.test.assertEqual(state.details.reason, expected)


@steps("the error-code should be " + TEXT)
def error_code(state, expected):
    state.test.assertEqual(state.details.error_code.value, expected)


@steps("the flag key should be " + TEXT)
def flag_key(state, expected):
    state.test.assertEqual(state.details.flag_key, expected)


@steps("the variant should be " + TEXT)
def variant(state, expected):
    state.test.assertEqual(state.details.variant, expected)


@steps("the resolved metadata should contain")
def metadata(state, table):
    for row in table[1:]:
        key, kind, text = row
        state.test.assertEqual(state.details.flag_metadata[key], value(kind, text))


@steps("the resolved metadata is empty")
def no_metadata(state):
    state.test.assertEqual(dict(state.details.flag_metadata), {})


@steps("a client with added hook")
def hooked(state):
    state.client.add_hooks([state.hook])


@steps("the " + TEXT + " hook should have been executed")
def hook_ran(state, name):
    state.test.assertIn(name, state.hook.calls)


@steps("the " + TEXT + " hooks should be called with evaluation details")
def hook_details(state, names, table):
    for name in names.split(", "):
        details = state.hook.calls[name]
        for kind, key, text in table[1:]:
            seen = getattr(details, key)
            seen = getattr(seen, "value", seen) if key in ("error_code", "reason") else seen
            state.test.assertEqual(seen, None if text == "null" else value(kind, text), (name, key))


@steps("the provider status should be " + TEXT)
def status(state, expected):
    state.test.assertEqual(state.client.get_provider_status().name, expected)


@steps("the flag was evaluated with details asynchronously")
def evaluated_later(state):
    kind, key, default = state.flag
    ask = getattr(state.client, f"get_{kind}_details_async")

    async def both():
        turns = 0

        async def others():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.ensure_future(others())
        await asyncio.sleep(0)
        state.details = await ask(key, default, EvaluationContext(None, state.attributes))
        await asyncio.sleep(0)
        beside.cancel()
        return turns

    state.turns = asyncio.run(both())


@steps("the evaluation should complete without blocking")
def not_blocked(state):
    state.test.assertGreaterEqual(state.turns, 2)


@steps("evaluation options containing specific hooks")
def own_hooks(state):
    order = state.order = []

    def named(name):
        class Named(Hook):
            def before(self, hook_context, hints):
                order.append(f"before {name}")

            def finally_after(self, hook_context, details, hints):
                order.append(f"finally {name}")

        return Named()

    state.options = FlagEvaluationOptions(hooks=[named("one"), named("two")])


@steps("the flag was evaluated with details using the evaluation options")
def evaluated_with_options(state):
    kind, key, default = state.flag
    state.details = getattr(state.client, f"get_{kind}_details")(key, default, None, state.options)


@steps("the specified hooks should execute during evaluation")
def own_hooks_ran(state):
    state.test.assertEqual(len(state.order), 4)


@steps("the hook order should be maintained")
def hook_order(state):
    state.test.assertEqual(state.order, ["before one", "before two", "finally two", "finally one"])


@steps("an evaluation context with modifiable data")
def modifiable(state):
    state.attributes = {"list": [1, {"deep": "x"}], "email": "a@b"}
    state.copied = copy.deepcopy(state.attributes)


@steps("the original evaluation context should remain unmodified")
def unmodified(state):
    state.test.assertEqual(state.attributes, state.copied)


@steps("the evaluation details should be immutable")
def immutable(state):
    # The SDK's details are a plain object of the caller's: what is changed in them reaches no other evaluation.
    before = copy.deepcopy(state.details)
    state.details.value, state.details.variant = "changed", "changed"
    state.evaluate(*state.flag)
    state.test.assertEqual(state.details, before)


# Merging contexts

LEVELS = ("API", "Transaction", "Client", "Invocation", "Before Hooks")


@steps("A context entry with key " + TEXT + " and value " + TEXT + " is added to the " + TEXT + " level")
def entry(state, key, text, level):
    state.levels.setdefault(level, {})[key] = text


@steps("A table with levels of increasing precedence")
def table_of_levels(state, table):
    state.order = [row[0] for row in table]


@steps("Context entries for each level from API level down to the " + TEXT + " level, with key " + TEXT + " and value " + TEXT)
def entries(state, last, key, _):
    for level in state.order[: state.order.index(last) + 1]:
        state.levels.setdefault(level, {})[key] = level


@steps("Some flag was evaluated")
def some_flag(state):
    own = {level: EvaluationContext(None, state.levels.get(level, {})) for level in LEVELS}

    class Adds(Hook):
        def before(self, hook_context, hints):
            return own["Before Hooks"]

    old = get_evaluation_context()
    set_evaluation_context(own["API"])
    set_transaction_context(own["Transaction"])
    state.client.context = own["Client"]
    try:
        options = FlagEvaluationOptions(hooks=[Adds()])
        state.client.get_boolean_value("boolean-flag", False, own["Invocation"], options)
    finally:
        set_evaluation_context(old)
        set_transaction_context(EvaluationContext())


@steps("The merged context contains an entry with key " + TEXT + " and value " + TEXT)
def merged(state, key, text):
    state.test.assertEqual(state.provider.context.attributes[key], text)


# The older suite

QUOTED = r'(?:"((?:[^"\\]|\\.)*)"|(-?[0-9.]+))'


@steps(r"an? (boolean|string|integer|float) flag with key " + TEXT + " is evaluated(?: with details and| with) default value " + QUOTED)
def older(state, kind, key, quoted, bare):
    state.evaluate(kind, key, value(kind, bare if quoted is None else quoted))


@steps("an object flag with key " + TEXT + " is evaluated (?:with|with details and) a null default value")
def older_object(state, key):
    state.evaluate("object", key, None)


@steps("the resolved (boolean|string|integer|float) value should be " + QUOTED)
def older_value(state, kind, quoted, bare):
    state.test.assertEqual(state.details.value, value(kind, bare if quoted is None else quoted))


@steps("the resolved (boolean|string|integer|float) details value should be " + QUOTED + ", the variant should be " + TEXT
       + ", and the reason should be " + TEXT)
def older_details(state, kind, quoted, bare, named, why):
    older_value(state, kind, quoted, bare)
    state.test.assertEqual((state.details.variant, state.details.reason), (named, why))


@steps("the resolved object (?:details )?value should be contain fields " + TEXT + ", " + TEXT + ", and " + TEXT
       + ", with values " + TEXT + ", " + TEXT + " and ([0-9]+), respectively")
def older_fields(state, one, two, three, first, second, third):
    wanted = {one: first == "true", two: second, three: int(third)}
    state.test.assertEqual(state.details.value, wanted)


@steps("the variant should be " + TEXT + ", and the reason should be " + TEXT)
def older_variant(state, named, why):
    state.test.assertEqual((state.details.variant, state.details.reason), (named, why))


@steps("context contains keys " + ", ".join([TEXT] * 4) + " with values " + TEXT + ", " + TEXT + ", ([0-9]+), " + TEXT)
def older_context(state, one, two, three, four, first, second, third, fourth):
    state.attributes = {one: first, two: second, three: int(third), four: fourth == "true"}


@steps("a flag with key " + TEXT + " is evaluated with default value " + TEXT)
def older_flag(state, key, default):
    state.evaluate("string", key, default)


@steps("the resolved string response should be " + TEXT)
def older_response(state, expected):
    state.test.assertEqual(state.details.value, expected)


@steps("the resolved flag value is " + TEXT + " when the context is empty")
def older_empty(state, expected):
    state.evaluate(*state.flag, attributes={})
    state.test.assertEqual(state.details.value, expected)


@steps("a non-existent string flag with key " + TEXT + " is evaluated with details and a fallback value " + TEXT)
def older_missing(state, key, default):
    state.evaluate("string", key, default)


@steps("a string flag with key " + TEXT + " is evaluated as an integer, with details and a fallback value ([0-9]+)")
def older_wrong(state, key, default):
    state.evaluate("integer", key, int(default))


@steps("the default (?:string|integer) value should be returned")
def older_default(state):
    state.test.assertEqual(state.details.value, state.flag[2])


@steps("the reason should indicate an error and the error code should indicate a (?:missing flag|type mismatch) with " + TEXT)
def older_error(state, code):
    state.test.assertEqual((state.details.reason, state.details.error_code.value), ("ERROR", code))
