//! What a bench program reports: rows, and what could not be measured with the reason.

use serde::Serialize;

/// One figure or one timing. Tasks and engines are names of `docs/benchmarks.md`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Who.
    pub engine: String,
    /// What.
    pub task: &'static str,
    /// Median of the rounds' medians, nanoseconds a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ns: Option<f64>,
    /// 99th percentile of all batches, nanoseconds a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ns: Option<f64>,
    /// Median over the rounds of (this / reference loop), both of the same round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_ref: Option<f64>,
    /// Allocations a call, once warm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations: Option<f64>,
    /// Bytes, for tasks about memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Row {
    /// A figure in bytes.
    #[must_use]
    pub fn bytes(engine: &str, task: &'static str, bytes: u64) -> Row {
        let engine = engine.to_owned();
        Row { engine, task, p50_ns: None, p99_ns: None, x_ref: None, allocations: None, bytes: Some(bytes) }
    }
}

/// What one program found.
#[derive(Debug, Default, Serialize)]
pub struct Part {
    /// The rows, in the order of the table.
    pub rows: Vec<Row>,
    /// How many answers were checked before anything was timed, by engine.
    pub checked: Vec<(String, u64)>,
    /// What has no number, and why.
    pub missing: Vec<(String, String)>,
}

impl Part {
    /// Prints the line that `cargo xtask bench` reads.
    ///
    /// # Errors
    /// Never for numbers that are finite.
    pub fn print(&self) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}
