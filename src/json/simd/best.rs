//! The best set of instructions that this processor has.

use crate::json::simd::isa::Task;

/// Runs a task by it.
#[inline]
pub(in crate::json) fn run<T: Task>(task: T) -> T::Output {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use crate::json::simd::avx2::Avx2;
        use crate::json::simd::sse2::Sse2;
        match Avx2::new() {
            Some(avx2) => avx2.run(task),
            None => task.run(Sse2::new()),
        }
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        task.run(crate::json::simd::neon::Neon::new())
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    {
        task.run(crate::json::simd::portable::Portable)
    }
}
