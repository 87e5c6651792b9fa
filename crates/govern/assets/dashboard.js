// The page: listens to the live stream, draws every status, gives orders.

import { h, morph } from "./dom.js";
import { card, phaseOf } from "./flag.js";
import { ledger, reporters } from "./ledger.js";
import { PHASES, clock, duration, number } from "./words.js";

const base = `/v1/environments/${encodeURIComponent(document.body.dataset.environment)}`;
const byId = (id) => document.getElementById(id);
let status = null;
let skew = 0; // the governor's clock less ours, milliseconds

const now = () => Date.now() + skew;

function draw() {
  if (!status) return;
  const at = now();
  const main = h("main", { id: "main" },
    status.waiting.map((one) => h("p.notice", {}, `Snapshot ${one.snapshot.epoch}.${one.snapshot.sequence} is not current yet: ${one.reason}.`)),
    status.otherHalts.length > 0 && h("p.notice", {}, `Halted by people, without a rollout plan: ${status.otherHalts.join(", ")}.`),
    status.flags.length > 1 && overview(status.flags),
    status.flags.map((flag) => card(flag, at)),
    status.flags.length === 0 && h("p.empty", {}, status.snapshot ? "The current snapshot has no rollout plan." : "No snapshot has been posted yet."),
    h("div.bottom", {}, ledger(status, at), reporters(status, at)));
  morph(byId("main"), main);
  lease();
}

/** All rollouts at a glance, those that want somebody's attention first. */
function overview(flags) {
  const order = ["halted", "stopped", "awaiting-approval", "held", "open", "complete", "closed"];
  const sorted = [...flags].sort((a, b) => order.indexOf(phaseOf(a)) - order.indexOf(phaseOf(b)));
  return h("nav.overview", { "data-key": "overview", "aria-label": "rollouts" }, sorted.map((flag) => {
    const [sign, name] = PHASES[phaseOf(flag)];
    const stage = flag.stages[flag.stage]?.name;
    return h("a", { href: `#flag-${flag.flag}`, "data-key": flag.flag },
      h("strong", {}, flag.flag),
      h("span.badge." + phaseOf(flag), {}, h("span", { "aria-hidden": "true" }, sign), " ", name),
      stage && h("span.small", {}, `stage ${stage}`));
  }));
}

/** How long hosts may go on with what they were last told. */
function lease() {
  const pulse = status?.pulse;
  const left = pulse ? pulse.expires - now() / 1000 : 0;
  const snapshot = status?.snapshot;
  const box = h("div.pulse" + (left > 0 ? ".alive" : ".dead"), { id: "pulse", role: "status" },
    h("span.beat", { "aria-hidden": "true" }),
    h("span", {}, pulse ? (left > 0 ? `lease ends in ${duration(left)}` : "lease has run out") : "no pulse yet"),
    pulse && h("span.small", {}, `pulse ${number(pulse.number)}`),
    snapshot && h("span.small", { title: snapshot.digest }, `snapshot ${snapshot.epoch}.${snapshot.sequence} · ${snapshot.digest.slice(0, 8)}`));
  morph(byId("pulse"), box);
}

function listen() {
  const stream = new EventSource(`${base}/events/live`);
  const offline = byId("offline");
  stream.addEventListener("status", (event) => {
    status = JSON.parse(event.data);
    skew = status.now - Date.now();
    offline.hidden = true;
    draw();
  });
  stream.addEventListener("error", () => {
    offline.hidden = false;
    offline.textContent = status
      ? `The governor does not answer. This is what it said at ${clock(status.now, now())}; hosts go on until the lease ends. Trying again …`
      : "The governor does not answer. Trying again …";
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
}

const ORDERS = {
  halt: (flag) => [`Halt ${flag}`, "Everyone goes back to the baseline with the next pulse, at once. Anybody may do this; it is written in the ledger.", "Halt now", "danger"],
  resume: (flag) => [`Resume ${flag}`, "The stage that was open is opened again and its bake time starts anew.", "Resume", "primary"],
  start: (flag) => [`Start ${flag}`, "The first stage is opened.", "Start", "primary"],
};

function ask(kind, flag) {
  const [title, text, go, style] = ORDERS[kind](flag);
  byId("order-title").textContent = title;
  byId("order-text").textContent = text;
  byId("order-go").textContent = go;
  byId("order-go").className = style;
  byId("order-by").value = localStorage.getItem("flagstone-by") ?? "";
  byId("order-reason").value = "";
  byId("order-fault").hidden = true;
  const dialog = byId("order");
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const fault = await give(kind, flag, byId("order-by").value, byId("order-reason").value, byId("order-token").value);
    byId("order-fault").hidden = !fault;
    byId("order-fault").textContent = fault ?? "";
    if (!fault) dialog.close();
  };
  dialog.showModal();
  byId(byId("order-by").value ? "order-reason" : "order-by").focus();
}

/** Gives an order; returns what is wrong, or nothing. */
async function give(kind, flag, by, reason, token) {
  localStorage.setItem("flagstone-by", by);
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(`${base}/flags/${encodeURIComponent(flag)}/${kind}`, { method: "POST", headers, body: JSON.stringify({ by, reason }) });
    if (answer.ok) return null;
    if (answer.status === 401) byId("order-token-row").hidden = false;
    return (await answer.json()).error.message;
  } catch {
    return "the governor does not answer";
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-ask]");
  if (button) ask(button.dataset.ask, button.dataset.flag);
});
byId("order-cancel").addEventListener("click", () => byId("order").close());
setInterval(lease, 1000);
listen();
