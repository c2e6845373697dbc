//! Masks in plain Rust, byte by byte.

use crate::json::simd::isa::{BLOCK, Inside, Isa, Outside, Task};

/// No vector instructions.
#[derive(Clone, Copy)]
pub(in crate::json) struct Portable;

impl Isa for Portable {
    #[inline(never)]
    fn apart<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    fn outside(self, block: &[u8; BLOCK]) -> Outside {
        Outside {
            operators: mask(block, |b| {
                matches!(b, b'{' | b'}' | b'[' | b']' | b':' | b',')
            }),
            blanks: mask(block, |b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')),
            inside: inside(block),
        }
    }

    fn escapable(self, block: &[u8; BLOCK]) -> u64 {
        mask(block, |b| b"\"\\/bfnrt".contains(&b))
    }

    fn is_plain(self, block: &[u8; BLOCK]) -> bool {
        inside(block) == Inside::default()
    }
}

fn inside(block: &[u8; BLOCK]) -> Inside {
    Inside {
        quotes: mask(block, |b| b == b'"'),
        backslashes: mask(block, |b| b == b'\\'),
        controls: mask(block, |b| b < 0x20),
        high: mask(block, |b| b >= 0x80),
    }
}

fn mask(block: &[u8; BLOCK], holds: impl Fn(u8) -> bool) -> u64 {
    let last_first = block.iter().rev();
    last_first.fold(0, |mask, &b| (mask << 1) | u64::from(holds(b)))
}
