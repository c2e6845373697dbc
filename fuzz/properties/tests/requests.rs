//! The recipes of requests are valid: translators take nearly all of them, in little memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use ringway::translate::request_context::Hints;
use ringway::wire::kind::{Dialect, Wire};
use ringway_properties::cook::Cook;
use ringway_properties::{recipe, recipe_request, request};

/// Counts what the thread at hand has allocated, and the most that it had at once.
struct Counted;

thread_local! {
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now + bytes;
        held.set((now, most.max(now)));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// The same bytes on every run.
fn choices(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let len = 64 + usize::try_from(seed % 1500).unwrap();
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn nine_of_ten_recipes_are_taken_and_cost_little_memory() {
    const COUNT: u64 = 2_000;
    let mut rejections: BTreeMap<String, usize> = BTreeMap::new();
    let mut taken = 0;
    for seed in 0..COUNT {
        let choices = choices(seed);
        let mut cook = Cook::new(&choices);
        let wire = cook.one(&recipe::WIRES);
        let body = recipe_request::request(&mut cook, wire);
        let body = serde_json::to_vec(&body).unwrap();
        let model = match wire {
            Wire::OpenAiChat => "claude-opus-5",
            Wire::AnthropicMessages => "gpt-4o",
        };
        let dialect = Dialect::default();
        let before = HELD.get().0;
        HELD.set((before, before));
        let (told, out) = request::translated(&body, wire, model, &dialect, Hints::default());
        let most = usize::try_from(HELD.get().1 - before).unwrap();
        assert!(
            most <= 96 * body.len() + 65_536,
            "{most} bytes for {}",
            body.len()
        );
        drop(out);
        match told {
            Ok(_) => taken += 1,
            Err(rejection) => {
                let words = rejection
                    .message()
                    .replace(|c: char| c.is_ascii_digit(), "#");
                *rejections.entry(words).or_default() += 1;
            }
        }
        let mut input = vec![recipe::MARK];
        input.extend(&choices);
        request::check(&input);
    }
    let mut list: Vec<_> = rejections.into_iter().collect();
    list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    list.truncate(30);
    assert!(taken * 10 >= COUNT * 9, "{taken} of {COUNT}: {list:#?}");
}
