// A decision as people read it: what came out, why, every check on the way, and the other flags beside it.

import { h } from "./dom.js";

/** What OpenFeature's reasons mean here. */
const REASONS = {
  STATIC: "the flag has no rule that could say otherwise",
  DEFAULT: "nothing chose another variant",
  TARGETING_MATCH: "a rule chose it",
  SPLIT: "this unit's position in the rollout chose it",
  DISABLED: "the flag is disabled",
  STALE: "the pulse is not fresh",
  ERROR: "the flag could not be decided",
};

const ERRORS = {
  FLAG_NOT_FOUND: "there is no such flag",
  PARSE_ERROR: "the flag’s definition is broken: see the problems",
  GENERAL: "its rule answered with no variant of the flag, or ran past a limit",
};

const DETAILS = {
  stage: "an open stage of the plan treats this unit",
  control: "this unit is in the control arm",
  halt: "the flag is halted",
  consent: "this unit has not consented",
  "data-domain": "the context allows no such data domain",
  expired: "without a fresh pulse this flag serves its baseline",
  closed: "no stage that is open takes this unit in",
  holdout: "this unit is held out",
  prerequisite: "another flag is not where it must be",
  override: "this unit is named in the flag's overrides",
  layer: "this unit is outside the flag's part of the layer",
  remembered: "the context brought an earlier decision back",
  ended: "the plan has ended",
  paused: "the plan takes in nobody new now",
};

/** The chosen flag's decision and trace, and a table of all flags; `pick` is called with a key. */
export function drawn({ explained, flags }, chosen, pick) {
  return [explained && decision(explained.decision), explained && trace(explained.trace), flags?.length > 1 && overview(flags, chosen, pick)];
}

function decision({ variant, value, reason, errorCode, detail, arm, stage, cohort, remember, metadata }) {
  const words = ERRORS[errorCode] ?? DETAILS[detail] ?? REASONS[reason] ?? "";
  const fact = (name, shown) => shown !== null && shown !== undefined && [h("dt", {}, name), h("dd", { "data-fact": name }, shown)];
  return h("div.outcome", {},
    h("p.variant" + (errorCode ? ".failed" : ""), {}, variant === null ? "the caller’s own default" : h("strong", {}, variant)),
    variant !== null && h("pre.value", { tabindex: 0, "aria-label": "value" }, pretty(value)),
    h("p.because", {}, words && `Because ${words}.`),
    h("dl.facts", {},
      fact("reason", reason), fact("error", errorCode), fact("detail", detail), fact("arm", arm),
      fact("stage", stage && `${stage.index} ${stage.name}`),
      fact("cohort", cohort && `${cohort.index} ${cohort.name}`),
      fact("probability", cohort && String(cohort.probability)),
      fact("remember", remember), fact("metadata", metadata && JSON.stringify(metadata))));
}

function trace(steps) {
  return h("section", { "aria-labelledby": "trace-title" },
    h("h3", { id: "trace-title" }, "Why ", h("span.tally", {}, `${steps.length} ${steps.length === 1 ? "check" : "checks"}, the last one decided`)),
    h("ol.trace", {}, steps.map(step)));
}

function step({ check, passed, rules = [], tests = [], more, ...seen }) {
  return h("li" + (passed ? ".passed" : ".stopped"), { "data-check": check },
    h("span.sign", { "aria-hidden": "true" }, passed ? "✓" : "–"),
    h("div", {},
      h("p", {}, h("strong", {}, check), h("span.verdict", {}, passed ? "yes" : "no"),
        Object.entries(seen).map(([name, value]) => h("span.seen", {}, `${name} `, h("code", {}, shown(name, value))))),
      rules.map(({ rule, matched, tests }) => h("div.rule", {},
        h("p", {}, `rule ${rule} `, h("span.verdict", {}, matched ? "matched" : "did not match")), list(tests))),
      list(tests), more && h("p.small", {}, "and further tests")));
}

function list(tests) {
  return tests.length > 0 && h("ul.tests", {}, tests.map(({ test, attribute, value, against, answer }) => h("li", {},
    attribute !== undefined && [h("code", {}, attribute), " is "], h("code", {}, JSON.stringify(value)), ` · ${test} `,
    against !== undefined && h("code", {}, JSON.stringify(against)), " → ", h("code.result", {}, JSON.stringify(answer)))));
}

/** Times are told as such; `until` is without end when it is beyond any date. */
function shown(name, value) {
  if ((name === "until" || name === "since") && typeof value === "number") {
    const date = new Date(value * 1000);
    if (value === 0) return "ever";
    return value > 8e12 || Number.isNaN(date.getTime()) ? "without end" : date.toISOString().replace(".000Z", "Z");
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

function overview(flags, chosen, pick) {
  const row = ({ key, decision }) => {
    const button = h("button.link", { type: "button", "aria-pressed": String(key === chosen), "data-pick": key }, key);
    button.addEventListener("click", () => pick(key));
    const why = decision && [decision.reason, decision.errorCode, decision.detail, decision.arm].filter(Boolean).join(" · ");
    return h("tr" + (key === chosen ? ".chosen" : ""), { "data-flag": key }, h("th", { scope: "row" }, button),
      h("td", {}, decision ? decision.variant ?? "caller’s own" : "–"), h("td.small", {}, why ? why.split(/(?<=_)/).map((part, at) => [at > 0 && h("wbr"), part]) : "–"));
  };
  return h("section", { "aria-labelledby": "flags-title" },
    h("h3", { id: "flags-title" }, "All flags ", h("span.tally", {}, "for this context")),
    h("table.flags", {}, h("thead", {}, h("tr", {}, ["flag", "variant", "why"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, flags.slice(0, 200).map(row))),
    flags.length > 200 && h("p.small", {}, `and ${flags.length - 200} more`));
}

function pretty(value) {
  const flat = JSON.stringify(value);
  return flat.length > 60 ? JSON.stringify(value, null, 2) : flat;
}
