// As much of Gherkin as OpenFeature's features use: backgrounds, outlines with examples, tags, tables.

/** `[{title, tags, steps: [{text, table}]}]`, outlines unfolded, backgrounds before each. */
export function scenarios(feature) {
  const background = [];
  const all = [];
  let [tags, featureTags] = [[], []];
  let current;
  let examples;
  for (const line of feature.split("\n").map((line) => line.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const heading = /^(Feature|Background|Scenario Outline|Scenario|Examples):\s*(.*)$/.exec(line);
    if (line.startsWith("@")) {
      tags.push(...line.split(/\s+/));
    } else if (heading) {
      const [, kind, title] = heading;
      examples = undefined;
      if (kind === "Feature") featureTags = tags;
      else if (kind === "Background") current = { steps: background };
      else if (kind === "Examples") current.examples.push((examples = { tags, rows: [] }));
      else all.push((current = { title, tags: [...featureTags, ...tags], steps: [], examples: [] }));
      tags = [];
    } else if (line.startsWith("|")) {
      const cells = line.slice(1, -1).split("|").map((cell) => cell.trim());
      if (examples) examples.rows.push(cells);
      else (current.steps.at(-1).table ??= []).push(cells);
    } else {
      const step = /^(?:Given|When|Then|And|But)\s+(.*)$/.exec(line);
      if (!step) throw new Error(`this is no step: ${line}`);
      current.steps.push({ text: step[1] });
    }
  }
  return all.flatMap(unfold).map((one) => ({ ...one, steps: [...background, ...one.steps] }));
}

function unfold({ title, tags, steps, examples }) {
  if (examples.length === 0) return [{ title, tags, steps }];
  return examples.flatMap(({ tags: own, rows: [names, ...rows] }) => rows.map((cells) => {
    const fill = (text) => names.reduce((filled, name, at) => filled.replaceAll(`<${name}>`, cells[at]), text);
    const filled = steps.map(({ text, table }) => ({ text: fill(text), table: table?.map((row) => row.map(fill)) }));
    return { title: `${title} (${cells.join(", ")})`, tags: [...tags, ...own], steps: filled };
  }));
}

/** Runs a scenario's steps in a world; `steps`: `[RegExp, (world, ...groups, table) => …]`. */
export async function run(scenario, steps, world) {
  for (const { text, table } of scenario.steps) {
    const found = steps.map(([pattern, action]) => [pattern.exec(text), action]).filter(([match]) => match);
    if (found.length !== 1) throw new Error(`${found.length} definitions for the step: ${text}`);
    const [[match, action]] = found;
    await action(world, ...match.slice(1).map(unescaped), table);
  }
}

const unescaped = (text) => text?.replaceAll('\\"', '"');
