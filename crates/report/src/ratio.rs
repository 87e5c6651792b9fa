//! Whether units are split between the arms as promised, and where it comes from when they are not.

use flagstone_judge::limits::{SAMPLE_RATIO_ALARM, SHARE_TOTAL};
use flagstone_judge::{ExposedUnits, Judgement};

use crate::Look;
use crate::model::{Drawn, Gauge, Part, SampleRatio};

pub(crate) fn of(look: &Look, judgement: &Judgement, k: u64) -> SampleRatio {
    let mut cohorts: Vec<ExposedUnits> = Vec::new();
    for units in &look.evidence.sample_ratio {
        let known =
            cohorts.iter_mut().find(|one| (one.cohort, one.probability) == (units.cohort, units.probability));
        match known {
            Some(known) => {
                known.treated = known.treated.saturating_add(units.treated);
                known.control = known.control.saturating_add(units.control);
            }
            None => cohorts.push(*units),
        }
    }
    cohorts.sort_by_key(|units| (units.cohort, units.probability));
    let mut unnamed = [0_u64; 2];
    let mut slices = Vec::new();
    for part in &judgement.sample_ratio_slices {
        // Both arms large enough to be told of.
        match part.units.filter(|[treated, control]| (*treated).min(*control) >= k) {
            Some(units) => slices.push(Part {
                slice: part.slice.to_string(),
                units: units.map(|units| units / k * k),
                evidence: Gauge::new(part.log_e, libm::log(SAMPLE_RATIO_ALARM)),
                suspect: part.suspect,
            }),
            None => {
                unnamed[0] += 1;
                unnamed[1] += u64::from(part.suspect);
            }
        }
    }
    SampleRatio {
        evidence: Gauge::new(judgement.sample_ratio_log_e, judgement.sample_ratio_log_threshold),
        both: look.evidence.multi_exposure,
        cohorts: cohorts.iter().map(|units| drawn(look, units)).collect(),
        slices,
        unnamed,
    }
}

fn drawn(look: &Look, units: &ExposedUnits) -> Drawn {
    let stage = look.rules.stages.get(usize::from(units.cohort));
    let probability = f64::from(units.probability) / f64::from(SHARE_TOTAL);
    let randomised = units.probability > 0 && units.probability < SHARE_TOTAL;
    let all = units.treated as f64 + units.control as f64;
    Drawn {
        cohort: stage.map_or_else(|| format!("#{}", units.cohort), |stage| stage.name.clone()),
        probability,
        treated: units.treated,
        control: units.control,
        expected: randomised.then_some(probability * all),
    }
}
