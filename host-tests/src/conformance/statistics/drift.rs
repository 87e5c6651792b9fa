//! `drift`: detectors on streams, the tabular CUSUM, the stability index, and two samples compared.

use flagstone_judge::adaptive_window::AdaptiveWindow;
use flagstone_judge::charts::{Cusum, Direction, PageHinkley};
use flagstone_judge::kolmogorov_smirnov::{Distance, WindowedTest};
use flagstone_judge::stability::{Smoothing, critical, stability};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, all_near, as_number, count, counts, equal, maybe, near, number, rows, within};
use super::stream::{Normal, Twister};

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = format!("stream {} from {} to {}", row["seed"], row["mu0"], row["mu1"]);
        let stream = match stream(row) {
            Ok(stream) => stream,
            Err(error) => {
                suite.row(&name, Err(error));
                continue;
            }
        };
        for (key, want) in row.as_object().into_iter().flatten().filter(|(_, value)| value.is_array()) {
            suite.row(&format!("{name}, {key}"), detections(key, want, &stream));
        }
    }
    let table = &file["cusum_montgomery_table_9_1"];
    if table.is_object() {
        suite.row("tabular CUSUM", cusum(table));
    }
    for row in rows(file, "psi") {
        let name = format!("PSI of {} and {}, {}", row["expected"], row["actual"], row["smoothing"]);
        suite.row(&name, index(row));
    }
    for row in rows(file, "ks") {
        let name = format!("two samples, {} and {}, shift {}", row["n"], row["m"], row["shift"]);
        suite.row(&name, two_samples(row));
    }
}

fn stream(row: &Value) -> Result<Vec<f64>, String> {
    let (n, change) = (count(row, "n")?, count(row, "change_at")?);
    let (before, after) = (number(row, "mu0")?, number(row, "mu1")?);
    let mut normal = Normal::new(count(row, "seed")?);
    Ok((0..n).map(|i| normal.around(if i < change { before } else { after })).collect())
}

/// Where the detector that `key` names fires, as a list of positions.
fn detections(key: &str, want: &Value, stream: &[f64]) -> Result<(), String> {
    let (name, settings) =
        key.split_once('(').map_or((key, ""), |(name, rest)| (name, rest.trim_end_matches(')')));
    let setting = |name: &str, usual: f64| {
        let given = settings.split(',').filter_map(|part| part.split_once('='));
        given.filter(|(known, _)| *known == name).find_map(|(_, value)| value.parse().ok()).unwrap_or(usual)
    };
    // Settings that are part of a name: `page_hinkley_thr20_delta0.1`.
    let part = |mark: &str| {
        name.split('_').find_map(|part| part.strip_prefix(mark)).and_then(|value| value.parse::<f64>().ok())
    };
    let fired: Vec<u64> = if key == "first5" {
        let first: Vec<f64> = stream.iter().take(5).copied().collect();
        let want: Vec<f64> = want.as_array().into_iter().flatten().filter_map(as_number).collect();
        return all_near("value", &first, &want, EXACT);
    } else if name.starts_with("page_hinkley") {
        let direction = match name.split('_').next_back() {
            Some("up") => Direction::Up,
            Some("down") => Direction::Down,
            _ => Direction::Both,
        };
        let threshold = setting("threshold", part("thr").unwrap_or(50.0));
        let tolerance = setting("delta", part("delta").unwrap_or(0.005));
        let least = setting("min_instances", 30.0) as u64;
        let mut test = PageHinkley::new(direction, least, tolerance, threshold, setting("alpha", 0.9999));
        positions(stream, |value| test.observe(value))
    } else if name == "adwin" {
        let fresh = AdaptiveWindow::new(setting("delta", 0.002));
        let mut window = fresh.clone();
        positions(stream, |value| {
            let cut = window.observe(value);
            // The reference forgets everything after a cut, not only what was cut off.
            if cut {
                window = fresh.clone();
            }
            cut
        })
    } else if name == "kswin" {
        let (size, newest) = (setting("window", 100.0) as usize, setting("stat", 30.0) as usize);
        let mut test = WindowedTest::new(setting("alpha", 0.005), size, newest).ok_or("no such window")?;
        let seed = setting("seed", 42.0) as u32;
        let mut random = Twister::new(seed);
        positions(stream, |value| {
            // The reference starts its random numbers anew with its window.
            if test.fired() {
                random = Twister::new(seed);
            }
            test.observe(value, |older, count| random.sample(older, count))
        })
    } else {
        return Err(format!("no detector {name}"));
    };
    let want: Vec<u64> = want.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    equal("it fires at", &fired, &want)
}

