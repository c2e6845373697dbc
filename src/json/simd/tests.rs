//! Every set of instructions against the portable one.

use crate::json::simd::isa::{BLOCK, Inside, Isa, Outside};
use crate::json::simd::portable::Portable;

fn check(isa: impl Isa, block: &[u8; BLOCK]) {
    let (found, expected) = (isa.outside(block), Portable.outside(block));
    // The two bytes that may be taken for operators.
    let odd = block.iter().rev();
    let odd = odd.fold(0, |mask, &b| {
        (mask << 1) | u64::from(b == 0x0C || b == 0x1A)
    });
    let operators = found.operators & !odd;
    assert_eq!(
        Outside { operators, ..found },
        expected,
        "{}",
        block.escape_ascii()
    );
    assert_eq!(isa.escapable(block), Portable.escapable(block));
    assert_eq!(isa.is_plain(block), expected.inside == Inside::default());
    for mask in [
        expected.inside.quotes,
        expected.blanks,
        0,
        1,
        u64::MAX,
        1 << 63,
    ] {
        assert_eq!(isa.parity(mask), Portable.parity(mask), "{mask:x}");
    }
}

fn check_all(block: &[u8; BLOCK]) {
    check(Portable, block);
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        check(crate::json::simd::sse2::Sse2::new(), block);
        if let Some(avx2) = crate::json::simd::avx2::Avx2::new() {
            check(avx2, block);
        }
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    check(crate::json::simd::neon::Neon::new(), block);
}

#[test]
fn every_byte_has_the_same_bits_at_every_place() {
    for byte in 0..=u8::MAX {
        check_all(&[byte; BLOCK]);
        for place in 0..BLOCK {
            let mut block = [b'a'; BLOCK];
            block[place] = byte;
            check_all(&block);
        }
    }
}

#[test]
fn blocks_of_chance_have_the_same_bits() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..if cfg!(miri) { 20 } else { 20_000 } {
        let mut block = [0; BLOCK];
        for byte in &mut block {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let any = state.to_le_bytes();
            *byte = match any[1] & 3 {
                0 => any[0],
                _ => b"{}[]:,\"\\ \n\r\ta1u-"[usize::from(any[0] & 15)],
            };
        }
        check_all(&block);
    }
}
