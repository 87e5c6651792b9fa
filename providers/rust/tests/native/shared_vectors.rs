//! The shared vectors through `Flags`: sealed files opened, pulses verified, the same text byte for byte by every door.

use flagstone::{Flags, Settings, Unit};

use host_tests::fixture::{AUDIENCE, ENVIRONMENT};
use host_tests::vectors::{ISSUED, LEASE, Pulse, Vectors, files, seal};

#[test]
fn flags_answer_every_vector() {
    for file in files().unwrap() {
        let vectors = Vectors::read(&file).unwrap();
        let sealed = seal(&vectors.snapshot().unwrap()).unwrap();
        let mut pulses: Vec<Option<&Pulse>> = vec![None];
        pulses.extend(vectors.pulses().into_iter().map(Some));
        let mut asked = 0;
        for pulse in pulses {
            let flags = Flags::pin(&sealed.trust, Settings::new(AUDIENCE, ENVIRONMENT), ISSUED).unwrap();
            flags.offer(sealed.file.clone(), ISSUED).unwrap();
            if let Some(pulse) = pulse {
                let pulsed = flags.pulse(&sealed.pulse(pulse, 1).unwrap(), pulse.expires - LEASE).unwrap();
                assert!(pulsed.in_force && pulsed.snapshot == sealed.mark);
            }
            let current = flags.in_force().unwrap();
            for case in vectors.cases.iter().filter(|case| case.pulse.as_ref() == pulse) {
                let mut unit = Unit::json(case.context.get());
                let text = current.decision_text(&mut unit, &case.flag, case.now);
                assert_eq!(text, case.expect, "case `{}`", case.name);

                // The other doors say the same.
                let wanted: serde_json::Value = serde_json::from_str(&case.expect).unwrap();
                let answer = flags.decide(&mut unit, &case.flag, case.now);
                assert_eq!(answer.variant(), wanted["variant"].as_str(), "case `{}`", case.name);
                assert_eq!(answer.value().unwrap_or_default(), wanted["value"], "case `{}`", case.name);
                assert_eq!(answer.reason(), wanted["reason"], "case `{}`", case.name);
                assert_eq!(answer.error_code(), wanted["errorCode"].as_str(), "case `{}`", case.name);
                let explained: serde_json::Value =
                    serde_json::from_str(&current.explain(&mut unit, &case.flag, case.now)).unwrap();
                assert_eq!(explained["decision"], wanted, "case `{}`", case.name);
                if let Some(index) = current.find(&case.flag) {
                    assert_eq!(&current.decide(&mut unit, index, case.now), answer.decision());
                    let mut all = Vec::new();
                    current.decide_all(&mut unit, case.now, &mut all);
                    assert_eq!(&all[index as usize], answer.decision());
                }
                asked += 1;
            }
        }
        assert_eq!(asked, vectors.cases.len());
    }
}

#[test]
fn an_exposure_is_told_about_the_unit_of_the_plan() {
    let files = files().unwrap();
    let core = files.iter().find(|file| file.ends_with("core.json")).unwrap();
    let sealed = seal(&Vectors::read(core).unwrap().snapshot().unwrap()).unwrap();
    let flags = Flags::pin(&sealed.trust, Settings::new(AUDIENCE, ENVIRONMENT), ISSUED).unwrap();
    flags.offer(sealed.file.clone(), ISSUED).unwrap();
    let current = flags.in_force().unwrap();
    assert_eq!(current.unit(current.find("careful").unwrap()), "tenant.id");
    let units = (0..=current.flag_count()).map(|flag| current.unit(flag));
    assert!(units.filter(|unit| *unit == "targetingKey").count() > 1, "flags without a plan, and no flag");
}
