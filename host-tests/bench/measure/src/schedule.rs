//! Which context and flag is asked for next: fixed, without a pattern that a branch predictor could learn.

/// How many flags are asked for one context before the next one comes, as in one request of a service.
const PER_CONTEXT: usize = 100;

/// An endless list of (context, flag), the same in every run.
#[derive(Debug, Clone)]
pub struct Schedule {
    list: Vec<(u32, u32)>,
    at: usize,
}

impl Schedule {
    /// How many questions until it begins again.
    pub const LENGTH: usize = 8192;

    /// Every flag is as likely as any other.
    #[must_use]
    pub fn new(contexts: usize, flags: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (((state >> 32) * below as u64) >> 32) as u32
        };
        let mut list = Vec::with_capacity(Self::LENGTH);
        let mut context = 0;
        for question in 0..Self::LENGTH {
            if question % PER_CONTEXT == 0 {
                context = draw(contexts);
            }
            list.push((context, draw(flags)));
        }
        Schedule { list, at: 0 }
    }

    /// The next question.
    #[inline]
    pub fn step(&mut self) -> (usize, usize) {
        let (context, flag) = self.list[self.at];
        self.at = (self.at + 1) % Self::LENGTH;
        (context as usize, flag as usize)
    }

    /// A context for one question about all flags: another each time.
    #[inline]
    pub fn fresh(&mut self) -> usize {
        let (context, _) = self.list[self.at];
        self.at = (self.at + PER_CONTEXT) % Self::LENGTH;
        context as usize
    }
}
