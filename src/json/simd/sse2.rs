//! Masks by SSE2, which every x86-64 processor has: a block is four vectors of 16 bytes.
#![expect(unsafe_code, reason = "vector instructions")]

use core::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
    _mm_set1_epi8, _mm_setzero_si128,
};

use crate::json::simd::isa::{BLOCK, Inside, Isa, Outside, Task};

/// What every processor of the target has.
#[derive(Clone, Copy)]
pub(in crate::json) struct Sse2(());

impl Sse2 {
    /// Nothing is to be asked.
    #[inline]
    pub(in crate::json) const fn new() -> Self {
        Self(())
    }
}

impl Isa for Sse2 {
    #[inline(never)]
    fn apart<T: Task>(self, task: T) -> T::Output {
        task.run(self)
    }

    #[inline(always)]
    fn outside(self, block: &[u8; BLOCK]) -> Outside {
        // SAFETY: every x86-64 processor has SSE2.
        unsafe { outside(block) }
    }

    #[inline(always)]
    fn escapable(self, block: &[u8; BLOCK]) -> u64 {
        // SAFETY: every x86-64 processor has SSE2.
        unsafe { escapable(block) }
    }

    #[inline(always)]
    fn is_plain(self, block: &[u8; BLOCK]) -> bool {
        // SAFETY: every x86-64 processor has SSE2.
        unsafe { is_plain(block) }
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn quarters(block: &[u8; BLOCK]) -> [__m128i; 4] {
    let (sixteens, _) = block.as_chunks::<16>();
    let mut quarters = [_mm_setzero_si128(); 4];
    for (quarter, bytes) in quarters.iter_mut().zip(sixteens) {
        // SAFETY: 16 bytes are read, and there are 16.
        *quarter = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    }
    quarters
}

/// The lanes that are one of these bytes.
#[inline]
#[target_feature(enable = "sse2")]
fn one_of(quarters: [__m128i; 4], bytes: &[u8]) -> [__m128i; 4] {
    let mut found = [_mm_setzero_si128(); 4];
    for &byte in bytes {
        let byte = _mm_set1_epi8(byte.cast_signed());
        for (found, quarter) in found.iter_mut().zip(quarters) {
            *found = _mm_or_si128(*found, _mm_cmpeq_epi8(quarter, byte));
        }
    }
    found
}

#[inline]
#[target_feature(enable = "sse2")]
fn outside(block: &[u8; BLOCK]) -> Outside {
    let quarters = quarters(block);
    Outside {
        operators: mask(one_of(quarters, b"{}[]:,")),
        blanks: mask(one_of(quarters, b" \t\n\r")),
        inside: inside(quarters),
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn inside(quarters: [__m128i; 4]) -> Inside {
    Inside {
        quotes: mask(one_of(quarters, b"\"")),
        backslashes: mask(one_of(quarters, b"\\")),
        controls: mask(controls(quarters)),
        high: mask(quarters),
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn escapable(block: &[u8; BLOCK]) -> u64 {
    mask(one_of(quarters(block), b"\"\\/bfnrt"))
}

#[inline]
#[target_feature(enable = "sse2")]
fn controls(quarters: [__m128i; 4]) -> [__m128i; 4] {
    let most = _mm_set1_epi8(0x1F);
    let mut found = quarters;
    for quarter in &mut found {
        *quarter = _mm_cmpeq_epi8(_mm_min_epu8(*quarter, most), *quarter);
    }
    found
}

#[inline]
#[target_feature(enable = "sse2")]
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let quarters = quarters(block);
    let (marks, controls) = (one_of(quarters, b"\"\\"), controls(quarters));
    let mut any = _mm_setzero_si128();
    for lanes in [quarters, marks, controls].as_flattened() {
        any = _mm_or_si128(any, *lanes);
    }
    _mm_movemask_epi8(any) == 0
}

/// The mask of the lanes that have their high bit set.
#[inline]
#[target_feature(enable = "sse2")]
fn mask(quarters: [__m128i; 4]) -> u64 {
    let mut mask = 0;
    for (at, quarter) in quarters.into_iter().enumerate() {
        let bits = _mm_movemask_epi8(quarter).cast_unsigned();
        mask |= u64::from(bits) << (16 * at);
    }
    mask
}
