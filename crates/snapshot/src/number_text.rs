//! Numbers as text and back, exactly: the nearest double of a decimal text, the shortest decimal text of a double.
//!
//! The standard library does both, with tables and code that are a third of the guest's bytes. These are small, and slow
//! for the numbers that need all digits. Reading is long division on whole numbers, rounded to even; printing is Burger and
//! Dybvig's free-format algorithm ("Printing Floating-Point Numbers Quickly and Accurately", 1996). The form is that
//! of JavaScript's `Number.prototype.toString`. Tests compare both with the standard library.

use alloc::string::String;
use core::cmp::Ordering;

use crate::big::Big;

/// Digits that can decide how a number rounds; after these only whether there is anything counts.
const DIGITS: usize = 768;

/// The double nearest to a decimal text: `-`, `+`, digits with a point among them, `e` and an exponent. None for anything
/// else. Numbers too large are infinite, numbers too small are zero.
#[must_use]
pub fn parse(text: &[u8]) -> Option<f64> {
    let (negative, rest) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let end = rest.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(rest.len());
    let (digits, exponent) = rest.split_at_checked(end)?;
    let mut exponent = match exponent.split_first() {
        None => 0,
        Some((_, digits)) => parse_exponent(digits)?,
    };
    let mut value = Decimal::default();
    let mut point = false;
    let mut any = false;
    for byte in digits {
        match byte {
            b'.' if !point => point = true,
            b'0'..=b'9' => {
                any = true;
                exponent += value.push(byte - b'0') - i32::from(point);
            }
            _ => return None,
        }
    }
    let number = if any { value.nearest(exponent) } else { return None };
    Some(if negative { -number } else { number })
}

/// An exponent, as far as it can matter.
fn parse_exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value =
        digits.iter().fold(0i32, |value, digit| (value * 10 + i32::from(digit - b'0')).min(100_000_000));
    Some(if negative { -value } else { value })
}

/// Significant digits as they are read.
#[derive(Default)]
struct Decimal {
    small: u64,
    big: Option<Big>,
    count: usize,
    /// Something other than zero was cut off.
    more: bool,
}

impl Decimal {
    /// Takes a digit in; what the exponent gains when there is no room for it.
    fn push(&mut self, digit: u8) -> i32 {
        if self.count == 0 && digit == 0 {
            return 0;
        }
        if self.count == DIGITS {
            self.more |= digit != 0;
            return 1;
        }
        self.count += 1;
        if self.count <= 19 {
            self.small = self.small * 10 + u64::from(digit);
        } else {
            self.big.get_or_insert_with(|| Big::new(self.small)).scale(10, u32::from(digit));
        }
        0
    }

    fn nearest(self, exponent: i32) -> f64 {
        // Both operands are exact, so one operation rounds once.
        if self.big.is_none() && self.small < 1 << 53 && exponent.unsigned_abs() <= 22 {
            let power = (0..exponent.unsigned_abs()).fold(1.0, |power, _| power * 10.0);
            return if exponent < 0 { self.small as f64 / power } else { self.small as f64 * power };
        }
        let size = self.count as i32 + exponent;
        if self.count == 0 || size < -330 {
            return 0.0;
        }
        if size > 310 {
            return f64::INFINITY;
        }
        let mut above = self.big.unwrap_or_else(|| Big::new(self.small));
        let mut below = Big::new(1);
        let side = if exponent < 0 { &mut below } else { &mut above };
        side.scale_by_ten_to(exponent.unsigned_abs() as usize);
        divide(above, below, self.more)
    }
}

/// The double nearest to `above / below`, both not zero; `more` when `above` is a little more than it says.
fn divide(mut above: Big, mut below: Big, more: bool) -> f64 {
    // Shift until 1 <= above / below < 2; the value is that times two to `power`.
    let mut power = above.bits() as i32 - below.bits() as i32;
    if power < 0 {
        above.shift_left(power.unsigned_abs() as usize);
    } else {
        below.shift_left(power as usize);
    }
    if above.order(&below) == Ordering::Less {
        above.shift_left(1);
        power -= 1;
    }
    if power > 1023 {
        return f64::INFINITY;
    }
    // Below the least normal number there are fewer bits.
    let precision = if power >= -1022 { 53 } else { 53 + 1022 + power };
    if precision < 0 {
        return 0.0;
    }
    let mut bits = 0u64;
    for place in 0..precision {
        if place > 0 {
            above.shift_left(1);
        }
        bits = (bits << 1) | u64::from(above.take(&below));
    }
    if precision > 0 {
        above.shift_left(1);
    }
    let up = match above.order(&below) {
        Ordering::Less => false,
        Ordering::Equal => more || bits & 1 == 1,
        Ordering::Greater => true,
    };
    bits += u64::from(up);
    // The leading bit of a normal number adds one to the exponent field, and so does a carry.
    let field = if power >= -1022 { (power + 1022) as u64 } else { 0 };
    f64::from_bits((field << 52) + bits)
}

