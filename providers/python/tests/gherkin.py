"""As much of Gherkin as OpenFeature's files use: features, backgrounds, scenarios, outlines with examples, tables."""

import re


class Step:
    def __init__(self, text):
        self.text, self.table = text, []

    def filled(self, values):
        step = Step(fill(self.text, values))
        step.table = [[fill(cell, values) for cell in row] for row in self.table]
        return step


class Scenario:
    def __init__(self, feature, name, steps, tags):
        self.feature, self.name, self.steps, self.tags = feature, name, steps, tags


def fill(text, values):
    return re.sub(r"<([^<>]+)>", lambda found: values.get(found[1], found[0]), text)


def scenarios(path):
    """Every scenario of a file, an outline as one for each row of its examples."""
    feature, background, found, steps, outline, examples = "", [], [], None, None, None
    tags, pending = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        word, _, rest = line.partition(":")
        if not line or line.startswith("#"):
            continue
        if line.startswith("@"):
            pending += line.split()
        elif word == "Feature":
            feature, pending = rest.strip(), []
        elif word == "Background":
            steps, outline, examples = background, None, None
        elif word in ("Scenario", "Scenario Outline"):
            steps, examples, tags, pending = [], None, pending, []
            outline = rest.strip() if word == "Scenario Outline" else None
            if outline is None:
                found.append((rest.strip(), steps, {}, tags))
            name = rest.strip()
        elif word == "Examples":
            examples, more, pending = [], pending, []
        elif line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if examples is None:
                steps[-1].table.append(cells)
            elif not examples:
                examples.append(cells)
            else:
                found.append((f"{name}: {' '.join(cells)}", steps, dict(zip(examples[0], cells)), tags + more))
        elif re.match(r"(Given|When|Then|And|But) ", line):
            steps.append(Step(line.split(" ", 1)[1]))
        else:
            raise ValueError(f"{path.name}, line {number}: `{line}` is not understood")
    for name, own, values, own_tags in found:
        yield Scenario(feature, name, [step.filled(values) for step in background + own], own_tags)


class Steps:
    """Step definitions: `@steps('a "{key}" of <kind>')` with `{…}` for what is in quotes."""

    def __init__(self):
        self._known = []

    def __call__(self, pattern):
        def add(function):
            self._known.append((re.compile(pattern), function))
            return function

        return add

    def run(self, world, step):
        matches = [(match, function) for known, function in self._known if (match := known.fullmatch(step.text))]
        if len(matches) != 1:
            raise LookupError(f"{len(matches)} definitions for the step `{step.text}`")
        match, function = matches[0]
        arguments = [None if group is None else group.replace('\\"', '"') for group in match.groups()]
        function(world, *arguments, **({"table": step.table} if step.table else {}))
