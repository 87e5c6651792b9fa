// Every answer against expected-rule.bin before anything is timed.
import { murmur3 } from "./schedule.mjs";

/** The variant's position for every context and flag: the rule's, or where flagd's `fractional` puts the unit. */
export function expectations(definition, contexts, rules) {
  const keys = Object.keys(JSON.parse(definition).flags).sort();
  if (rules.length !== keys.length * contexts.length) throw new Error("expected-rule.bin is of another W");
  const ends = [10, 30, 60, 100]; // 10, 20, 30, 40 added up
  return contexts.map(({ targetingKey }, context) => keys.map((key, flag) => {
    const rule = rules[context * keys.length + flag];
    if (rule < 3) return rule;
    const place = Number((BigInt(murmur3(key + targetingKey, 0)) * 100n) >> 32n);
    return ends.findIndex((end) => place < end);
  }));
}

/** Asks an engine in each way it has; throws with flag and context at the first answer that is wrong. */
export function check(engine, contexts, expected) {
  let asked = 0;
  contexts.forEach((attributes, row) => {
    const context = engine.prepare(attributes);
    // flagd-core lists flags in the definition's order, which is that of the keys in W.
    const all = engine.all(context);
    engine.keys.forEach((key, flag) => {
      const answers = [engine.byKey(context, key)];
      if (engine.byIndex) answers.push(engine.byIndex(context, flag));
      if (all) answers.push(all[flag]);
      if (engine.oneShot) answers.push(engine.oneShot(attributes, key));
      for (const { variant, value } of answers) {
        if (variant !== `v${expected[row][flag]}` || value === undefined) {
          const asked = `\`${key}\` for ${JSON.stringify(attributes)}`;
          throw new Error(`${engine.name}: ${asked}: ${variant} instead of v${expected[row][flag]}`);
        }
      }
      asked += 1;
    });
    context.free?.();
  });
  return asked;
}

/** As `check`, for engines that split by a hash of their own: where a rule decides the value must be that rule's, elsewhere one of the
 * flag's. Answers how many, and for how many of them a rule decided. */
export function checkRules(engine, contexts, definition, rules) {
  const { flags } = JSON.parse(definition);
  const [asked, ruled] = [[], []];
  contexts.forEach((attributes, row) => {
    const context = engine.prepare(attributes);
    engine.keys.forEach((key, flag) => {
      const rule = rules[row * engine.keys.length + flag];
      const values = Object.values(flags[key].variants).map((value) => JSON.stringify(value));
      const right = rule < 3 ? [values[rule]] : values;
      const value = JSON.stringify(engine.value(engine.byKey(context, key)));
      if (!right.includes(value)) {
        throw new Error(`${engine.name}: \`${key}\` for ${JSON.stringify(attributes)}: ${value} instead of ${right.join(" or ")}`);
      }
      asked.push(key);
      if (rule < 3) ruled.push(key);
    });
  });
  return [asked.length, ruled.length];
}
