//! Progress for people: one line a candidate, redrawn in place on a terminal, printed now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::view::{FlagStatus, Status};

/// How often lines are printed where they cannot be redrawn.
const EVERY: Duration = Duration::from_secs(5);

/// Where progress goes. Events (approvals, halts) stay; the live lines stand below them.
#[derive(Debug)]
pub struct Screen {
    redraw: bool,
    drawn: usize,
    printed: Option<Instant>,
    start: Instant,
}

impl Screen {
    /// A screen on standard error.
    pub fn new() -> Self {
        Self { redraw: std::io::stderr().is_terminal(), drawn: 0, printed: None, start: Instant::now() }
    }

    /// Something happened: a line that stays.
    pub fn event(&mut self, text: &str) {
        self.clear();
        let seconds = self.start.elapsed().as_secs();
        write(&format!("{seconds:>4} s  {text}\n"));
    }

    /// The live lines.
    pub fn show(&mut self, lines: &[String]) {
        if self.redraw {
            self.clear();
            // Without wrapping, so that a line stays a line in a narrow window.
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            write(&format!("\x1b[?7l{text}\x1b[?7h"));
            self.drawn = lines.len();
        } else if self.printed.is_none_or(|printed| printed.elapsed() >= EVERY) {
            self.printed = Some(Instant::now());
            for line in lines {
                self.event(line);
            }
        }
    }

    /// Takes the live lines away.
    pub fn clear(&mut self) {
        if self.drawn > 0 {
            write(&format!("\x1b[{}A\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

fn write(text: &str) {
    // A closed standard error must not end the demonstration.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// One line about a candidate: phase, stage, units, and how far the evidence is from its thresholds (harm: the nearest
/// guardrail's ln E; not worse: ln E of each guardrail that promotion asks for).
pub fn line(flag: &FlagStatus) -> String {
    let worst = flag
        .guardrails
        .iter()
        .max_by(|a, b| (a.log_e / a.log_threshold).total_cmp(&(b.log_e / b.log_threshold)));
    let harm = worst.map_or(String::new(), |guardrail| {
        format!("harm {:.1} of {:.1}", guardrail.log_e, guardrail.log_threshold)
    });
    let gate: Vec<String> = flag
        .guardrails
        .iter()
        .filter_map(|guardrail| {
            let shown = guardrail.log_e_non_inferior?;
            Some(format!("{:.1}", shown.min(99.9)))
        })
        .collect();
    let need = flag.guardrails.first().map_or(0.0, |guardrail| guardrail.log_threshold_promote);
    format!(
        "{:<13}{:<14}{:<18}{:<9}{:>6} treated  {harm:<15}  not worse {} of {need:.1}",
        flag.flag,
        flag.candidate,
        flag.phase,
        flag.stage_name(),
        flag.units.treatment,
        gate.join(" / "),
    )
}

/// The live lines of a status and of the traffic.
pub fn lines(status: &Status, traffic: String) -> Vec<String> {
    status.flags.iter().map(line).chain([traffic]).collect()
}
