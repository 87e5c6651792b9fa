// The controls for what a pulse says: for each flag the open stage, since when, and whether it is halted.

import { h } from "./dom.js";

/** Flags that get controls of their own; of a larger set the chosen one and those that are set. */
const FEW = 12;

/** The controls for `flags` and the pulse in `state`; `changed` is called after each change of `state`. */
export function controls(flags, state, changed) {
  const set = new Set([state.flag, ...state.halts, ...state.stages.map(({ flag }) => flag)]);
  const some = flags.length > FEW ? flags.filter(({ key }) => set.has(key)) : flags;
  return some.map((flag) => one(flag, state, changed));
}

function one({ key, stages, ceiling, scheduled }, state, changed) {
  const open = state.stages.find(({ flag }) => flag === key);
  const halt = h("input", { type: "checkbox", checked: state.halts.includes(key), "data-halt": key });
  halt.addEventListener("change", () => {
    state.halts = state.halts.filter((other) => other !== key);
    if (halt.checked) state.halts.push(key);
    changed();
  });
  const parts = [h("label.inline", {}, halt, " halted")];
  if (stages) {
    const note = (at) => (ceiling !== undefined && at > ceiling ? " (above the ceiling)" : "");
    const select = h("select", { "data-stage": key }, h("option", { value: "" }, scheduled ? "as scheduled" : "none"),
      stages.map((name, at) => h("option", { value: at, selected: open?.stage === at }, `${at} ${name}${note(at)}`)));
    const since = h("input", { type: "datetime-local", step: 1, "data-since": key, value: open?.since ? toField(open.since) : "", disabled: !open });
    const told = () => {
      state.stages = state.stages.filter(({ flag }) => flag !== key);
      since.disabled = select.value === "";
      if (select.value !== "") state.stages.push({ flag: key, stage: Number(select.value), since: fromField(since.value) ?? 0 });
      changed();
    };
    select.addEventListener("change", told);
    since.addEventListener("input", told);
    parts.unshift(h("label", {}, "open stage ", select), h("label", { title: "empty: for long" }, "since (UTC) ", since));
  }
  return h("div.control" + (stages ? "" : ".short"), { role: "group", "aria-label": key }, h("code.name", {}, key), parts);
}

/** Unix seconds as a date field has them, in UTC. */
export function toField(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 19);
}

/** What a date field has as unix seconds; undefined when it has none. */
export function fromField(text) {
  const at = Date.parse(`${text}Z`);
  return Number.isNaN(at) || at < 0 ? undefined : Math.floor(at / 1000);
}
