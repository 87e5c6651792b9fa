// One flag: the verdict first, then why.

import { guardrail, ladder, units } from "./charts.js";
import { h } from "./dom.js";
import { slices } from "./slices.js";
import { PHASES, rich } from "./words.js";

export function phaseOf(flag) {
  return flag.halt && flag.phase !== "halted" ? "stopped" : flag.phase;
}

export function card(flag, now) {
  const phase = phaseOf(flag);
  const [sign, name] = PHASES[phase] ?? ["?", phase];
  const reasons = phase === "halted" ? flag.settled.reasons : flag.reasons;
  return h("article.flag." + phase, { "data-key": flag.flag, id: `flag-${flag.flag}`, "aria-label": flag.flag },
    h("header", {},
      h("div.title", {},
        h("h2", {}, flag.flag),
        h("span.badge." + phase, {}, h("span", { "aria-hidden": "true" }, sign), " ", name),
        h("span.small", {}, `attempt ${flag.attempt}`, flag.owner && ` · ${flag.owner}`)),
      buttons(flag, phase)),
    h("p.sentence", {}, rich(flag.sentence)),
    h("p.next", {}, h("span", { "aria-hidden": "true" }, "→ "), rich(flag.next)),
    ladder(flag, now),
    h("div.columns", {},
      h("div.left", {},
        h("h3", {}, "Guardrails"),
        h("p.small", {}, `Evidence is ln E; at the mark it is enough. If the candidate does no harm, the chance that this attempt is ever taken back is at most ${(flag.alpha.attempt * 100).toFixed(1)} %.`),
        flag.guardrails.length ? flag.guardrails.map(guardrail) : h("p.empty", {}, "The plan has no guardrails.")),
      h("div.right", {},
        units(flag),
        phase === "halted"
          ? h("section.panel", { "data-key": "reasons" }, h("h3", {}, "In the judge's words"), words(reasons))
          : phase !== "closed" && requirements(flag))),
    slices(flag),
    h("footer", {},
      phase !== "halted" && reasons.length > 0 && h("details", { "data-key": "reasons" }, h("summary", {}, "In the judge's words"), words(reasons)),
      (flag.rationale || flag.rollbackPlan) && h("details", { "data-key": "words" },
        h("summary", {}, "Why, and the way back"),
        flag.rationale && h("p", {}, h("strong", {}, "Why: "), flag.rationale),
        flag.rollbackPlan && h("p", {}, h("strong", {}, "Way back: "), flag.rollbackPlan))));
}

function words(reasons) {
  return h("ul.reasons", {}, reasons.map((reason) => h("li", {}, rich(reason))));
}

/** The gate: what is missing first, what is met folded away. */
function requirements(flag) {
  const met = flag.requirements.filter((line) => line.met);
  const unmet = flag.requirements.filter((line) => !line.met);
  const item = (line) => h("li", { class: line.met ? "met" : "unmet" },
    h("span.check", { role: "img", "aria-label": line.met ? "met" : "not met" }, line.met ? "✓" : "○"),
    h("span.what", {}, rich(line.text)),
    h("span.have", {}, "have ", rich(line.have), ", need ", rich(line.need)));
  return h("section.panel", { "data-key": "requirements" },
    h("h3", {}, "To leave this stage ", h("span.tally", {}, `${met.length} of ${flag.requirements.length} met`)),
    unmet.length > 0 && h("ul.requirements", {}, unmet.map(item)),
    met.length > 0 && h("details", { "data-key": "met" },
      h("summary", {}, h("span.check.met", {}, "✓ "), unmet.length ? `${met.length} met` : "everything is met"),
      h("ul.requirements", {}, met.map(item))));
}

function buttons(flag, phase) {
  const button = (ask, text, style) => h("button." + style, { type: "button", "data-ask": ask, "data-flag": flag.flag }, text);
  return h("div.buttons", {},
    phase === "closed" && flag.ceiling !== null && button("start", "Start", "primary"),
    phase === "stopped" && button("resume", "Resume", "plain"),
    !["halted", "stopped"].includes(phase) && button("halt", "Halt", "danger"));
}
