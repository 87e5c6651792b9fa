//! The handle table, which the component's crate cannot offer to tests by itself.

extern crate alloc;

#[path = "../src/slots.rs"]
mod slots;

use slots::Slots;

#[test]
fn a_freed_handle_is_refused_even_when_its_slot_is_used_again() {
    let mut slots = Slots::new();
    let first = slots.insert('a').unwrap();
    assert_eq!(slots.get(first), Some(&'a'));
    slots.remove(first);
    slots.remove(first);
    let second = slots.insert('b').unwrap();
    assert_eq!((first & 0xFFFF, second & 0xFFFF), (0, 0));
    assert_eq!((slots.get(first), slots.get(second)), (None, Some(&'b')));
    assert_eq!((slots.get(0), slots.get(u32::MAX)), (None, None));
}

#[test]
fn generations_wrap_without_zero_and_the_table_fills() {
    let mut slots = Slots::new();
    for _ in 0..70_000 {
        let handle = slots.insert(()).unwrap();
        assert!(handle >> 16 != 0 && handle & 0xFFFF == 0);
        slots.remove(handle);
    }
    assert!((0..1 << 16).all(|_| slots.insert(()).is_some()));
    assert_eq!(slots.insert(()), None);
}

#[test]
fn what_is_not_kept_is_freed_once() {
    let mut slots = Slots::new();
    let [one, two, three] = [1, 2, 3].map(|value| slots.insert(value).unwrap());
    slots.remove(three);
    slots.retain(|value| *value != 1);
    slots.retain(|value| *value != 1);
    assert_eq!((slots.get(one), slots.get(two), slots.get(three)), (None, Some(&2), None));
    if let Some(slot) = slots.slot_mut(two) {
        *slot = Some(4);
    }
    assert_eq!((slots.get(two), slots.slot_mut(one)), (Some(&4), None));
    let again: Vec<u32> = (5..8).map(|value| slots.insert(value).unwrap() & 0xFFFF).collect();
    assert_eq!(again.iter().copied().max(), Some(3), "two freed slots are used again before a new one");
}
