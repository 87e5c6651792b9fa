//! The table, the ratios and the budget of a bench.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One row of a part; see `host-tests/bench/measure/src/part.rs`.
#[derive(Deserialize, Serialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    engine: String,
    task: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ns: Option<f64>,
    /// Of the quickest batch; Node's rows have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    least_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x_ref: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocations: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// What a part found.
#[derive(Deserialize, Serialize)]
pub(super) struct Part {
    rows: Vec<Row>,
    checked: Vec<(String, u64)>,
    missing: Vec<(String, String)>,
}

/// Where it was measured.
#[derive(Serialize)]
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    /// One, five and fifteen minutes.
    load: String,
}

/// Everything that one bench found.
pub(super) struct Report {
    pub(super) parts: Vec<(&'static str, Part)>,
    pub(super) before: Machine,
    pub(super) after: Machine,
    pub(super) quick: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budgets {
    limit: Vec<Limit>,
    ratio: Vec<Ratio>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    engine: String,
    task: String,
    allocations: Option<f64>,
    x_ref: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratio {
    engine: String,
    task: String,
    to: String,
    most: f64,
}

impl Machine {
    /// As it is now; what Linux does not tell is empty.
    pub(super) fn now() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let about = read("/proc/cpuinfo");
        let model = about.lines().find(|line| line.starts_with("model name"));
        let cpu = model.and_then(|line| line.split_once(':')).map_or("unknown", |(_, name)| name.trim());
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
        Self { cpu: cpu.to_owned(), cores, load }
    }
}

impl Report {
    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.parts.iter().flat_map(|(_, part)| &part.rows)
    }

    /// The table for people, a block for each part and task.
    pub(super) fn print(&self) {
        let Machine { cpu, cores, load } = &self.before;
        println!("{cpu}, {cores} cores; load {load} before, {} after", self.after.load);
        if self.quick {
            println!("a quick run: few rounds, not to be quoted");
        }
        for (name, part) in &self.parts {
            for (engine, answers) in &part.checked {
                println!("{name}: {answers} answers of {engine} checked");
            }
            let mut seen = BTreeSet::new();
            for task in part.rows.iter().map(|row| &row.task).filter(|task| seen.insert(*task)) {
                println!(
                    "\n{:<46}{:>11}{:>11}{:>10}{:>8}{:>9}",
                    format!("{name}: {task}"),
                    "p50",
                    "p99",
                    "x ref",
                    "allocs",
                    "x ours"
                );
                for row in part.rows.iter().filter(|row| row.task == *task) {
                    println!("{}", row.line(part.ours(task)));
                }
            }
            for (engine, why) in &part.missing {
                println!("{name}: {engine} has no numbers: {why}");
            }
        }
        println!("\none decision at 5,000 flags against 100, as a ratio");
        for row in self.rows() {
            let small = row.task.strip_suffix("-of-5000");
            if let Some(ratio) = small.and_then(|small| self.ratio(&row.engine, &row.task, small)) {
                let how = if row.task.contains("by-key") { "by key" } else { "by index" };
                println!("{:<46}{ratio:>11.2} {how}", row.engine);
            }
        }
    }

    /// How a task compares with another of the same engine.
    fn ratio(&self, engine: &str, task: &str, to: &str) -> Option<f64> {
        let of = |task: &str| self.rows().find(|row| row.engine == engine && row.task == task)?.x_ref;
        Some(of(task)? / of(to)?)
    }

    /// What exceeds the budget, or is named there and was not measured although every part ran.
    pub(super) fn over(&self, budgets: &str, complete: bool) -> Result<Vec<String>> {
        let budgets: Budgets = toml::from_str(budgets).context("in `host-tests/bench/budgets.toml`")?;
        let mut over = Vec::new();
        for Limit { engine, task, allocations, x_ref } in &budgets.limit {
            let Some(row) = self.rows().find(|row| row.engine == *engine && row.task == *task) else {
                if complete {
                    over.push(format!("{engine}, {task} was not measured"));
                }
                continue;
            };
            let limits = [("allocations", *allocations, row.allocations), ("x ref", *x_ref, row.x_ref)];
            for (what, limit, found) in limits {
                // A limit on what a row does not have cannot hold.
                if limit.is_some_and(|limit| found.is_none_or(|found| found > limit)) {
                    let (found, limit) = (found.unwrap_or(f64::NAN), limit.unwrap_or_default());
                    over.push(format!("{engine}, {task}: {found:.2} {what}, at most {limit}"));
                }
            }
        }
        for Ratio { engine, task, to, most } in &budgets.ratio {
            match self.ratio(engine, task, to) {
                Some(ratio) if ratio <= *most => {}
                Some(ratio) => over.push(format!("{engine}: {task} is {ratio:.2} x {to}, at most {most}")),
                None if complete => over.push(format!("{engine}, {task} or {to} was not measured")),
                None => {}
            }
        }
        Ok(over)
    }

    /// The machine's form, documented in `docs/benchmarks.md`.
    pub(super) fn json(&self, over: &[String]) -> serde_json::Value {
        let parts: serde_json::Map<_, _> =
            self.parts.iter().map(|(name, part)| ((*name).to_owned(), serde_json::json!(part))).collect();
        serde_json::json!({ "machine": self.before, "loadAfter": self.after.load, "quick": self.quick,
            "parts": parts, "overBudget": over, "ok": over.is_empty() })
    }
}

impl Part {
    /// Flagstone's own row of a task, which the others are compared with: the first of the part.
    fn ours(&self, task: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.task == task && row.engine.starts_with("flagstone"))
    }
}

impl Row {
    fn line(&self, ours: Option<&Row>) -> String {
        let or_blank = |text: Option<String>| text.unwrap_or_default();
        if let Some(bytes) = self.bytes {
            let times = ours.and_then(|ours| Some(bytes as f64 / ours.bytes? as f64));
            let size = if bytes < 1 << 20 {
                format!("{:.1} KiB", bytes as f64 / 1024.0)
            } else {
                format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
            };
            return format!(
                "{:<46}{size:>11}{:>38}",
                self.engine,
                or_blank(times.map(|x| format!("{x:.1}")))
            );
        }
        let times = ours.and_then(|ours| Some(self.x_ref.or(self.p50_ns)? / ours.x_ref.or(ours.p50_ns)?));
        format!(
            "{:<46}{:>11}{:>11}{:>10}{:>8}{:>9}",
            self.engine,
            or_blank(self.p50_ns.map(time)),
            or_blank(self.p99_ns.map(time)),
            or_blank(self.x_ref.map(|x| if x < 1000.0 { format!("{x:.1}") } else { format!("{x:.0}") })),
            or_blank(self.allocations.map(|count| format!("{}", (count * 10.0).round() / 10.0))),
            or_blank(times.map(|x| format!("{x:.2}"))),
        )
    }
}

/// Nanoseconds in the unit that people would use.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        short if short < 1e3 => format!("{short:.1} ns"),
        short if short < 1e6 => format!("{:.2} µs", short / 1e3),
        long => format!("{:.2} ms", long / 1e6),
    }
}

#[cfg(test)]
mod tests;
