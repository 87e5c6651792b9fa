//! The report for a terminal of a given width. No colour and nothing drawn that is not said in words beside it.

mod layout;
mod sections;

use crate::model::{Report, Standing};
use crate::words::{duration, time};
use layout::{Page, ticked};

/// Narrowest and widest page.
const WIDTHS: (usize, usize) = (60, 140);

/// The report in lines of at most `width` characters (60 to 140), ending with a line break.
#[must_use]
pub fn text(report: &Report, width: usize) -> String {
    let mut page = Page::new(width.clamp(WIDTHS.0, WIDTHS.1));
    head(&mut page, report);
    gate(&mut page, report);
    sections::metrics(&mut page, report);
    sections::slices(&mut page, report);
    sections::fairness(&mut page, report);
    sections::ratio(&mut page, report);
    sections::drift(&mut page, report);
    sections::alpha(&mut page, report);
    sections::path(&mut page, report);
    page.finish()
}

fn head(page: &mut Page, report: &Report) {
    let who = match (&report.candidate, &report.baseline) {
        (Some(candidate), Some(baseline)) => format!(": `{candidate}` in place of `{baseline}`"),
        _ => String::new(),
    };
    page.line(&format!("`{}`{who}, attempt {}, as of {}", report.flag, report.attempt, time(report.at)));
    page.blank();
    page.line(&report.sentence);
    let mark = match report.standing {
        Standing::Fine => "nobody is needed",
        Standing::Person => "somebody may be needed",
        Standing::TakenBack => "taken back",
    };
    page.item("next", &report.next);
    page.item("state", &format!("{mark}; rule {}, action {}", report.rule, report.action));
    if let Some(stage) = &report.stage {
        let open = duration(report.at.saturating_sub(stage.opened));
        let text = format!(
            "`{}`, {} of {}, open for {open} (at least {})",
            stage.name,
            stage.index + 1,
            stage.of,
            duration(stage.bake)
        );
        page.item("stage", &text);
    }
    for (number, reason) in report.reasons.iter().enumerate() {
        page.item(if number == 0 { "why" } else { "" }, reason);
    }
}

fn gate(page: &mut Page, report: &Report) {
    if report.requirements.is_empty() {
        return;
    }
    page.title("THE GATE", "what must be so before the next stage opens");
    for line in &report.requirements {
        let (have, need) = (&line.have, &line.need);
        let told = if line.met {
            format!("{} ({have})", line.text)
        } else {
            format!("{}: have {have}, need {need}", line.text)
        };
        page.hanging(&format!("  {} ", ticked(line.met)), &told);
    }
}
