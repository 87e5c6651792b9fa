//! From batches of events to the judge's evidence, through the real store: held against a recount from the raw events.

mod recount;
mod world;

use flagstone_judge::MetricEvidence;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use recount::{Exposed, Measured, What};
use world::{BASE, World};

/// Everything that happens in one case.
#[derive(Debug, Clone)]
struct Case {
    happened: Vec<What>,
    order: Vec<Index>,
    batch: usize,
    tick_every: usize,
    withdrawn: Vec<u64>,
}

fn what() -> impl Strategy<Value = What> {
    let unit = 0..6_u64;
    let exposed = (unit.clone(), 0..200_u64, 0..8_u8, any::<bool>()).prop_map(|(unit, at, kind, late)| {
        // Mostly drawn, now and then by list or crossed over.
        let (treated, drawn) = (kind % 2 == 0, kind < 6);
        // No two at the same moment, unless they are the same.
        let at_ms = BASE + at * 1_000 + u64::from(kind) + if late { 8 } else { 0 };
        What::Exposed(Exposed { unit, at_ms, treated, drawn, late })
    });
    let measures = (-3..6_i64, prop::option::of(0..4_i64), prop::option::of(0..=10_i64));
    let measured = (unit, 0..420_u64, measures, any::<bool>(), any::<bool>()).prop_map(
        |(unit, at, (cost, tokens, score), bad, late)| {
            // Half of it lies before anybody was exposed.
            let at_ms = BASE + at * 1_000 - 150_000;
            What::Measured(Measured { unit, at_ms, cost, tokens, score, bad, late })
        },
    );
    prop_oneof![1 => exposed, 3 => measured]
}

fn case() -> impl Strategy<Value = Case> {
    let happened = prop::collection::vec(what(), 1..60);
    let order = prop::collection::vec(any::<Index>(), 60);
    let withdrawn = prop::collection::vec(0..6_u64, 0..3);
    (happened, order, 2..25_usize, 1..4_usize, withdrawn).prop_map(
        |(happened, order, batch, tick_every, withdrawn)| Case {
            happened,
            order,
            batch,
            tick_every,
            withdrawn,
        },
    )
}

/// The case's events in another order, each twice.
fn shuffled(case: &Case) -> Vec<What> {
    let mut left: Vec<What> = case.happened.iter().chain(&case.happened).copied().collect();
    let mut all = Vec::new();
    for at in case.order.iter().cycle() {
        if left.is_empty() {
            break;
        }
        all.push(left.swap_remove(at.index(left.len())));
    }
    all
}

#[test]
fn any_order_partition_and_duplication_equals_a_recount_from_the_raw_events() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut world = runtime.block_on(World::new());
    let world = std::cell::RefCell::new(&mut world);
    let config = Config { cases: 32, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&case(), |case| {
        let mut world = world.borrow_mut();
        runtime.block_on(async {
            world.begin().await;
            // What is late comes in when the windows of the first units have closed.
            for (late, now_ms) in [(false, BASE + 400_000), (true, BASE + 3_750_000)] {
                let part: Vec<What> =
                    shuffled(&case).into_iter().filter(|what| what.late() == late).collect();
                for (number, some) in part.chunks(case.batch).enumerate() {
                    world.report(some, now_ms).await;
                    if number % case.tick_every == 0 {
                        world.tick(now_ms).await;
                    }
                }
                world.tick(now_ms).await;
            }
            let end_ms = BASE + 10_000_000;
            world.tick(end_ms).await;
            let (found, late) = world.evidence(end_ms).await;
            let (expected, expected_late) = recount::evidence(&case.happened);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(late, expected_late);

            // Those who withdraw leave, as if they had never been there.
            for unit in &case.withdrawn {
                world.withdraw(*unit, end_ms).await;
            }
            world.tick(end_ms).await;
            let stayed: Vec<What> =
                case.happened.iter().filter(|what| !case.withdrawn.contains(&what.unit())).copied().collect();
            let (found, late) = world.evidence(end_ms).await;
            let (expected, expected_late) = recount::evidence(&stayed);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(late, expected_late);
            Ok(())
        })
    });
    outcome.unwrap();
}

