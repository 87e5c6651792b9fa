// The charts of a flag: the ladder of stages, units per arm, evidence as fuel gauges. Each has its table.

import { h } from "./dom.js";
import { ROLES, VERDICTS, clock, duration, log, number, plain, rate, share } from "./words.js";

/** The ladder: where it stands, what is behind it, how far people have approved. */
export function ladder(flag, now) {
  const running = ["open", "held", "awaiting-approval"].includes(flag.phase) && !flag.halt;
  const steps = flag.stages.map((stage) => {
    const here = flag.stage === stage.index && flag.phase !== "closed";
    const passed = flag.stage !== null && (stage.index < flag.stage || (here && flag.phase === "complete"));
    const stopped = here && (flag.phase === "halted" || flag.halt);
    const state = stopped ? "stopped" : passed ? "passed" : here ? "here" : stage.approved ? "approved" : "locked";
    const sign = { stopped: "■", passed: "✓", here: "●", approved: "", locked: "" }[state];
    const spent = Math.max(0, now / 1000 - flag.since / 1000);
    const baked = stage.bake > 0 ? Math.min(1, spent / stage.bake) : 1;
    const words = { stopped: "stopped here", passed: "passed", here: "open now", approved: "approved", locked: "not approved" }[state];
    return h("li.step." + state, { "data-key": stage.name, "aria-current": here ? "step" : null },
      h("span.dot", { "aria-hidden": "true" }, sign),
      h("div.label",
        {},
        h("strong", {}, stage.name),
        h("span.arms", {}, stage.allowList ? "by list" : `${share(stage.treat)}, control ${share(stage.control)}`),
        h("span.state", {}, words),
        !stage.compared && !stage.allowList && h("span.warn", { title: "the controls are given up here: only tripwires can still take it back" }, "no comparison"),
        here && running
          ? h("span.bake", { title: `open ${duration(spent)} of at least ${duration(stage.bake)}` },
              h("span.track", {}, h("span.fill", { "--part": `${(baked * 100).toFixed(1)}%` })),
              baked < 1 ? `${duration(spent)} of ${duration(stage.bake)}` : `baked ${duration(stage.bake)}`)
          : stage.opened && h("span.when", {}, clock(stage.opened, now))),
      flag.ceiling === stage.index && h("span.ceiling", {}, "signed ceiling"));
  });
  return h("ol.ladder", { "aria-label": "stages", "--steps": flag.stages.length }, steps);
}

/** Units per arm, with the split that each cohort was drawn with. */
export function units(flag) {
  const { treatment, control, both, exposures } = flag.units;
  const most = Math.max(1, treatment, control);
  const bar = (name, kind, count) => h("div.arm." + kind, {},
    h("span.name", {}, name),
    h("span.track", {}, h("span.fill", { "--part": `${((count / most) * 100).toFixed(2)}%` })),
    h("span.count", {}, number(count)));
  const ratio = flag.sampleRatio;
  const skewed = ratio.logE > ratio.logThreshold;
  return h("section.panel", { "data-key": "units" },
    h("h3", {}, "Units exposed"),
    h("div.bars", {}, bar(flag.candidate, "treatment", treatment), bar(flag.baseline, "control", control)),
    h("p.small", {}, `${number(exposures)} exposures reported. `,
      both ? `${number(both)} units were seen in both arms and are left out. ` : "No unit was seen in both arms. ",
      h("span", { class: skewed ? "bad" : "" }, skewed ? "✗ The arms are not split as promised." : "The arms are split as promised.")),
    flag.cohorts.length > 0 && table(["cohort", "drawn at", "treatment", "control"], flag.cohorts.map((cohort) => [
      flag.stages[cohort.cohort]?.name ?? `#${cohort.cohort}`,
      cohort.probability > 0 ? share(cohort.probability) : "not drawn",
      number(cohort.treated),
      number(cohort.control),
    ])));
}

