//! Events: made from a seed, sent in batches over HTTP, counted and judged every so often.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flagstone_events::Body;
use serde_json::{Value, json};

use crate::machine::{Folder, Random, database_bytes, describe, peak_bytes, processor_seconds};
use crate::world::World;

const LANGUAGES: [&str; 6] = ["en", "en", "en", "de", "fr", "it"];
const INTENTS: [&str; 4] = ["ask", "change", "cancel", "refund"];

const DEFINITION: &str = "
metadata: { flagSetId: assistant, environment: production }
slices: { language: [en, de, fr], intent: [ask, change, cancel, refund] }
metrics:
  wrong:   { event: answer, bad: { wrong: true } }
  slow:    { event: answer, bad: { latency: { above: 2500ms } } }
  refused: { event: answer, bad: { refused: true } }
  unhappy: { event: rating, bad: { stars: { below: 3 } } }
flags:
  answers:
    state: ENABLED
    owner: answers@acme.example
    rationale: Shorter answers tested better.
    expectedImpact: Fewer wrong answers.
    worstCase: Wrong advice.
    rollbackPlan: Halt.
    onExpiry: safe
    variants:
      today:   { prompt: answer@12 }
      concise: { prompt: answer@15 }
    defaultVariant: today
    rollout:
      baseline: today
      candidate: concise
      ceiling: everyone
      guardrails:
        - { metric: wrong, role: deterioration, share: 30%, promote: { notWorseBy: 10% } }
        - { metric: slow, role: deterioration, share: 20% }
        - { metric: refused, role: deterioration, share: 20% }
        - { metric: unhappy, role: signal }
      slices:
        - { metric: wrong, by: language, role: deterioration, share: 20% }
        - { metric: wrong, by: intent, role: deterioration, share: 10% }
        - { metric: unhappy, by: language }
        - { metric: wrong, by: [intent, language] }
      stages:
        - { name: quarter, treat: 25%, control: 25%, bake: 100d }
        - { name: everyone, treat: 99%, control: 1%, bake: 1d }
";

/// A visit: one exposure, two answers, one rating.
fn visit(world: &World, unit: u64, number: u64, random: &mut Random) -> [Body; 4] {
    // Everything about the unit itself follows from its number.
    let mut own = Random(unit);
    let treated = own.below(2) == 0;
    let slices = |own: &mut Random| -> BTreeMap<String, String> {
        let language = LANGUAGES[own.below(6) as usize];
        let intent = INTENTS[own.below(4) as usize];
        [("language", language), ("intent", intent)].map(|(name, value)| (name.into(), value.into())).into()
    };
    let slices = slices(&mut own);
    let answer = |random: &mut Random, request: u64| {
        let measures =
            BTreeMap::from([("latency".to_owned(), (200_000 + random.below(2_400_000) as i64) * 1_000)]);
        let booleans = BTreeMap::from([
            ("wrong".to_owned(), random.below(50) == 0),
            ("refused".to_owned(), random.below(200) == 0),
        ]);
        world.outcome("answer", unit, request, measures, booleans, slices.clone())
    };
    let (first, second) = (answer(random, number * 4), answer(random, number * 4 + 1));
    let stars = BTreeMap::from([("stars".to_owned(), (1 + random.below(20).min(4) as i64) * 1_000_000)]);
    let rating = world.outcome("rating", unit, number * 4 + 2, stars, BTreeMap::new(), slices.clone());
    [world.exposure("answers", unit, treated, number), first, second, rating]
}

pub(crate) async fn measure(asked: &crate::Events) -> Value {
    let temporary = Folder::new();
    let folder = asked.folder.clone().unwrap_or_else(|| temporary.0.clone());
    let database = folder.join("govern.sqlite");
    let mut world = World::new(&database, DEFINITION).await;
    let units = (asked.count / asked.per_unit.max(1)).max(1);
    let (mut random, mut sent, mut since_tick) = (Random(asked.seed), 0_u64, 0_u64);
    let (mut making, mut intake, mut ticks, mut longest) =
        (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (whole, processor) = (Instant::now(), processor_seconds());
    let mut generator_processor = 0.0;
    while sent < asked.count {
        let (before, made) = (processor_seconds(), Instant::now());
        let mut bodies: Vec<Vec<u8>> = Vec::new();
        for _ in 0..20 {
            let visits = 250.min((asked.count - sent).div_ceil(4));
            let mut events = Vec::with_capacity(1_000);
            for _ in 0..visits {
                let unit = random.below(units);
                events.extend(visit(&world, unit, sent / 4, &mut random));
                sent += 4;
            }
            if !events.is_empty() {
                since_tick += events.len() as u64;
                bodies.push(world.batch(events));
            }
        }
        making += made.elapsed();
        generator_processor += processor_seconds() - before;
        let posted = Instant::now();
        for body in bodies {
            world.post(&body).await;
        }
        intake += posted.elapsed();
        if since_tick >= asked.tick_every || sent >= asked.count {
            since_tick = 0;
            let ticked = Instant::now();
            world.tick().await;
            ticks += ticked.elapsed();
            longest = longest.max(ticked.elapsed());
            eprintln!(
                "{sent} events, intake {:.1} s, ticks {:.1} s, peak {} MiB",
                intake.as_secs_f64(),
                ticks.as_secs_f64(),
                peak_bytes() >> 20
            );
        }
    }
    let status = world.govern.status();
    let flag = &status["flags"][0];
    assert_eq!(status["delivery"]["exposures"].as_u64(), Some(sent / 4), "every exposure was taken in");
    assert_eq!(flag["units"]["exposures"].as_u64(), Some(sent / 4), "and counted");
    let seconds = |duration: Duration| (duration.as_secs_f64() * 1_000.0).round() / 1_000.0;
    let rate = |duration: Duration| (sent as f64 / duration.as_secs_f64()).round();
    let spent = processor_seconds() - processor - generator_processor;
    let figures = json!({
        "events": sent, "units": flag["units"]["treatment"].as_u64().unwrap_or(0) + flag["units"]["control"].as_u64().unwrap_or(0),
        "makingSeconds": seconds(making), "intakeSeconds": seconds(intake), "tickSeconds": seconds(ticks),
        "longestTickSeconds": seconds(longest), "wholeSeconds": seconds(whole.elapsed()),
        "intakePerSecond": rate(intake), "tickPerSecond": rate(ticks), "perSecond": rate(intake + ticks),
        "processorSeconds": spent, "perProcessorSecond": (sent as f64 / spent).round(),
        "peakBytes": peak_bytes(), "fileBytes": database_bytes(&database), "machine": describe(),
        "phase": flag["phase"], "slices": flag["slices"].as_array().map(Vec::len),
    });
    println!(
        "{sent} events in {:.1} s: intake {} events/s, derivation and judging {} events/s, together {} events/s",
        (intake + ticks).as_secs_f64(),
        rate(intake),
        rate(ticks),
        rate(intake + ticks)
    );
    println!(
        "{} events per processor second (without making them), peak {} MiB, file {} MiB, longest tick {:.2} s",
        figures["perProcessorSecond"],
        peak_bytes() >> 20,
        database_bytes(&database) >> 20,
        longest.as_secs_f64()
    );
    world.govern.shutdown().await;
    figures
}
