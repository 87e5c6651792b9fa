//! The units of one rollout and when they visit, drawn before it begins: what people do does not depend on the arm.

use crate::random::Random;
use crate::world::World;

/// One unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unit {
    /// What its key is made from.
    pub(crate) id: u64,
    /// Its chance of a bad outcome as a multiple of the base rate.
    pub(crate) fragility: f64,
    pub(crate) segment: u8,
    /// Its reports are lost if it is treated.
    pub(crate) lost: bool,
}

/// Units and their visits in order of time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Population {
    pub(crate) units: Vec<Unit>,
    /// (seconds since the beginning, position of the unit), ascending.
    pub(crate) visits: Vec<(u32, u32)>,
}

impl Population {
    pub(crate) fn new(world: &World, random: &mut Random) -> Self {
        let mut units = Vec::with_capacity(world.units as usize);
        let mut visits = Vec::new();
        let last = u32::try_from(world.seconds).unwrap_or(u32::MAX).max(1);
        let once = world.visits == 1.0 && world.volume == 0.0 && world.bots == 0.0;
        for number in 0..world.units {
            let bot = world.bots > 0.0 && random.happens(world.bots);
            units.push(Unit {
                id: random.bits(),
                fragility: if world.frail { random.frail() } else { 1.0 },
                segment: segment(&world.segments, random),
                lost: world.loss.is_some_and(|loss| random.happens(loss.share)),
            });
            if once {
                // Evenly spread and already in order.
                let at = u64::from(number) * u64::from(last) / u64::from(world.units.max(1));
                visits.push((u32::try_from(at).unwrap_or(last), number));
                continue;
            }
            let mean = if bot { world.bot_visits } else { world.visits * random.heavy(world.volume) };
            for _ in 0..random.poisson(mean) {
                visits.push(((random.unit() * f64::from(last)) as u32, number));
            }
        }
        if !once {
            in_order(&mut visits);
        }
        Self { units, visits }
    }
}

/// Sorts visits by their seconds, and leaves those of one second as they are: units are drawn one after another, so what
/// comes out is ascending. Digit by digit: comparing pairs was a sixth of a whole rollout's time.
fn in_order(visits: &mut Vec<(u32, u32)>) {
    const BITS: u32 = 11;
    let most = visits.iter().map(|(at, _)| *at).max().unwrap_or(0);
    let mut other = vec![(0, 0); visits.len()];
    let mut shift = 0;
    while shift < u32::BITS && most >> shift > 0 {
        let digit = |at: u32| (at >> shift) as usize % (1 << BITS);
        let mut places = [0_usize; 1 << BITS];
        for (at, _) in visits.iter() {
            if let Some(place) = places.get_mut(digit(*at)) {
                *place += 1;
            }
        }
        let mut before = 0;
        for place in &mut places {
            before += std::mem::replace(place, before);
        }
        for visit in visits.iter() {
            let Some(place) = places.get_mut(digit(visit.0)) else { continue };
            if let Some(slot) = other.get_mut(*place) {
                *slot = *visit;
            }
            *place += 1;
        }
        std::mem::swap(visits, &mut other);
        shift += BITS;
    }
}

fn segment(shares: &[f64], random: &mut Random) -> u8 {
    if shares.len() < 2 {
        return 0;
    }
    let mut left = random.unit() * shares.iter().sum::<f64>();
    for (position, share) in shares.iter().enumerate() {
        left -= share;
        if left < 0.0 {
            return u8::try_from(position).unwrap_or(0);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_are_in_order_and_as_many_as_asked_for() {
        let world = World {
            units: 5_000,
            visits: 4.0,
            volume: 1.0,
            bots: 0.01,
            bot_visits: 50.0,
            ..World::default()
        };
        let population = Population::new(&world, &mut Random::new(3, 1));
        assert!(population.visits.is_sorted());
        let mean = population.visits.len() as f64 / 5_000.0;
        assert!((mean - (0.99 * 4.0 + 0.5)).abs() < 0.4, "{mean}");
    }

    #[test]
    fn digits_sort_as_comparisons_do() {
        let mut random = Random::new(9, 1);
        for (many, end) in [(0, 1), (1, 1), (500, 3), (5_000, 345_600), (5_000, u64::from(u32::MAX))] {
            let mut visits: Vec<(u32, u32)> =
                (0..many).map(|unit| ((random.bits() % end) as u32, unit / 2)).collect();
            let mut sorted = visits.clone();
            sorted.sort();
            in_order(&mut visits);
            assert!(visits == sorted, "{many} below {end}");
        }
    }

    #[test]
    fn units_that_come_once_come_once() {
        let population = Population::new(&World { units: 100, ..World::default() }, &mut Random::new(3, 1));
        let units: Vec<u32> = population.visits.iter().map(|(_, unit)| *unit).collect();
        assert_eq!(units, (0..100).collect::<Vec<u32>>());
        assert!(population.visits.is_sorted());
    }

    #[test]
    fn segments_have_their_shares() {
        let world = World { segments: vec![0.7, 0.2, 0.1], ..World::default() };
        let population = Population::new(&world, &mut Random::new(3, 1));
        let last = population.units.iter().filter(|unit| unit.segment == 2).count();
        assert!((1_800..2_200).contains(&last), "{last} of 20,000");
    }
}
