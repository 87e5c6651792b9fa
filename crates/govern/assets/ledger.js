// The ledger's end and the reporters.

import { table } from "./charts.js";
import { h } from "./dom.js";
import { clock, duration, number, rich } from "./words.js";

export function ledger(status, now) {
  const rows = status.ledger.tail.map(({ entry, record, hash, words }) =>
    h("li", { "data-key": `e${entry}` },
      h("span.entry", {}, `#${entry}`),
      h("time", {}, clock(record.at, now)),
      h("span.kind." + record.kind, {}, record.kind.replace("-", " ")),
      h("span.text", {}, record.flag && h("strong", {}, record.flag, " "), rich(words?.reason ?? tells(record, status)), record.actor !== "governor" && h("span.small", {}, ` by ${words?.actor ?? record.actor}`)),
      h("code", { title: hash }, hash.slice(0, 8))));
  return h("section.ledger", { "data-key": "ledger" },
    h("h2", {}, "Ledger ", h("span.tally", {}, `${number(status.ledger.entries)} entries, none can be changed unnoticed`)),
    h("ol", {}, rows));
}

/** What an entry says, in a line. */
function tells({ kind, flag, data }, status) {
  const name = (key, stage) => `\`${status.flags.find((one) => one.flag === key)?.stages[stage]?.name ?? stage}\``;
  const where = (s) => s.phase + (s.stage === null ? "" : ` at ${name(flag, s.stage)}`);
  switch (kind) {
    case "decision": return `${where(data.from)} → ${where(data.to)}: ${data.reasons[0] ?? data.rule}`;
    case "pulse": return [...data.stages.map((s) => `${s.flag} at ${name(s.flag, s.stage)}`), ...data.halts.map((f) => `${f} halted`)].join(", ") || "nothing is open";
    case "snapshot-posted": return `snapshot ${data.snapshot.epoch}.${data.snapshot.sequence} verified`;
    case "snapshot-adopted": return `snapshot ${data.snapshot.epoch}.${data.snapshot.sequence} is current`;
    case "snapshot-refused": return `refused: ${data.code}`;
    case "trust": return `trust root ${data.version}, epoch ${data.epoch}, is in force`;
    case "attempt-begun": return `attempt ${data.attempt}: ${data.candidate} instead of ${data.baseline}`;
    case "definition-posted": return `for snapshot ${data.snapshot.slice(0, 8)}`;
    case "ceiling-raised": return `approved up to ${name(flag, data.to)}`;
    case "trust": return `trust statement ${data.version}`;
    case "log-key": return `the log is signed by ${data.key.split("+")[0]}`;
    case "outage": return `no live pulse for ${duration(data.seconds)}; bake times moved on`;
    default: return data.reason ?? "";
  }
}

export function reporters(status, now) {
  const d = status.delivery;
  const lost = (dropped) => Object.entries(dropped).map(([why, count]) => `${number(count)} ${why}`).join(", ") || "none";
  return h("section.reporters", { "data-key": "reporters" },
    h("h2", {}, "Reporters ", h("span.tally", {}, `${number(d.exposures)} exposures, ${number(d.outcomes)} outcomes, ${number(d.duplicateEvents)} duplicates removed, ${number(d.refusedBatches)} batches refused`)),
    status.instances.length
      ? table(["instance", "heard", "received", "missing", "declared lost"], status.instances.map((one) => [
          one.instance, `${duration((now - one.seen) / 1000)} ago`, number(one.received), number(one.missing), lost(one.dropped)]))
      : h("p.empty", {}, "No reporter has sent anything yet."),
    d.strayExposures > 0 && h("p.small.bad", {}, `✗ ${number(d.strayExposures)} exposures name a snapshot that is not here.`));
}