/// Prints a number as JavaScript does: the fewest digits that read back as it, exponents from 10^21 up and below 10^-6;
/// `null` for what is not finite.
pub fn print(value: f64, out: &mut String) {
    if !value.is_finite() {
        out.push_str("null");
        return;
    }
    if value < 0.0 {
        out.push('-');
    }
    let size = f64::from_bits(value.to_bits() & !(1 << 63));
    if size == 0.0 {
        out.push('0');
        return;
    }
    let mut digits = [0; 20];
    let (count, point) = simple(size, &mut digits).unwrap_or_else(|| shortest(size, &mut digits));
    let digits = digits.get(..count).unwrap_or_default();
    match point {
        -5..=0 => {
            out.push_str("0.");
            push(&[0; 5], point.unsigned_abs() as usize, out);
            push(digits, count, out);
        }
        1..=21 => {
            let whole = point as usize;
            push(digits, whole, out);
            if whole >= count {
                push(&[0; 21], whole - count, out);
            } else {
                out.push('.');
                push(digits.get(whole..).unwrap_or_default(), count, out);
            }
        }
        _ => {
            push(digits, 1, out);
            if count > 1 {
                out.push('.');
                push(digits.get(1..).unwrap_or_default(), count, out);
            }
            out.push_str(if point > 0 { "e+" } else { "e-" });
            let exponent = (point - 1).unsigned_abs();
            let places = [exponent / 100, exponent / 10 % 10, exponent % 10].map(|digit| digit as u8);
            let zeros = places.iter().take(2).take_while(|digit| **digit == 0).count();
            push(places.get(zeros..).unwrap_or_default(), 3, out);
        }
    }
}

/// At most `count` digits.
fn push(digits: &[u8], count: usize, out: &mut String) {
    out.extend(digits.iter().take(count).map(|digit| char::from(b'0' + digit)));
}

/// The decimal digits (ASCII) of a whole number at the end of `room`; where they begin.
pub fn digits(mut value: u64, room: &mut [u8; 20]) -> usize {
    let mut start = room.len();
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        start -= 1;
        if value == 0 {
            break;
        }
    }
    start
}

/// The digits of a number that is a whole number of some 10^-k, k up to 15, in few enough digits to be sure: how many, and
/// where the point stands. Dividing two exact numbers rounds once, so what divides back is what reads back.
fn simple(value: f64, digits: &mut [u8; 20]) -> Option<(usize, i32)> {
    let mut power = 1.0;
    for places in 0..=15 {
        let scaled = value * power;
        if scaled >= (1u64 << 50) as f64 {
            return None;
        }
        let whole = (scaled + 0.5) as u64;
        if whole > 0 && whole as f64 / power == value {
            let mut count = 0;
            let mut divisor = 10_000_000_000_000_000u64;
            while divisor > 0 {
                let digit = (whole / divisor % 10) as u8;
                if count > 0 || digit > 0 {
                    *digits.get_mut(count)? = digit;
                    count += 1;
                }
                divisor /= 10;
            }
            let point = count as i32 - places;
            // Zeros at the end are not digits.
            while count > 1 && digits.get(count - 1) == Some(&0) {
                count -= 1;
            }
            return Some((count, point));
        }
        power *= 10.0;
    }
    None
}

/// The shortest digits `d1 d2 …` and the point with `value = 0.d1d2… * 10^point`.
fn shortest(value: f64, digits: &mut [u8; 20]) -> (usize, i32) {
    let bits = value.to_bits();
    let field = (bits >> 52) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) =
        if field == 0 { (fraction, -1074) } else { (fraction | (1 << 52), field - 1075) };
    // Below a power of two the neighbour is half as far.
    let uneven = fraction == 0 && field > 1;
    let even = mantissa & 1 == 0;
    let extra = usize::from(uneven);
    let up = exponent.max(0) as usize;
    let mut rest = Big::new(mantissa);
    rest.shift_left(up + 1 + extra);
    let mut unit = Big::new(1);
    unit.shift_left((-exponent).max(0) as usize + 1 + extra);
    let (mut high, mut low) = (Big::new(1), Big::new(1));
    high.shift_left(up + extra);
    low.shift_left(up);
    // floor(log2 * log10(2)) + 1 is the point or one less.
    let log2 = exponent + 63 - mantissa.leading_zeros() as i32;
    let mut point = ((i64::from(log2) * 1_262_611) >> 22) as i32 + 1;
    if point >= 0 {
        unit.scale_by_ten_to(point as usize);
    } else {
        [&mut rest, &mut high, &mut low]
            .into_iter()
            .for_each(|big| big.scale_by_ten_to(point.unsigned_abs() as usize));
    }
    let reaches = |rest: &Big, high: &Big, unit: &Big| {
        let mut sum = Big::new(0);
        sum.add(rest);
        sum.add(high);
        match sum.order(unit) {
            Ordering::Equal => even,
            order => order == Ordering::Greater,
        }
    };
    if reaches(&rest, &high, &unit) {
        point += 1;
    } else {
        [&mut rest, &mut high, &mut low].into_iter().for_each(|big| big.scale(10, 0));
    }
    let mut count = 0;
    loop {
        let mut digit = 0;
        while rest.take(&unit) {
            digit += 1;
        }
        let down = match rest.order(&low) {
            Ordering::Equal => even,
            order => order == Ordering::Less,
        };
        let up = reaches(&rest, &high, &unit);
        if down || up {
            rest.scale(2, 0);
            if up && (!down || rest.order(&unit) != Ordering::Less) {
                digit += 1;
            }
        }
        if let Some(slot) = digits.get_mut(count) {
            *slot = digit;
        }
        count += 1;
        if down || up || count == digits.len() {
            return (count, point);
        }
        [&mut rest, &mut high, &mut low].into_iter().for_each(|big| big.scale(10, 0));
    }
}

#[cfg(test)]
mod tests;
