//! Masks by AVX2: a block is two vectors of 32 bytes.
#![expect(
    unsafe_code,
    reason = "vector instructions that not every processor has"
)]

use core::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_loadu_si128,
    _mm_set1_epi8, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_shuffle_epi8,
};

use crate::json::simd::isa::{BLOCK, Inside, Isa, Outside, Task};

/// The proof that this processor has AVX2 and what came with it.
#[derive(Clone, Copy)]
pub(in crate::json) struct Avx2(());

impl Avx2 {
    /// Asks the processor.
    #[inline]
    pub(in crate::json) fn new() -> Option<Self> {
        let is_there = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("pclmulqdq");
        is_there.then_some(Self(()))
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq")]
fn compiled<T: Task>(isa: Avx2, task: T) -> T::Output {
    task.run(isa)
}

impl Isa for Avx2 {
    #[inline]
    fn apart<T: Task>(self, task: T) -> T::Output {
        // SAFETY: `self` is the proof that the processor has the instructions.
        unsafe { compiled(self, task) }
    }

    #[inline(always)]
    fn outside(self, block: &[u8; BLOCK]) -> Outside {
        // SAFETY: `self` is the proof that the processor has the instructions.
        unsafe { outside(block) }
    }

    #[inline(always)]
    fn escapable(self, block: &[u8; BLOCK]) -> u64 {
        // SAFETY: `self` is the proof that the processor has the instructions.
        unsafe { escapable(block) }
    }

    #[inline(always)]
    fn is_plain(self, block: &[u8; BLOCK]) -> bool {
        // SAFETY: `self` is the proof that the processor has the instructions.
        unsafe { is_plain(block) }
    }

    #[inline(always)]
    fn parity(self, mask: u64) -> u64 {
        // SAFETY: `self` is the proof that the processor has the instructions.
        unsafe { parity(mask) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn halves(block: &[u8; BLOCK]) -> [__m256i; 2] {
    let (low, high) = block.split_at(BLOCK / 2);
    // SAFETY: 32 bytes are read, and `low` has 32.
    let low = unsafe { _mm256_loadu_si256(low.as_ptr().cast()) };
    // SAFETY: 32 bytes are read, and `high` has 32.
    let high = unsafe { _mm256_loadu_si256(high.as_ptr().cast()) };
    [low, high]
}

/// The mask of both halves' lanes that have their high bit set.
#[inline]
#[target_feature(enable = "avx2")]
fn mask([low, high]: [__m256i; 2]) -> u64 {
    let low = _mm256_movemask_epi8(low).cast_unsigned();
    let high = _mm256_movemask_epi8(high).cast_unsigned();
    u64::from(low) | (u64::from(high) << 32)
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal([low, high]: [__m256i; 2], byte: u8) -> [__m256i; 2] {
    let byte = _mm256_set1_epi8(byte.cast_signed());
    [_mm256_cmpeq_epi8(low, byte), _mm256_cmpeq_epi8(high, byte)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn controls([low, high]: [__m256i; 2]) -> [__m256i; 2] {
    let most = _mm256_set1_epi8(0x1F);
    [
        _mm256_cmpeq_epi8(_mm256_min_epu8(low, most), low),
        _mm256_cmpeq_epi8(_mm256_min_epu8(high, most), high),
    ]
}

/// The bytes that the table names at the place of their low four bits.
#[inline]
#[target_feature(enable = "avx2")]
fn named(table: [u8; 16], [low, high]: [__m256i; 2]) -> [__m256i; 2] {
    [
        _mm256_cmpeq_epi8(by_low_bits(table, low), low),
        _mm256_cmpeq_epi8(by_low_bits(table, high), high),
    ]
}

/// The entry of a table that the low four bits of each byte name; 0 for bytes from 0x80 on.
#[inline]
#[target_feature(enable = "avx2")]
fn by_low_bits(table: [u8; 16], half: __m256i) -> __m256i {
    // SAFETY: 16 bytes are read, and the table has 16.
    let table = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), half)
}

#[inline]
#[target_feature(enable = "avx2")]
fn outside(block: &[u8; BLOCK]) -> Outside {
    let halves = halves(block);
    let [low, high] = halves;
    // `[` and `{`, `]` and `}` differ in this bit alone, which `:` and `,` have.
    let bit = _mm256_set1_epi8(0x20);
    let operators = [
        _mm256_cmpeq_epi8(by_low_bits(OPERATORS, low), _mm256_or_si256(low, bit)),
        _mm256_cmpeq_epi8(by_low_bits(OPERATORS, high), _mm256_or_si256(high, bit)),
    ];
    Outside {
        operators: mask(operators),
        blanks: mask(named(BLANKS, halves)),
        inside: inside(halves),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn inside(halves: [__m256i; 2]) -> Inside {
    Inside {
        quotes: mask(equal(halves, b'"')),
        backslashes: mask(equal(halves, b'\\')),
        controls: mask(controls(halves)),
        high: mask(halves),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn escapable(block: &[u8; BLOCK]) -> u64 {
    let halves = halves(block);
    mask(named(ESCAPABLE, halves)) | mask(equal(halves, b'b')) | mask(equal(halves, b'r'))
}

#[inline]
#[target_feature(enable = "avx2")]
fn is_plain(block: &[u8; BLOCK]) -> bool {
    let halves = halves(block);
    let (quotes, backslashes) = (equal(halves, b'"'), equal(halves, b'\\'));
    let marks = _mm256_or_si256(either(quotes), either(backslashes));
    let others = _mm256_or_si256(either(controls(halves)), either(halves));
    _mm256_movemask_epi8(_mm256_or_si256(marks, others)) == 0
}

#[inline]
#[target_feature(enable = "avx2")]
fn either([low, high]: [__m256i; 2]) -> __m256i {
    _mm256_or_si256(low, high)
}

#[inline]
#[target_feature(enable = "sse2,pclmulqdq")]
fn parity(mask: u64) -> u64 {
    // Multiplied by ones and without carries, each bit flips all above it.
    let mask = _mm_cvtsi64_si128(mask.cast_signed());
    _mm_cvtsi128_si64(_mm_clmulepi64_si128::<0>(mask, _mm_set1_epi8(-1))).cast_unsigned()
}

/// Each blank where its low four bits say; elsewhere a byte whose low bits say another place.
const BLANKS: [u8; 16] = [
    b' ', 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, b'\t', b'\n', 0xF0, 0xF0, b'\r', 0xF0,
    0xF0,
];

/// Operators likewise, with the bit of lower case. 0 is no byte that has it.
const OPERATORS: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b':', b'{', b',', b'}', 0, 0];

/// Bytes behind a backslash likewise, but for `b` and `r`, whose place `"` has.
const ESCAPABLE: [u8; 16] = [
    0xFF, 0xF0, b'"', 0xF0, b't', 0xF0, b'f', 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, b'\\', 0xF0, b'n', b'/',
];
