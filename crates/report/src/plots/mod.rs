//! The report as SVG drawings, by the plotting library `plotters`: effects, evidence over time, slices.
//!
//! What is drawn is said besides: every drawing has a title and a description in words for those who do not see it, every
//! axis says what it shows and in which unit, lines differ in kind and not in colour alone.

mod effects;
mod evidence;
mod forest;
mod frame;

use crate::model::Report;

/// A drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// What to call its file, without the ending.
    pub name: &'static str,
    /// Its title.
    pub title: String,
    /// The same in words.
    pub description: String,
    /// The whole SVG file.
    pub svg: String,
}

/// All drawings that this report has something for: `effects`, `evidence`, `slices`.
///
/// # Errors
/// In the library's words, when it cannot draw.
pub fn plots(report: &Report) -> Result<Vec<Plot>, String> {
    let all = [effects::plot(report)?, evidence::plot(report)?, forest::plot(report)?];
    Ok(all.into_iter().flatten().collect())
}