fn positions(stream: &[f64], mut fires: impl FnMut(f64) -> bool) -> Vec<u64> {
    (0..).zip(stream).filter(|(_, value)| fires(**value)).map(|(at, _)| at).collect()
}

fn cusum(table: &Value) -> Result<(), String> {
    let params = &table["params"];
    let setting = |key| number(params, key);
    let mut chart = Cusum::new(setting("mu0")?, setting("sigma")?, setting("K")?, setting("H")?);
    for row in rows(table, "rows") {
        let cells: Vec<f64> = row.as_array().into_iter().flatten().filter_map(as_number).collect();
        let [i, x, up, up_count, down, down_count] = cells.as_slice() else {
            return Err(format!("{row} is no row of the table"));
        };
        chart.observe(*x);
        // The table has two decimals.
        within(&format!("C+ at {i}"), chart.up.0, *up, 0.005_001)?;
        within(&format!("C- at {i}"), chart.down.0, *down, 0.005_001)?;
        equal(&format!("N at {i}"), &[chart.up.1 as f64, chart.down.1 as f64], &[*up_count, *down_count])?;
        equal(&format!("fires at {i}"), &chart.fires(), &(up.max(*down) > chart.interval))?;
    }
    Ok(())
}

fn index(row: &Value) -> Result<(), String> {
    let words = row["smoothing"].as_str().unwrap_or_default();
    let smoothing = if words.starts_with("add 0.5") {
        Smoothing::AddHalf
    } else if words.starts_with("floor") {
        let least = words.split(' ').find_map(|word| word.parse().ok());
        Smoothing::Floor(least.ok_or("the floor is no number")?)
    } else if words == "none" {
        Smoothing::None
    } else {
        return Err(format!("no smoothing `{words}`"));
    };
    let (expected, actual) = (counts(row, "expected")?, counts(row, "actual")?);
    let found = stability(&expected, &actual, smoothing).ok_or("no index")?;
    near("psi", found.psi, number(row, "psi")?, EXACT)?;
    if let Some(want) = maybe(row, "chi2_p") {
        near("chi2_p", found.p, want, EXACT)?;
    }
    let Some(want) = maybe(row, "chi2_crit_95") else { return Ok(()) };
    near("chi2_crit_95", critical(&expected, &actual, 0.05).ok_or("no critical value")?, want, EXACT)
}

fn two_samples(row: &Value) -> Result<(), String> {
    let sample = |seed: &str, size: &str, mean: f64| {
        let mut normal = Normal::new(count(row, seed)?);
        Ok::<Vec<f64>, String>((0..count(row, size)?).map(|_| normal.around(mean)).collect())
    };
    let first = sample("seed_x", "n", 0.0)?;
    let second = sample("seed_y", "m", number(row, "shift")?)?;
    let found = Distance::between(&first, &second).ok_or("no distance")?;
    near("D", found.value(), number(row, "D")?, EXACT)?;
    if let Some(want) = maybe(row, "p_exact") {
        near("p_exact", found.exact_p().unwrap_or(f64::NAN), want, EXACT)?;
    }
    maybe(row, "p_asymp").map_or(Ok(()), |want| near("p_asymp", found.effective_p(), want, EXACT))
}
