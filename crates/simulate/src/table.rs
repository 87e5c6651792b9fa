//! The results as people read them: text tables.

use crate::check::Checked;
use crate::summary::{Goal, Quantile, Quantiles, Rate, Row};

/// `2.2 %`, `0.05 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let text = if share < 0.01 { format!("{:.2}", share * 100.0) } else { format!("{:.1}", share * 100.0) };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// `1,234`, to the nearest whole number.
#[must_use]
pub fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `twice`, `1.5 times` as many.
#[must_use]
pub fn times(ratio: f64) -> String {
    if ratio == 2.0 { "twice as many".to_owned() } else { format!("{ratio} times as many") }
}

fn rate(rate: &Rate) -> String {
    format!("{} ± {:.1}", percent(rate.rate), rate.standard_error * 100.0)
}

fn quantile(quantile: Option<Quantile>) -> String {
    match quantile {
        None => "-".to_owned(),
        Some(Quantile { value, standard_error: None }) => count(value as f64),
        Some(Quantile { value, standard_error: Some(error) }) => {
            format!("{} ± {error:.0}", count(value as f64))
        }
    }
}

fn quantiles(of: &Quantiles) -> [String; 2] {
    [quantile(of.median), quantile(of.p90)]
}

/// Columns as wide as their widest cell.
fn aligned(lines: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        for (column, cell) in line.iter().enumerate() {
            let wide = cell.chars().count();
            match widths.get_mut(column) {
                Some(width) => *width = (*width).max(wide),
                None => widths.push(wide),
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// The table of scenarios.
#[must_use]
pub fn rows(rows: &[Row]) -> String {
    let head = [
        "scenario",
        "",
        "rollouts",
        "rolled back",
        "treated units: median",
        "90 %",
        "ratio alarms",
        "",
        "the design",
    ];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let about_alarms = matches!(row.goal, Goal::Alarm { .. });
        let [median, p90] = quantiles(if about_alarms { &row.alarm_treated } else { &row.treated });
        let alarms =
            if row.sample_ratio.count >= row.measured.count { &row.sample_ratio } else { &row.measured };
        let holds = match (row.goal.words().is_empty(), row.met) {
            (true, _) => "",
            (false, true) => "holds",
            (false, false) => "DOES NOT HOLD",
        };
        lines.push(vec![
            row.scenario.clone(),
            row.title.clone(),
            count(row.rollouts as f64),
            rate(&row.rolled_back),
            median,
            p90,
            rate(alarms),
            holds.to_owned(),
            row.design.to_owned(),
        ]);
    }
    aligned(&lines)
}

/// Where one scenario's rollouts ended, and what others would have done in them.
#[must_use]
pub fn details(row: &Row) -> String {
    let mut lines = Vec::new();
    for stage in row.stages.iter().filter(|_| row.stages.len() > 1) {
        let told = format!("{} rolled back, {} ended", stage.rolled_back, stage.ended);
        lines.push(vec![format!("  stage {}", stage.stage), told]);
    }
    for by in row.by.iter().filter(|_| row.by.len() > 1) {
        lines.push(vec![format!("  by {}", by.name), format!("{} rolled back", by.count)]);
    }
    for rival in &row.rivals {
        let [median, p90] = quantiles(&rival.treated);
        let told = format!("stopped in {}, treated units {median}, 90 % {p90}", rate(&rival.stopped));
        lines.push(vec![format!("  {}", rival.title), told]);
    }
    aligned(&lines)
}

/// A checked plan.
#[must_use]
pub fn checked(plan: &Checked) -> String {
    let mut text = format!("{}:\n", plan.flag);
    for stage in &plan.not_randomised {
        text += &format!("  {stage}: not randomised; only tripwires and absolute bars speak\n");
    }
    for stage in &plan.stages {
        text += &format!(
            "  {}: open {:.1} days; {} treated and {} control units by its end\n",
            stage.stage,
            stage.days,
            count(stage.treated_units),
            count(stage.control_units)
        );
        for metric in &stage.metrics {
            text += &format!(
                "    {} bad units of `{}` in treatment and {} in control when nothing is wrong ({} of units)\n    {}.\n",
                count(metric.treated_bad),
                metric.metric,
                count(metric.control_bad),
                percent(metric.base_rate),
                metric.words
            );
        }
    }
    text += &format!(
        "  rolled back while nothing is wrong: {} of rollouts, by design at most {}\n",
        rate(&plan.false_rollbacks),
        percent(plan.false_rollbacks_at_most)
    );
    for note in &plan.notes {
        text += &format!("  note: {note}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_numbers() {
        assert_eq!(
            [percent(0.022), percent(1.0), percent(0.0005), percent(0.0), percent(0.5)],
            ["2.2 %", "100 %", "0.05 %", "0 %", "50 %"]
        );
        assert_eq!([count(7.4), count(999.6), count(1_234_567.0)], ["7", "1,000", "1,234,567"]);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let lines = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(aligned(&lines), "a     b\nlong\n");
    }
}
