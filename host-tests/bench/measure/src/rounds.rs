//! Timing: all cases in rotation, a round of each, so that whatever else the machine does meets all alike.
//!
//! A *batch* is as many calls as take about 50 µs, at least one; its time divided by its calls is a sample. A
//! *round* of a case is as many batches as fit into about 15 ms, at least one. The p50 is the median of the
//! rounds' medians, the p99 the 99th percentile of all samples: batches smooth single calls, so it tells of
//! the machine's and the allocator's bad moments, not of the slowest single call.

use std::time::{Duration, Instant};

use crate::counting::count;
use crate::part::Row;
use crate::schedule::Schedule;

/// Calls longer than this take part in every third round only.
const SLOW: Duration = Duration::from_millis(5);
/// The longest warming up.
const WARM_UP: Duration = Duration::from_millis(500);
const BATCH: Duration = Duration::from_micros(50);

/// Something to time: `run(n)` makes n calls.
pub struct Case<'a> {
    engine: String,
    task: &'static str,
    run: Box<dyn FnMut(u64) + 'a>,
    calls: u64,
    slow: bool,
    samples: Vec<f64>,
    medians: Vec<f64>,
    ratios: Vec<f64>,
}

impl<'a> Case<'a> {
    /// A case whose closure makes as many calls as it is told.
    pub fn new(engine: &str, task: &'static str, run: impl FnMut(u64) + 'a) -> Self {
        Case {
            engine: engine.to_owned(),
            task,
            run: Box::new(run),
            calls: 1,
            slow: false,
            samples: Vec::new(),
            medians: Vec::new(),
            ratios: Vec::new(),
        }
    }

    /// Warms up and finds out how many calls make a batch.
    fn calibrate(&mut self) {
        loop {
            let start = Instant::now();
            (self.run)(self.calls);
            let took = start.elapsed();
            if took >= BATCH {
                self.slow = self.calls == 1 && took > SLOW;
                break;
            }
            self.calls *= 2;
        }
        // Engines that prepare things at first use have done so for every flag after a whole schedule.
        let begin = Instant::now();
        let mut done = 0;
        while !self.slow && done < Schedule::LENGTH && begin.elapsed() < WARM_UP {
            (self.run)(self.calls);
            done += self.calls as usize;
        }
    }

    /// One round; returns its median.
    fn round(&mut self, length: Duration) -> f64 {
        let begin = Instant::now();
        let first = self.samples.len();
        loop {
            let start = Instant::now();
            (self.run)(self.calls);
            self.samples.push(start.elapsed().as_nanos() as f64 / self.calls as f64);
            if begin.elapsed() >= length {
                return quantile(&self.samples[first..], 0.5);
            }
        }
    }

    fn row(mut self) -> Row {
        let calls = if self.slow { 1 } else { 400 };
        let ((), counted) = count(|| (self.run)(calls));
        Row {
            engine: self.engine,
            task: self.task,
            p50_ns: Some(quantile(&self.medians, 0.5)),
            p99_ns: Some(quantile(&self.samples, 0.99)),
            x_ref: Some(quantile(&self.ratios, 0.5)),
            allocations: Some(counted.calls as f64 / calls as f64),
            bytes: None,
        }
    }
}

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many rounds.
    pub rounds: usize,
    /// How long one is.
    pub length: Duration,
}

impl Pace {
    /// The usual pace, or one to see that everything works.
    #[must_use]
    pub fn new(quick: bool) -> Self {
        let rounds = if quick { 5 } else { 21 };
        Pace { rounds, length: Duration::from_millis(15) }
    }
}

/// Times all cases; the first is the reference loop.
pub fn run(mut cases: Vec<Case<'_>>, pace: Pace) -> Vec<Row> {
    for case in &mut cases {
        eprintln!("bench: warming up {}, {}", case.engine, case.task);
        case.calibrate();
    }
    eprintln!("bench: {} rounds of {} cases", pace.rounds, cases.len());
    for round in 0..pace.rounds {
        let mut reference = None;
        for case in &mut cases {
            if case.slow && round % 3 != 0 {
                continue;
            }
            let median = case.round(pace.length);
            case.medians.push(median);
            case.ratios.push(median / *reference.get_or_insert(median));
        }
    }
    cases.into_iter().map(Case::row).collect()
}

/// The value below which a share of the samples lies; 0 for none.
fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_compared_with_the_reference_of_its_own_round() {
        let spin = |micros| move |calls| std::thread::sleep(Duration::from_micros(micros) * calls as u32);
        let cases = vec![Case::new("reference", "ref", spin(100)), Case::new("ours", "task", spin(400))];
        let rows = run(cases, Pace { rounds: 3, length: Duration::from_millis(2) });
        let ratio = rows[1].x_ref.unwrap_or_default();
        assert!((1.5..6.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn quantiles_are_samples() {
        let samples = [4.0, 1.0, 3.0, 2.0, 5.0];
        assert_eq!((quantile(&samples, 0.5), quantile(&samples, 0.99), quantile(&[], 0.5)), (3.0, 5.0, 0.0));
    }
}
