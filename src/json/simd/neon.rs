//! Masks by NEON, which every aarch64 processor that Linux runs on has: a block is four vectors of 16
//! bytes.
#![expect(unsafe_code, reason = "vector instructions")]

use core::arch::aarch64::{
    uint8x16_t, vandq_u8, vceqq_u8, vcgeq_u8, vcltq_u8, vdupq_n_u8, vgetq_lane_u64, vld1q_u8,
    vmaxvq_u8, vorrq_u8, vpaddq_u8, vreinterpretq_u64_u8,
};

use crate::json::simd::isa::{BLOCK, Inside, Isa, Outside, Task};

/// What every processor of the target has.
#[derive(Clone, Copy)]
pub(in crate::json) struct Neon(());

impl Neon {
    /// Nothing is to be asked.
    #[inline]
    pub(in crate::json) const fn new() -> Self {
        Self(())
    }
}

impl Isa for Neon {
    #[inline(never)]
    fn apart<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    #[inline(always)]
    fn outside(self, block: &[u8; BLOCK]) -> Outside {
        // SAFETY: every aarch64 processor of the target has NEON.
        unsafe { outside(block) }
    }

    #[inline(always)]
    fn escapable(self, block: &[u8; BLOCK]) -> u64 {
        // SAFETY: every aarch64 processor of the target has NEON.
        unsafe { escapable(block) }
    }

    #[inline(always)]
    fn is_plain(self, block: &[u8; BLOCK]) -> bool {
        // SAFETY: every aarch64 processor of the target has NEON.
        unsafe { is_plain(block) }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn quarters(block: &[u8; BLOCK]) -> [uint8x16_t; 4] {
    let (sixteens, _) = block.as_chunks::<16>();
    let mut quarters = [vdupq_n_u8(0); 4];
    for (quarter, bytes) in quarters.iter_mut().zip(sixteens) {
        // SAFETY: 16 bytes are read, and there are 16.
        *quarter = unsafe { vld1q_u8(bytes.as_ptr()) };
    }
    quarters
}

/// The lanes that are one of these bytes.
#[inline]
#[target_feature(enable = "neon")]
fn one_of(quarters: [uint8x16_t; 4], bytes: &[u8]) -> [uint8x16_t; 4] {
    let mut found = [vdupq_n_u8(0); 4];
    for &byte in bytes {
        let byte = vdupq_n_u8(byte);
        for (found, quarter) in found.iter_mut().zip(quarters) {
            *found = vorrq_u8(*found, vceqq_u8(quarter, byte));
        }
    }
    found
}

#[inline]
#[target_feature(enable = "neon")]
fn outside(block: &[u8; BLOCK]) -> Outside {
    let quarters = quarters(block);
    Outside {
        operators: mask(one_of(quarters, b"{}[]:,")),
        blanks: mask(one_of(quarters, b" \t\n\r")),
        inside: inside(quarters),
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn inside(quarters: [uint8x16_t; 4]) -> Inside {
    Inside {
        quotes: mask(one_of(quarters, b"\"")),
        backslashes: mask(one_of(quarters, b"\\")),
        controls: mask(controls(quarters)),
        high: mask(high(quarters)),
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn escapable(block: &[u8; BLOCK]) -> u64 {
    mask(one_of(quarters(block), b"\"\\/bfnrt"))
}

#[inline]
#[target_feature(enable = "neon")]
fn controls(quarters: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    let first = vdupq_n_u8(0x20);
    let mut found = quarters;
    for quarter in &mut found {
        *quarter = vcltq_u8(*quarter, first);
    }
    found
}

#[inline]
#[target_feature(enable = "neon")]
fn high(quarters: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    let first = vdupq_n_u8(0x80);
    let mut found = quarters;
    for quarter in &mut found {
        *quarter = vcgeq_u8(*quarter, first);
    }
    found
}

#[inline]
#[target_feature(enable = "neon")]
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let quarters = quarters(block);
    let marks = one_of(quarters, b"\"\\");
    let mut any = vdupq_n_u8(0);
    for lanes in [marks, controls(quarters), high(quarters)].as_flattened() {
        any = vorrq_u8(any, *lanes);
    }
    vmaxvq_u8(any) == 0
}

/// The mask of the lanes whose bits are all set.
#[inline]
#[target_feature(enable = "neon")]
fn mask(quarters: [uint8x16_t; 4]) -> u64 {
    const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: 16 bytes are read, and there are 16.
    let bits = unsafe { vld1q_u8(BITS.as_ptr()) };
    // Each lane keeps the bit of its place; pairs are added until eight lanes are one byte.
    let [a, b, c, d] = quarters;
    let low = vpaddq_u8(vandq_u8(a, bits), vandq_u8(b, bits));
    let high = vpaddq_u8(vandq_u8(c, bits), vandq_u8(d, bits));
    let all = vpaddq_u8(low, high);
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(all, all)))
}
