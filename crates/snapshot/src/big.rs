//! A whole number of up to 4,160 bits, for the exact halves of number parsing and printing. Small rather than fast.

use core::cmp::Ordering;

/// Limbs: the longest operand has 768 + 342 decimal digits, that is 3,688 bits, and is shifted once.
const LIMBS: usize = 130;

/// A whole number, least limb first; limbs from `length` on are zero.
pub(crate) struct Big {
    limbs: [u32; LIMBS],
    length: usize,
}

impl Big {
    pub(crate) fn new(value: u64) -> Big {
        let mut limbs = [0; LIMBS];
        let halves = [value as u32, (value >> 32) as u32];
        limbs.iter_mut().zip(halves).for_each(|(limb, half)| *limb = half);
        let mut big = Big { limbs, length: 2 };
        big.trim();
        big
    }

    fn trim(&mut self) {
        while self.length > 0 && self.limb(self.length - 1) == 0 {
            self.length -= 1;
        }
    }

    fn limb(&self, index: usize) -> u32 {
        self.limbs.get(index).copied().unwrap_or_default()
    }

    fn set(&mut self, index: usize, value: u32) {
        if let Some(limb) = self.limbs.get_mut(index) {
            *limb = value;
        }
    }

    pub(crate) fn bits(&self) -> usize {
        match self.length.checked_sub(1) {
            None => 0,
            Some(last) => 32 * last + (32 - self.limb(last).leading_zeros()) as usize,
        }
    }

    /// `self * factor + more`.
    pub(crate) fn scale(&mut self, factor: u32, more: u32) {
        let mut carry = u64::from(more);
        for limb in self.limbs.iter_mut().take(self.length) {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.set(self.length, carry as u32);
            self.length += 1;
        }
    }

    pub(crate) fn scale_by_ten_to(&mut self, exponent: usize) {
        for _ in 0..exponent / 9 {
            self.scale(1_000_000_000, 0);
        }
        for _ in 0..exponent % 9 {
            self.scale(10, 0);
        }
    }

    pub(crate) fn shift_left(&mut self, bits: usize) {
        let (limbs, bits) = (bits / 32, bits % 32);
        self.scale(1 << bits, 0);
        if limbs > 0 {
            for index in (0..self.length).rev() {
                let limb = self.limb(index);
                self.set(index + limbs, limb);
            }
            (0..limbs).for_each(|index| self.set(index, 0));
            self.length += limbs;
            self.trim();
        }
    }

    pub(crate) fn add(&mut self, other: &Big) {
        let mut carry = 0;
        for index in 0..self.length.max(other.length) {
            carry += u64::from(self.limb(index)) + u64::from(other.limb(index));
            self.set(index, carry as u32);
            carry >>= 32;
        }
        self.length = self.length.max(other.length);
        if carry > 0 {
            self.set(self.length, carry as u32);
            self.length += 1;
        }
    }

    /// Takes `other` away when it is not larger, and says whether it did.
    pub(crate) fn take(&mut self, other: &Big) -> bool {
        if self.order(other) == Ordering::Less {
            return false;
        }
        let mut borrow = false;
        for index in 0..self.length {
            let (first, under) = self.limb(index).overflowing_sub(other.limb(index));
            let (second, further) = first.overflowing_sub(u32::from(borrow));
            borrow = under || further;
            self.set(index, second);
        }
        self.trim();
        true
    }

    pub(crate) fn order(&self, other: &Big) -> Ordering {
        let lengths = self.length.cmp(&other.length);
        let differ = || {
            (0..self.length)
                .rev()
                .map(|index| self.limb(index).cmp(&other.limb(index)))
                .find(|order| order.is_ne())
        };
        lengths.then_with(|| differ().unwrap_or(Ordering::Equal))
    }
}
