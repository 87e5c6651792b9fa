//! `e_detector`: the detectors' path on a fixed stream, and how long they run without a change.

use flagstone_judge::e_detector::{DRIFT_GRID, EDetector, Kind};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, as_number, count, equal, maybe, near, number, numbers, rows, within};

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        suite.row(&format!("{} from {}", row["kind"], row["p0"]), path(file, row));
    }
    if file["measured_ARL_null"].is_object() {
        suite.row("run length without a change", run_length(file));
    }
}

fn detector(file: &Value, row: &Value) -> Result<EDetector, String> {
    let kind = match row["kind"].as_str() {
        Some("cusum") => Kind::Cusum,
        Some("sr") | None => Kind::ShiryaevRoberts,
        Some(other) => return Err(format!("no detector {other}")),
    };
    let grid = if file["grid_r"].is_array() { numbers(file, "grid_r")? } else { DRIFT_GRID.to_vec() };
    EDetector::new(kind, number(row, "p0")?, &grid).ok_or_else(|| "no detector for this baseline".into())
}

/// The rates before and after the change, from the words that describe the stream: `… < (0.02 for i<=1500 else 0.06)`.
fn rates(file: &Value) -> Result<(f64, f64), String> {
    let text = file["stream"].as_str().unwrap_or_default();
    let after = |mark: &str| {
        let (_, rest) = text.split_once(mark)?;
        rest.split([' ', ')']).next()?.parse::<f64>().ok()
    };
    after("< (").zip(after("else ")).ok_or_else(|| format!("`{text}` is not understood"))
}

fn path(file: &Value, row: &Value) -> Result<(), String> {
    let mut detector = detector(file, row)?;
    let (before, after) = rates(file)?;
    let (n, change) = (count(row, "n")?, count(row, "change_after")?);
    let wanted = row["M_at"].as_object().ok_or("`M_at` is no object")?;
    let (mut first, mut sums, mut checked) = (None, [0u64; 2], 0);
    for i in 1..=n {
        let rate = if i <= change { before } else { after };
        let bad = ((7_919 * i) % 1_009) as f64 / 1_009.0 < rate;
        detector.observe(bad);
        let [early, late] = &mut sums;
        *(if i <= change { early } else { late }) += u64::from(bad);
        let evidence = detector.evidence();
        if first.is_none() && evidence >= 1_000.0 {
            first = Some(i);
        }
        if let Some(want) = wanted.get(&i.to_string()).and_then(as_number) {
            near(&format!("M at {i}"), evidence, want, EXACT)?;
            checked += 1;
        }
    }
    equal("bad units before and after the change", &sums.to_vec(), &super::reference::counts(row, "sum_x")?)?;
    equal("values of M", &checked, &wanted.len())?;
    equal("the first M of 1000", &first, &maybe(row, "first_t_M_ge_1000").map(|t| t as u64))
}

/// Monte Carlo on both sides: within three standard errors of the two together. Without a change a run is roughly as long
/// as its standard deviation.
fn run_length(file: &Value) -> Result<(), String> {
    let row = &file["measured_ARL_null"];
    let (rate, threshold) = (number(row, "p0")?, number(row, "threshold")?);
    let (runs, cap) = (count(row, "reps")?, count(row, "cap")?);
    let mut random = 0x5eed_u64;
    let mut unit = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut total = 0u64;
    for _ in 0..runs {
        let mut detector = detector(file, row)?;
        total += (1..=cap)
            .find(|_| {
                detector.observe(unit() < rate);
                detector.evidence() >= threshold
            })
            .unwrap_or(cap);
    }
    let (seen, want) = (total as f64 / runs as f64, number(row, "mean_run_length_capped")?);
    if seen < threshold {
        return Err(format!("runs of {seen} on average, less than the promised {threshold}"));
    }
    within("the mean run length", seen, want, 3.0 * seen.max(want) * (2.0 / runs as f64).sqrt())
}
