// The page: one case, asked anew at every change and kept in the address.

import { drawn } from "./answer.js";
import { h } from "./dom.js";
import { Editor, places } from "./editor.js";
import { ask, load } from "./engine.js";
import { EXAMPLES, stateOf } from "./examples.js";
import { read, write } from "./link.js";
import { controls, fromField, toField } from "./pulse.js";

const byId = (id) => document.getElementById(id);
/** Questions that took longer than this are asked when the typing pauses, milliseconds. */
const SLOW = 40;
/** How long a pause is; browsers also bound how often an address may change. */
const PAUSE = 350;

let state;
let flags = [];
let fragment = "";
let took = 0;
let waiting;
let linking;

const definition = new Editor(byId("definition-editor"), () => {
  state.definition = definition.text;
  changed(true);
});
const context = new Editor(byId("context-editor"), () => {
  state.context = context.text;
  changed(true);
});

/** Something of the case changed: asks, now or, while somebody types, when the last question was not slow. */
function changed(typing = false) {
  clearTimeout(waiting);
  waiting = setTimeout(answer, typing && took > SLOW ? PAUSE : 0);
  clearTimeout(linking);
  linking = setTimeout(keep, PAUSE);
}

/** Keeps the case in the address. */
async function keep() {
  fragment = `#${await write(state)}`;
  history.replaceState(null, "", fragment);
}

async function answer() {
  const { stages, halts, fresh, ...rest } = state;
  const begun = performance.now();
  const said = await ask({ ...rest, pulse: fresh ? { stages, halts } : null });
  took = performance.now() - begun;
  if (said.fault) {
    say(said.fault);
    return;
  }
  problems(said);
  faults(said);
  if (said.flags) {
    flags = said.flags;
    choices();
    if (!flags.some(({ key }) => key === state.flag) && flags.length) {
      // Another set: its first flag is as good as any.
      state.flag = flags[0].key;
      choices();
      return answer();
    }
  }
  if (said.explained) {
    const focused = document.activeElement?.dataset?.pick;
    byId("decision").replaceChildren(...drawn(said, state.flag, pick).filter(Boolean));
    if (focused) byId("decision").querySelector(`[data-pick="${CSS.escape(focused)}"]`)?.focus();
  }
  byId("decision").classList.toggle("old", !said.explained);
  document.body.dataset.answered = String(Number(document.body.dataset.answered ?? 0) + 1);
}

function pick(key) {
  state.flag = key;
  byId("pulse").replaceChildren(); // of a large set other flags have controls now
  changed();
}

/** The compiler's findings: in the list, and at their lines. */
function problems({ diagnostics, errors, leftOut }) {
  const place = places(state.definition);
  const marks = diagnostics.map(({ line, span, severity }) => ({ line, start: place(span.start), end: place(span.end), severity }));
  definition.mark(marks);
  const warnings = diagnostics.filter(({ severity }) => severity === "warning").length;
  const count = (number, name) => number > 0 && `${number} ${name}${number > 1 ? "s" : ""}`;
  byId("problems-summary").textContent = [count(errors, "error"), count(warnings, "warning")].filter(Boolean).join(", ") || "none";
  byId("problems").replaceChildren(...diagnostics.map(({ line, column, severity, code, message, hint, labels }, at) => {
    const button = h("button.problem." + severity, { type: "button" },
      h("span.where", {}, h("span.sign", { "aria-hidden": "true" }, severity === "error" ? "✕" : "!"), ` line ${line}, column ${column}`),
      h("span.what", {}, h("span.severity", {}, `${severity} ${code}`), ` ${message}`),
      labels.map(({ line, text }) => h("span.hint", {}, `line ${line}: ${text}`)),
      hint && h("span.hint", {}, `hint: ${hint}`));
    button.addEventListener("click", () => definition.go(marks[at]));
    return h("li", {}, button);
  }), leftOut > 0 ? h("li.small", {}, `and ${leftOut} more`) : "");
}

