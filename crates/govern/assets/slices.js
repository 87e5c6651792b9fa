// Parts of the population: a matrix of metrics by values, who lost ground, and where the sample ratio is off.

import { h } from "./dom.js";
import { log, number } from "./words.js";

const VERDICTS = {
  harmed: ["✗", "harmed", "bad"],
  suspect: ["!", "look here", "warn"],
  "nothing-shown": ["≈", "nothing shown", "quiet"],
  "unable-to-assess": ["·", "unable to assess", "dim"],
};

const BARS = {
  pass: ["✓", "kept", "good"],
  fail: ["✗", "lost ground", "bad"],
  inconclusive: ["≈", "nothing shown", "quiet"],
  "unable-to-assess": ["·", "unable to assess", "dim"],
};

const ROLES = {
  deterioration: "harm in any of them takes it back",
  fairness: "harm in any of them holds, and none may lose ground",
  observe: "observed only",
};

/** All of it; nothing for a plan without slices. */
export function slices(flag) {
  if (!flag.slices || (!flag.slices.length && !flag.slicesLeftOut)) return null;
  const dimensions = [...new Set(flag.slices.map((cell) => Object.keys(cell.slice)[0]))];
  return h("section.slices", { "data-key": "slices" },
    h("h3", {}, "Parts of the population"),
    h("p.small", {}, "Evidence of harm is ln E. Small parts are judged like the others and not shown; units are rounded down."),
    flag.slicesLeftOut > 0 && h("p.small", {}, `${number(flag.slicesLeftOut)} parts in which nothing was found are not listed: there are too many.`),
    dimensions.map((by) => matrix(flag, by)));
}

/** Metrics by the values of one dimension. */
function matrix(flag, by) {
  const cells = flag.slices.filter((cell) => by in cell.slice);
  const values = [...new Set(cells.map((cell) => cell.slice[by]))];
  const rows = [...new Set(cells.map((cell) => `${cell.metric}\n${cell.role}`))];
  const split = flag.sampleRatioSlices.filter((one) => by in one.slice);
  return h("div.matrix", { "data-key": by },
    h("h4", {}, by),
    h("div.table", {}, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), values.map((value) => h("th", { scope: "col" }, value)))),
      h("tbody", {},
        rows.map((row) => {
          const [metric, role] = row.split("\n");
          const own = cells.filter((cell) => cell.metric === metric && cell.role === role);
          return h("tr", {},
            h("th", { scope: "row" }, metric, h("span.small", {}, `${ROLES[role] ?? role}; acts at ${log(own[0].logThreshold)}`)),
            values.map((value) => cell(own.find((one) => one.slice[by] === value))));
        }),
        flag.fairness.filter((audit) => audit.by === by).map((audit) => h("tr", {},
          h("th", { scope: "row" }, audit.metric, h("span.small", {}, "against the others, compared with the control")),
          values.map((value) => kept(audit.changes.find((one) => one.group === value))))),
        split.length > 0 && h("tr", {},
          h("th", { scope: "row" }, "split between the arms"),
          values.map((value) => ratio(split.find((one) => one.slice[by] === value))))))));
}

function badge([sign, words, tone]) {
  return h("span.verdict." + tone, {}, h("span", { "aria-hidden": "true" }, sign), " ", words);
}

function cell(one) {
  if (!one) return h("td", {}, "–");
  const evidence = one.latched?.logE ?? one.logE;
  return h("td", {}, badge(VERDICTS[one.verdict] ?? ["?", one.verdict, "quiet"]),
    h("span.small", {}, evidence !== null && evidence !== undefined && `ln E ${log(evidence)}`, one.rateRatio !== null && ` · ${one.rateRatio.toFixed(2)} times`),
    one.units && h("span.small", {}, `${number(one.units.treatment)} / ${number(one.units.control)} units`));
}

function kept(change) {
  if (!change) return h("td", {}, "–");
  return h("td", {}, badge(BARS[change.verdict] ?? ["?", change.verdict, "quiet"]),
    change.lower !== null && h("span.small", {}, `${percent(change.lower)} to ${percent(change.upper)}`));
}

function ratio(one) {
  if (!one?.units) return h("td", {}, one?.suspect ? badge(["✗", "not as promised", "bad"]) : badge(VERDICTS["unable-to-assess"]));
  return h("td", {}, badge(one.suspect ? ["✗", "not as promised", "bad"] : ["✓", "as promised", "good"]), h("span.small", {}, `ln E ${log(one.logE)}`));
}

const percent = (share) => `${Math.round(share * 100)} %`;
