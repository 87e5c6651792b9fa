//! Whole reports from fixed evidence: what must be in them, and what must never be.
#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flagstone_judge::{DriftBatch, DriftRule};
use flagstone_report::{Look, Question, Report, report, text};

/// Twelve looks at a rollout: five kinds of metrics, three dimensions, an input that changes, two harmed cells.
fn looks() -> Vec<Look> {
    serde_json::from_str(include_str!("../../cli/tests/data/rollout.json")).unwrap()
}

fn of(looks: &[Look], k: u64) -> Report {
    report(&Question { flag: "answers", looks, k, ..Question::default() }).unwrap()
}

#[test]
fn it_reads_back_what_it_writes() {
    let one = of(&looks(), 20);
    let json = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), one);
    assert_eq!(one, of(&looks(), 20), "and it is the same again");
}

#[test]
fn the_lines_are_as_wide_as_the_page() {
    let one = of(&looks(), 20);
    for width in [60, 80, 120] {
        let text = text(&one, width);
        // A word that is longer than the page is the only excuse, and there is none here.
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} > {width}:\n{text}");
    }
}

#[test]
fn nothing_of_fewer_than_k_units_leaves() {
    let looks = looks();
    for k in [2, 20, 60, 400] {
        let one = of(&looks, k);
        for slices in &one.slices {
            for cell in &slices.cells {
                if let Some(n) = cell.numbers {
                    assert!(n.treated >= k && n.control >= k && n.treated % k == 0, "{k} {cell:?}");
                }
            }
        }
        for part in &one.sample_ratio.slices {
            assert!(part.units.iter().all(|units| *units >= k), "{k} {part:?}");
        }
        let json = serde_json::to_string(&one).unwrap();
        // Of the style `verse` there are some two dozen treated units, and the plan does not name it.
        assert_eq!(json.contains("verse"), k <= 20, "{k}");
        assert_eq!(one.slices[2].unnamed > 0, k > 20, "{k}");
    }
}

#[test]
fn an_earlier_look_knows_nothing_of_later_ones() {
    let all = looks();
    let (early, late) = (of(&all[..6], 20), of(&all, 20));
    assert_eq!((early.at, early.path.len()), (all[5].now, 6));
    assert_eq!(late.path[..6], early.path);
    assert_eq!(late.attempt, 2);
    assert!(
        (late.alpha.attempts.iter().map(|one| one.alpha).sum::<f64>() + late.alpha.later - 0.05).abs()
            < 1e-12
    );
}

#[test]
fn no_look_no_report() {
    assert!(report(&Question::default()).is_none());
    // And the least there can be.
    let empty = of(&[Look::default()], 20);
    assert_eq!((empty.metrics.len(), empty.path.len()), (0, 1));
    assert!(text(&empty, 80).contains("open to nobody"));
}

#[cfg(feature = "plots")]
mod drawings {
    use super::*;

    #[test]
    fn every_drawing_says_in_words_what_it_shows() {
        let plots = flagstone_report::plots::plots(&of(&looks(), 20)).unwrap();
        assert_eq!(plots.iter().map(|plot| plot.name).collect::<Vec<_>>(), ["effects", "evidence", "slices"]);
        for plot in &plots {
            assert!(
                plot.svg.starts_with("<svg ") && plot.svg.trim_end().ends_with("</svg>"),
                "{}",
                plot.name
            );
            assert!(
                plot.svg.contains(" role=\"img\">\n<title>") && plot.svg.contains("<desc>"),
                "{}",
                plot.svg.get(..300).unwrap()
            );
            assert!(plot.description.contains("unsupported"), "{}", plot.description);
        }
        assert!(plots[0].svg.contains("rate ratio, treatment / control (log scale)"));
        assert!(plots[1].svg.contains("ln E (nats)") && plots[1].svg.contains("hours since"));
        // Nothing to draw is no drawing.
        assert!(flagstone_report::plots::plots(&of(&[Look::default()], 20)).unwrap().is_empty());
    }
}

#[test]
fn the_drift_of_the_candidate_is_told_where_a_plan_asks() {
    let mut all = looks();
    let last = all.last_mut().unwrap();
    let name = last.evidence.metrics[0].metric.clone();
    let section = |looks: &[Look]| {
        let page = text(&of(looks, 20), 100);
        let begins = page.find("DRIFT OF THE CANDIDATE")?;
        page[begins..].split("\n\n").next().map(str::to_owned)
    };
    assert_eq!(section(&all), None);
    let last = all.last_mut().unwrap();
    last.rules.drift = vec![DriftRule { metric: name.clone(), baseline: 0.02, ..DriftRule::default() }];
    let mut pages = vec![section(&all).unwrap()];
    let calm = (0..20).map(|batch| DriftBatch { batch, units: 100, bad: 2 });
    let risen = (20..26).map(|batch| DriftBatch { batch, units: 100, bad: 9 });
    all.last_mut().unwrap().evidence.metrics[0].batches = calm.clone().collect();
    pages.push(section(&all).unwrap());
    all.last_mut().unwrap().evidence.metrics[0].batches = calm.chain(risen).collect();
    pages.push(section(&all).unwrap());
    let expected = "DRIFT OF THE CANDIDATE (treated units against the accepted rate)
  unsupported no batch is over yet (accepted 2 %)
DRIFT OF THE CANDIDATE (treated units against the accepted rate)
  unsupported no sign of a rise: 40 bad of 2,000 units in 20 batches, accepted 2 %; ln evidence 1.26
              (alarm above 6.91)
DRIFT OF THE CANDIDATE (treated units against the accepted rate)
  unsupported RISEN, holds: 94 bad of 2,600 units in 26 batches, accepted 2 %; ln evidence 38.8
              (alarm above 6.91)";
    assert_eq!(pages.join("\n"), expected);
    let json = serde_json::to_value(of(&all, 20)).unwrap();
    assert_eq!(json["drift"]["rates"][0]["alarmed"], true);
    let one = of(&all, 20);
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), one);
}