/** What is wrong elsewhere: a context that is none, a definition that gives no snapshot. */
function faults({ contextFault, flags: decided, refused, attributes }) {
  let fault = contextFault;
  if (fault) {
    try {
      JSON.parse(state.context);
    } catch (error) {
      fault = `${fault}: ${error.message}`;
    }
  }
  show("context-fault", fault && `✕ ${fault}`);
  byId("context").setAttribute("aria-invalid", String(Boolean(fault)));
  const old = byId("decision").childElementCount ? " Below is the last decision before." : "";
  const without = decided ? contextFault && "Without a context nothing is decided." : "This definition gives no snapshot: see its problems.";
  show("stale", refused ? `✕ ${refused}${old}` : without && `✕ ${without}${old}`);
  if (attributes) {
    const read = attributes.map((path) => path || "the whole context");
    byId("attributes").replaceChildren("Rules read ", ...read.flatMap((path, at) => [at ? ", " : "", h("code", {}, path)]), ".");
  }
}

function show(id, text) {
  byId(id).hidden = !text;
  if (byId(id).textContent !== (text || "")) byId(id).textContent = text || "";
}

/** The flags to pick from and the pulse's controls, when they are others than before. */
function choices() {
  const keys = JSON.stringify(flags.map(({ key }) => key));
  const select = byId("flag");
  if (select.dataset.keys !== keys) {
    select.replaceChildren(...flags.map(({ key }) => h("option", { value: key }, key)));
    select.dataset.keys = keys;
  }
  select.value = state.flag;
  const plans = JSON.stringify(flags.map(({ key, stages, ceiling }) => [key, stages, ceiling]));
  const pulse = byId("pulse");
  if (pulse.dataset.plans !== plans || !pulse.childElementCount) {
    pulse.replaceChildren(...controls(flags, state, () => changed()));
    pulse.dataset.plans = plans;
  }
  pulse.hidden = !state.fresh;
}

function say(text) {
  show("notice", text);
}

/** Takes another case in. */
function take(next) {
  state = next;
  definition.text = state.definition;
  context.text = state.context;
  byId("now").value = toField(Math.min(state.now, 253_402_300_799)); // the field's last year is 9999
  byId("strict").checked = state.strict;
  byId("browser").checked = state.browser;
  byId("fresh").checked = state.fresh;
  byId("pulse").replaceChildren();
}

/** The case in the address, else the first example. */
async function fromAddress() {
  let linked;
  try {
    linked = await read(location.hash);
    say("");
  } catch (error) {
    say(`The case in the address cannot be read: ${error.message}. Here is an example instead.`);
  }
  fragment = location.hash;
  take(linked ?? stateOf(EXAMPLES[0]));
  byId("example").value = linked ? "" : "0";
}

function listen() {
  byId("example").replaceChildren(h("option", { value: "" }, "–"), ...EXAMPLES.map(({ name }, at) => h("option", { value: at }, name)));
  byId("example").addEventListener("change", ({ target }) => {
    const example = EXAMPLES[target.value];
    if (!example) return;
    take(stateOf(example));
    say("");
    changed();
  });
  for (const name of ["strict", "browser", "fresh"]) {
    byId(name).addEventListener("change", ({ target }) => {
      state[name] = target.checked;
      changed();
    });
  }
  byId("flag").addEventListener("change", ({ target }) => pick(target.value));
  byId("now").addEventListener("input", ({ target }) => {
    const at = fromField(target.value);
    if (at === undefined) return; // half typed
    state.now = at;
    changed();
  });
  byId("set-now").addEventListener("click", () => {
    state.now = Math.floor(Date.now() / 1000);
    byId("now").value = toField(state.now);
    changed();
  });
  byId("copy").addEventListener("click", async () => {
    clearTimeout(linking);
    await keep();
    try {
      await navigator.clipboard.writeText(location.href);
      say("The link is copied. Whoever has it sees the definition and the context.");
    } catch {
      say("This browser does not let the page copy: the link is the page’s address.");
    }
  });
  addEventListener("hashchange", async () => {
    if (location.hash === fragment) return;
    await fromAddress();
    await answer();
  });
}

listen();
try {
  await fromAddress();
  const bytes = await load();
  byId("size").textContent = `The module has ${Math.round(bytes / 1024)} KiB.`;
  await answer();
  document.body.dataset.ready = "yes";
} catch (error) {
  say(`The playground cannot start: ${error.message}`);
}
