// One flag: the verdict first, then why.

import { guardrail, ladder, units } from "./charts.js";
import { h } from "./dom.js";
import { PHASES } from "./words.js";

export function card(flag, now) {
  const phase = flag.halt && flag.phase !== "halted" ? "stopped" : flag.phase;
  const [sign, name] = PHASES[phase] ?? ["?", phase];
  const met = flag.requirements.filter((line) => line.met).length;
  return h("article.flag." + phase, { "data-key": flag.flag, "aria-label": flag.flag },
    h("header", {},
      h("div.title", {},
        h("h2", {}, flag.flag),
        h("span.badge." + phase, {}, h("span", { "aria-hidden": "true" }, sign), " ", name),
        h("span.small", {}, `attempt ${flag.attempt}`, flag.owner && ` · ${flag.owner}`)),
      buttons(flag, phase)),
    h("p.sentence", {}, flag.sentence),
    h("p.next", {}, h("span", { "aria-hidden": "true" }, "→ "), flag.next),
    ladder(flag, now),
    h("div.columns", {},
      h("div.left", {},
        h("h3", {}, "Guardrails"),
        h("p.small", {}, `ln E against its threshold. Without any harm, the chance that this attempt is ever taken back is at most ${(flag.alpha.attempt * 100).toFixed(1)} %.`),
        flag.guardrails.length ? flag.guardrails.map(guardrail) : h("p.empty", {}, "The plan has no guardrails.")),
      h("div.right", {},
        units(flag),
        h("section.panel", { "data-key": "requirements" },
          h("h3", {}, "To leave this stage ", flag.requirements.length > 0 && h("span.tally", {}, `${met} of ${flag.requirements.length}`)),
          flag.requirements.length
            ? h("ul.requirements", {}, flag.requirements.map((line) => h("li", { class: line.met ? "met" : "unmet" },
                h("span.check", { role: "img", "aria-label": line.met ? "met" : "not met" }, line.met ? "✓" : "○"),
                h("span.what", {}, line.text),
                h("span.have", {}, `have ${line.have}, need ${line.need}`))))
            : h("p.empty", {}, "No stage is open.")))),
    (flag.rationale || flag.rollbackPlan) && h("footer.small", {},
      flag.rationale && h("p", {}, h("strong", {}, "Why: "), flag.rationale),
      flag.rollbackPlan && h("p", {}, h("strong", {}, "Way back: "), flag.rollbackPlan)));
}

function buttons(flag, phase) {
  const button = (ask, text, style) => h("button." + style, { type: "button", "data-ask": ask, "data-flag": flag.flag }, text);
  return h("div.buttons", {},
    phase === "closed" && flag.ceiling !== null && button("start", "Start", "primary"),
    phase === "stopped" && button("resume", "Resume", "plain"),
    !["halted", "stopped"].includes(phase) && button("halt", "Halt", "danger"));
}
