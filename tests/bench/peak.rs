//! What the machine can do: the most multiply-adds, and the fastest copies.
#![allow(unsafe_code)]

use std::hint::black_box;

use crate::timing::repeat;

/// GFLOP/s of one thread with vectors of eight floats, or none where there is no AVX2.
pub(crate) fn gflops() -> Option<f64> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        const ROUNDS: usize = 10_000;
        let times = repeat(1_000, || {
            // SAFETY: the instructions are there.
            black_box(unsafe { multiply_adds(black_box(ROUNDS)) });
        });
        return Some((ROUNDS * 12 * 8 * 2) as f64 / times.best / 1e9);
    }
    None
}

/// Twelve chains of multiply-adds, enough to keep two units with a latency of four or five busy.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_adds(rounds: usize) -> [std::arch::x86_64::__m256; 12] {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps};
    let (factor, term) = (_mm256_set1_ps(0.999), _mm256_set1_ps(0.001));
    let mut sums = [_mm256_set1_ps(0.1); 12];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, factor, term);
        }
    }
    sums
}

/// GB/s of one thread copying `bytes`, read and written bytes counted.
pub(crate) fn copy_gbs(bytes: usize) -> f64 {
    let from = vec![1_u8; bytes];
    let mut to = vec![0_u8; bytes];
    let times = repeat((1 << 28) / bytes, || black_box(&mut to).copy_from_slice(black_box(&from)));
    2.0 * bytes as f64 / times.best / 1e9
}
