//! The best set of instructions that this processor has.

use crate::json::simd::isa::{Isa, Task};

/// Runs a task by it.
#[inline]
pub(in crate::json) fn run<T: Task>(task: T) -> T::Output {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use crate::json::simd::avx2::Avx2;
        use crate::json::simd::sse2::Sse2;
        match Avx2::new() {
            Some(avx2) => avx2.apart(task),
            None => Sse2::new().apart(task),
        }
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        crate::json::simd::neon::Neon::new().apart(task)
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    {
        crate::json::simd::portable::Portable.apart(task)
    }
}