fn exposed(unit: u64, second: u64) -> What {
    What::Exposed(Exposed { unit, at_ms: BASE + second * 1_000, treated: true, drawn: true, late: false })
}

fn scored(unit: u64, second: u64, score: i64) -> What {
    let at_ms = BASE + second * 1_000;
    let (cost, tokens, score) = (0, None, Some(score));
    What::Measured(Measured { unit, at_ms, cost, tokens, score, bad: false, late: false })
}

fn quality(evidence: &[MetricEvidence]) -> Vec<(u64, u64)> {
    let quality = evidence.iter().find(|metric| metric.metric == "quality").unwrap();
    quality.scores.iter().map(|batch| (batch.batch, batch.scores.values().sum())).collect()
}

#[tokio::test]
async fn a_unit_counts_when_its_window_and_grace_are_over_and_is_maturing_until_then() {
    let mut world = World::new().await;
    world.begin().await;
    world.report(&[exposed(1, 10), scored(1, 20, 9)], BASE + 30_000).await;
    let closes_ms = BASE + 10_000 + 100_000 + 3_600_000;
    for (now_ms, units, maturing) in [(closes_ms - 1, 0, 1), (closes_ms, 1, 0)] {
        world.tick(now_ms).await;
        let (evidence, _) = world.evidence(now_ms).await;
        let cost = evidence.iter().find(|metric| metric.metric == "cost").unwrap();
        let counted: u64 = cost.moments.iter().map(|cohort| cohort.treated.units).sum();
        assert_eq!((counted, cost.maturing_units), (units, maturing));
    }
}

#[tokio::test]
async fn a_batch_that_was_handed_over_takes_in_nobody_and_loses_only_who_leaves() {
    let mut world = World::new().await;
    world.begin().await;
    // Both close in batch 6, which lasts from 3,600 to 4,200 seconds.
    world.report(&[exposed(1, 10), scored(1, 20, 9)], BASE + 30_000).await;
    let over_ms = BASE + 4_200_000;
    world.tick(over_ms).await;
    let (evidence, _) = world.evidence(over_ms).await;
    let batch = BASE / 600_000 + 6;
    assert_eq!(quality(&evidence), [(batch, 1)]);

    // Its exposure comes in only now, so it is too late for the batch; its outcome was there in time.
    world.report(&[scored(2, 20, 1)], over_ms - 1_000_000).await;
    world.report(&[exposed(2, 10)], over_ms + 1).await;
    // An earlier exposure of the first would move its window; its score stays what was bet on.
    world.report(&[exposed(1, 5), scored(1, 6, 1)], over_ms + 1).await;
    let later_ms = over_ms + 2_000_000;
    world.tick(later_ms).await;
    let (evidence, late) = world.evidence(later_ms).await;
    assert_eq!(quality(&evidence), [(batch, 1)]);
    let scores = &evidence.iter().find(|metric| metric.metric == "quality").unwrap().scores;
    assert_eq!(scores[0].scores.keys().copied().collect::<Vec<_>>(), [900_000]);
    assert_eq!(late.get("quality"), Some(&2), "one unit, one outcome");

    world.withdraw(1, later_ms).await;
    world.tick(later_ms).await;
    assert_eq!(quality(&world.evidence(later_ms).await.0), []);
}

#[tokio::test]
async fn what_came_after_an_earlier_candidate_does_not_adjust() {
    let mut world = World::new().await;
    let paid = |second: u64, cost| {
        let at_ms = BASE + second * 1_000;
        What::Measured(Measured { unit: 1, at_ms, cost, tokens: None, score: None, bad: false, late: false })
    };
    world.begin().await;
    world.report(&[paid(10, 1), exposed(1, 30), paid(40, 2)], BASE + 50_000).await;
    world.tick(BASE + 50_000).await;
    world.begin_again().await;
    world.report(&[exposed(1, 60), paid(70, 5)], BASE + 80_000).await;
    let end_ms = BASE + 10_000_000;
    world.tick(end_ms).await;
    let (evidence, _) = world.evidence(end_ms).await;
    let adjusted = evidence.iter().find(|metric| metric.metric == "adjusted").unwrap();
    let treated = adjusted.moments[0].treated;
    assert_eq!((treated.units, treated.sum, treated.second_sum), (1, 5_000_000, 1_000_000));
}
