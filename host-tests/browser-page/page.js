// The page: fetches a sealed file, its trust root and a pulse, decides two flags, and shows a forgery refused.
import { Flagstone, load } from "/browser/flagstone-tools.js";

const at = (id) => document.getElementById(id);
const fetched = async (name) => {
  const answer = await fetch(`/fixtures/page/${name}`);
  if (!answer.ok) throw new Error(`${name}: HTTP ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
};

const [file, forged, trustBytes, pulse, halt, policyBytes] = await Promise.all(
  ["flags.sealed", "forged.sealed", "trust.txt", "pulse.txt", "halt.txt", "policy.json"].map(fetched),
);
const text = new TextDecoder();
const trust = text.decode(trustBytes);
// The fixtures are sealed for a fixed time; a real page leaves `now` out.
const policy = JSON.parse(text.decode(policyBytes));
const now = policy.now;

await load();
let flagstone = opened();

function opened() {
  const engine = new Flagstone(trust, file, policy);
  engine.pulse(at("halt").checked ? halt : pulse, now);
  const { mark, signers, flags } = engine.info;
  at("opened").textContent = `Snapshot ${mark.epoch}.${mark.sequence} (${mark.digest.slice(0, 12)}…), ${flags} flags, `
    + `signed by ${signers.join(", ")}, verified in this page.`;
  return engine;
}

function show() {
  const attributes = { targetingKey: at("key").value, locale: at("locale").value };
  if (at("email").value) attributes.email = at("email").value;
  if (at("consent").checked) attributes.consent = ["trial"];
  const context = flagstone.context(attributes);
  at("flags").replaceChildren(...flagstone.flags.map(({ key }) => {
    const { value, variant, reason, detail, arm } = flagstone.decide(context, key, now);
    const row = document.createElement("tr");
    row.dataset.flag = key;
    row.role = "row";
    const why = [reason, detail, arm].filter(Boolean).join(" · ");
    row.append(...Object.entries({ flag: key, value: JSON.stringify(value), variant, reason: why }).map(([name, cell]) => {
      const data = document.createElement("td");
      data.role = "cell";
      data.dataset.name = name;
      // Long words may break where people would break them.
      data.append(...(cell ?? "the caller's own").split(/(?<=[_,])/).flatMap((part) => [part, document.createElement("wbr")]));
      return data;
    }));
    return row;
  }));
  context.free();
  at("why").textContent = JSON.stringify(flagstone.explain(attributes, "answer-behaviour", now), null, 2);
}

for (const id of ["key", "email", "locale", "consent"]) at(id).addEventListener("input", show);
at("halt").addEventListener("input", () => {
  // A pulse never goes back to a lower number, so lifting the halt is a new engine here.
  flagstone.free();
  flagstone = opened();
  show();
});
show();

try {
  new Flagstone(trust, forged, policy);
  at("forged").textContent = "accepted!";
  at("forged").className = "bad";
} catch (error) {
  at("forged").textContent = `refused: ${error.code} (${error.message})`;
  at("forged").className = "good";
}
document.body.dataset.ready = "yes";
