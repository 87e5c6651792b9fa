// Cases to begin with.

const at = (text) => Date.parse(text) / 1000;

export const EXAMPLES = [
  {
    name: "A rule, and a typo to mend",
    flag: "greeting",
    now: at("2026-12-01T09:00:00Z"),
    context: `{
  "targetingKey": "ana",
  "locale": "de-AT",
  "plan": "team"
}`,
    definition: `# Line 12 names a variant that there is not: change lnog to long.
flags:
  greeting:
    state: ENABLED
    variants:
      short: Hi
      long: Good morning
    defaultVariant: short
    targeting:
      if:
        - { starts_with: [{ var: locale }, de] }
        - lnog
        - { "==": [{ var: plan }, team] }
        - long

  dark-mode:
    state: ENABLED
    variants: { "on": true, "off": false }
    defaultVariant: "off"
    targeting:
      fractional: [["on", 25], ["off", 75]]
`,
  },
  {
    name: "A rollout with stages, consent and a ceiling",
    flag: "answers",
    now: at("2026-12-02T12:00:00Z"),
    context: `{
  "targetingKey": "user-3",
  "email": "ana@other.example",
  "consent": ["evaluation"],
  "dataDomain": "public-docs"
}`,
    stages: [{ flag: "answers", stage: 1, since: 0 }],
    definition: `metadata: { flagSetId: assistant, environment: production }

dataDomains: [public-docs, customer-records]

metrics:
  unsupported: { event: answer, bad: { unsupported: true }, window: 24h }

flags:
  answers:
    state: ENABLED
    owner: answers@acme.example
    rationale: Two more retrieved passages tested better.
    expectedImpact: Fewer answers without support.
    worstCase: Confident wrong advice to paying customers.
    rollbackPlan: Halt; every surface serves today's variant.
    review: 2027-02-01
    onExpiry: safe
    sticky: true
    variants:
      today: { prompt: answer@12, temperature: 0.2, passages: 4 }
      deeper: { prompt: answer@15, temperature: 0.1, passages: 6 }
    defaultVariant: today
    rollout:
      baseline: today
      candidate: deeper
      consent: evaluation
      dataDomains: [public-docs]
      ceiling: half
      guardrails:
        - { metric: unsupported, role: deterioration }
      stages:
        - { name: staff, who: { ends_with: [{ var: email }, "@acme.example"] } }
        - { name: half, treat: 50%, control: 50% }
        - { name: everyone, treat: 99%, control: 1% }
`,
  },
  {
    name: "Flags that depend on each other, as JSON",
    flag: "checkout",
    now: at("2026-12-24T18:00:00Z"),
    context: `{
  "targetingKey": "basket-17",
  "country": "FR",
  "version": "2.10.0"
}`,
    definition: `{
  "$evaluators": {
    "recent": { "sem_ver": [{ "var": "version" }, ">=", "2.4.0"] }
  },
  "segments": {
    "testers": { "include": ["basket-1", "basket-2"], "when": { "in": [{ "var": "country" }, ["FR", "DE"]] } }
  },
  "flags": {
    "catalogue": {
      "state": "ENABLED",
      "variants": { "new": true, "old": false },
      "defaultVariant": "old",
      "targeting": { "if": [{ "$ref": "recent" }, "new"] }
    },
    "checkout": {
      "state": "ENABLED",
      "prerequisites": { "catalogue": "new" },
      "baseline": "three-steps",
      "variants": { "one-page": "one-page", "three-steps": "three-steps" },
      "defaultVariant": "three-steps",
      "overrides": { "three-steps": ["basket-99"] },
      "targeting": {
        "if": [
          { "and": [{ "segment": "testers" }, { "after": [{ "now": [] }, "2026-12-24T00:00:00Z"] }] },
          "one-page"
        ]
      }
    }
  }
}
`,
  },
];

/** An example as a case. */
export function stateOf({ definition, context, flag, now, stages = [] }) {
  return {
    definition, context, flag, now, strict: false, browser: false, fresh: true,
    stages: stages.map((one) => ({ ...one })), halts: [],
  };
}
