//! Reference values for the statistics of `flagstone-judge`, computed by implementations that are not ours: one suite a
//! file. Which package each file comes from and how exact its values are is said in the README beside them.
//!
//! The judge's own tests take this module in as well, so that its numbers are checked without building the rest.

mod boundaries;
mod drift;
mod e_detector;
mod fairness;
mod means;
mod multiplicity;
mod power;
mod prediction_powered;
mod quantiles;
mod rate_ratio;
mod reference;
mod sample_ratio;
mod scores;
mod simulation;
mod special;
mod stream;

use std::path::Path;

use serde_json::Value;

use super::suite::Suite;

/// How the suites of this folder are called: this, then the file's name without `.json`.
pub const PREFIX: &str = "stat-vectors/";

/// Runs the suite of every `.json` file in `folder`, in the order of their names.
///
/// # Errors
/// A folder or file that cannot be read, or a file that is not JSON.
pub fn run(folder: &Path) -> Result<Vec<Suite>, String> {
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(|error| unreadable(folder, &error))?.path());
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut suites = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let file: Value = serde_json::from_str(&text).map_err(|error| unreadable(&path, &error))?;
        suites.push(suite(&path.file_stem().unwrap_or_default().to_string_lossy(), &file));
    }
    Ok(suites)
}

/// The suite of one file. A file that no suite knows fails: its values are checked by nothing.
#[must_use]
pub fn suite(name: &str, file: &Value) -> Suite {
    let mut suite = Suite::new(&format!("{PREFIX}{name}"));
    match name {
        "asymptotic_cs" => means::sequence(file, &mut suite),
        "beta_binomial_eprocess" => rate_ratio::beta_binomial(file, &mut suite),
        "bounded_mean_cs" => scores::run(file, &mut suite),
        "confseq_boundaries" => boundaries::run(file, &mut suite),
        "drift" => drift::run(file, &mut suite),
        "e_detector" => e_detector::run(file, &mut suite),
        "fairness" => fairness::run(file, &mut suite),
        "gbstats_tests" => means::tests(file, &mut suite),
        "group_sequential" => power::group_sequential(file, &mut suite),
        "mann_whitney" => quantiles::ranks(file, &mut suite),
        "multiplicity" => multiplicity::run(file, &mut suite),
        "power_noninferiority" => power::run(file, &mut suite),
        "ppi_mean" => prediction_powered::run(file, &mut suite),
        "quantile_cs" => quantiles::sequences(file, &mut suite),
        "rr_grid_eprocess" => rate_ratio::grid(file, &mut suite),
        "simulation" => simulation::run(file, &mut suite),
        "special_functions" => special::run(file, &mut suite),
        "spotify_noninferiority" => power::spotify(file, &mut suite),
        "spotify_sample_size" => power::spotify_sizes(file, &mut suite),
        "srm_chisq" => sample_ratio::chi_square(file, &mut suite),
        "srm_sequential" => sample_ratio::sequential(file, &mut suite),
        _ => suite.row("file", Err("no suite knows this file".into())),
    }
    if suite.passed + suite.failed + suite.skipped == 0 {
        suite.row("file", Err("it has no row".into()));
    }
    suite
}
