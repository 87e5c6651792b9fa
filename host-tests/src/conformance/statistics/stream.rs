//! The streams of numbers that the reference values were computed from: small generators that any language can write.

/// z of the drift vectors: twelve values of a 31-bit linear congruential generator, minus 6; nearly standard normal.
pub(super) struct Normal(u64);

impl Normal {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> f64 {
        let sum: f64 = (0..12)
            .map(|_| {
                self.0 = self.0.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
                self.0 as f64 / (1u64 << 31) as f64
            })
            .sum();
        sum - 6.0
    }

    /// `mean` plus the next z, to nine decimals.
    pub(super) fn around(&mut self, mean: f64) -> f64 {
        let value = mean + self.next();
        format!("{value:.9}").parse().unwrap_or(value)
    }
}

/// The Mersenne Twister as Python seeds and draws from it: what KSWIN's reference values depend on.
pub(super) struct Twister {
    state: Vec<u32>,
    at: usize,
}

const SIZE: usize = 624;

impl Twister {
    /// As `random.Random(seed)`.
    pub(super) fn new(seed: u32) -> Self {
        let mut state = vec![19_650_218u32];
        for i in 1..SIZE as u32 {
            let last = state.last().copied().unwrap_or_default();
            state.push((last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i));
        }
        let mut twister = Self { state, at: SIZE };
        let mut i = 1;
        for _ in 0..SIZE {
            i = twister.mix(i, 1_664_525, seed, true);
        }
        for _ in 1..SIZE {
            i = twister.mix(i, 1_566_083_941, 0, false);
        }
        if let Some(first) = twister.state.first_mut() {
            *first = 0x8000_0000;
        }
        twister
    }

    fn get(&self, at: usize) -> u32 {
        self.state.get(at % SIZE).copied().unwrap_or_default()
    }

    fn mix(&mut self, i: usize, factor: u32, key: u32, adds: bool) -> usize {
        let before = self.get(i + SIZE - 1);
        let mixed = self.get(i) ^ (before ^ (before >> 30)).wrapping_mul(factor);
        let value = if adds { mixed.wrapping_add(key) } else { mixed.wrapping_sub(i as u32) };
        if let Some(slot) = self.state.get_mut(i) {
            *slot = value;
        }
        if i + 1 < SIZE {
            return i + 1;
        }
        if let Some(first) = self.state.first_mut() {
            *first = value;
        }
        1
    }

    fn word(&mut self) -> u32 {
        if self.at >= SIZE {
            for i in 0..SIZE {
                let joined = (self.get(i) & 0x8000_0000) | (self.get(i + 1) & 0x7fff_ffff);
                let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                let value = self.get(i + 397) ^ (joined >> 1) ^ twist;
                if let Some(slot) = self.state.get_mut(i) {
                    *slot = value;
                }
            }
            self.at = 0;
        }
        let mut word = self.get(self.at);
        self.at += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// A number below `limit`, as `randrange`: as many high bits as it takes, until they are below.
    fn below(&mut self, limit: usize) -> usize {
        let bits = usize::BITS - limit.leading_zeros();
        loop {
            let drawn = (self.word() >> (32 - bits.min(32))) as usize;
            if drawn < limit {
                return drawn;
            }
        }
    }

    /// `count` different numbers below `limit`, as `sample(range(limit), count)`.
    pub(super) fn sample(&mut self, limit: usize, count: usize) -> Vec<usize> {
        let mut table = 21;
        if count > 5 {
            table += 4usize.pow(((count * 3) as f64).log(4.0).ceil() as u32);
        }
        let mut drawn = Vec::new();
        if limit <= table {
            let mut pool: Vec<usize> = (0..limit).collect();
            for _ in 0..count.min(limit) {
                let at = self.below(pool.len());
                drawn.push(pool.swap_remove(at));
            }
            return drawn;
        }
        while drawn.len() < count {
            let one = self.below(limit);
            if !drawn.contains(&one) {
                drawn.push(one);
            }
        }
        drawn
    }
}