/** One guardrail: evidence against its threshold, bad units per arm, verdict. */
export function guardrail(metric) {
  const [sign, words, tone] = VERDICTS[metric.verdict] ?? ["?", metric.verdict, "quiet"];
  const margin = metric.notWorseBy;
  const gauges = [];
  if (metric.role === "tripwire") gauges.push(gauge("bad units", metric.treatedBad, 1, "harm", number));
  else if (metric.role !== "success") gauges.push(gauge("evidence of harm", Math.max(metric.logE, metric.latched?.logE ?? -Infinity), metric.logThreshold, "harm"));
  if (margin !== null && margin !== undefined) gauges.push(gauge(`evidence of at most ${share(margin * 1e9)} worse`, metric.logENonInferior, metric.logThresholdPromote, "proof"));
  else if (metric.kind?.measure === "score" && metric.role !== "observe") gauges.push(gauge("evidence of being above the bar", metric.logENonInferior, metric.logThresholdPromote, "proof"));
  if (metric.role === "success") gauges.push(gauge("evidence of better", metric.logEImproved, metric.logThresholdPromote, "proof"));
  return h("article.guardrail." + tone, { "data-key": metric.metric + metric.role },
    h("header", {}, h("h4", {}, metric.metric), h("span.verdict." + tone, {}, h("span", { "aria-hidden": "true" }, sign), " ", words)),
    h("p.small", {}, ROLES[metric.role] ?? metric.role, metric.note && ` · ${metric.note}`),
    h("div.side", {},
      h("div.gauges", {}, gauges),
      metric.kind && metric.kind.measure !== "rate" ? measured(metric) : table(["", "bad", "units", "rate"], [
        ["treatment", number(metric.treatedBad), number(metric.treatedUnits), rate(metric.treatedBad, metric.treatedUnits)],
        ["control", number(metric.controlBad), number(metric.controlUnits), rate(metric.controlBad, metric.controlUnits)],
      ])),
    metric.late > 0 && h("p.small", {}, `${number(metric.late)} outcomes came in too late and are not counted.`));
}

/** What a metric that measures values says of each arm, with the interval of their difference. */
function measured(metric) {
  const { estimate, kind } = metric;
  const what = { mean: "mean of a unit", ratio: "ratio", score: "mean score", quantile: `${share((kind.quantile ?? 0) * 1e9)} quantile` }[kind.measure];
  const arms = [["treatment", estimate ? plain(estimate.treatment) : "–", number(metric.treatedUnits)]];
  if (kind.measure === "score") arms.push(["bar", plain(kind.bar), "–"]);
  else arms.push(["control", estimate ? plain(estimate.control) : "–", number(metric.controlUnits)]);
  if (estimate) arms.push(["difference", difference(estimate), "–"]);
  return table(["", what, "units"], arms);
}

function difference({ difference: by, lower, upper }) {
  if (lower === null && upper === null) return plain(by);
  return `${plain(by)} (${lower === null ? "no bound yet" : plain(lower)} to ${upper === null ? "no bound yet" : plain(upper)})`;
}

// Where the mark stands on the track. Beyond it the fill only creeps, so that a lot of evidence still fits.
const MARK = 0.78;

/** A fuel gauge: the fill reaches the mark when the evidence is enough. Both numbers are written out. */
function gauge(name, value, threshold, kind, show = log) {
  const known = value !== null && value !== undefined && Number.isFinite(value);
  const level = known ? Math.max(0, value) : 0;
  const part = level <= threshold ? (MARK * level) / threshold : MARK + (1 - MARK) * (1 - threshold / level);
  const over = known && (show === number ? value >= threshold : value > threshold);
  const enough = kind === "harm" ? "acts at" : "enough at";
  return h("div.gauge." + kind + (over ? ".over" : ""), {
    role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": threshold.toFixed(2), "aria-valuenow": level.toFixed(2),
  },
    h("div.caption", {}, h("span", {}, over ? (kind === "harm" ? "✗ " : "✓ ") : "", name), h("span", {}, h("strong", {}, known ? show(value) : "–"), ` ${enough} ${show(threshold)}`)),
    h("div.track", {},
      h("span.fill", { "--part": `${(part * 100).toFixed(2)}%` }),
      h("span.mark", { "--part": `${MARK * 100}%` })));
}

/** A plain table. The first column names the row. */
export function table(head, rows) {
  return h("div.table", {}, h("table", {},
    h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, at) => (at === 0 ? h("th", { scope: "row" }, cell) : h("td", {}, cell))))))));
}
