//! What the machine can do: the most multiply-adds, and the fastest copies.
#![allow(unsafe_code)]

use std::hint::black_box;

use crate::timing::repeat;

/// GFLOP/s of one thread with the widest vectors that it has, and how many floats those hold; none where there
/// is no AVX2.
pub(crate) fn gflops() -> Option<(f64, usize)> {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return Some((
                fastest(16, || {
                    // SAFETY: the instructions are there.
                    black_box(unsafe { sixteen(black_box(ROUNDS)) });
                }),
                16,
            ));
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Some((
                fastest(8, || {
                    // SAFETY: the instructions are there.
                    black_box(unsafe { eight(black_box(ROUNDS)) });
                }),
                8,
            ));
        }
    }
    None
}

/// Chains of multiply-adds, enough to keep two units with a latency of four or five busy.
const CHAINS: usize = 12;
const ROUNDS: usize = 10_000;

fn fastest(lanes: usize, work: impl FnMut()) -> f64 {
    (ROUNDS * CHAINS * lanes * 2) as f64 / repeat(1_000, work).best / 1e9
}

/// A function that makes so many rounds of all chains with vectors of `$lanes` floats.
#[cfg(target_arch = "x86_64")]
macro_rules! chains {
    ($name:ident, $features:literal, $lanes:literal, $set:ident, $multiply_add:ident, $add:ident) => {
        #[target_feature(enable = $features)]
        fn $name(rounds: usize) -> [f32; $lanes] {
            use std::arch::x86_64::{$add, $multiply_add, $set};
            let (factor, term) = ($set(0.999), $set(0.001));
            let mut sums = [$set(0.1); CHAINS];
            for _ in 0..rounds {
                for sum in &mut sums {
                    *sum = $multiply_add(*sum, factor, term);
                }
            }
            let all = sums.into_iter().fold(factor, |all, sum| $add(all, sum));
            // SAFETY: a vector is its floats.
            unsafe { std::mem::transmute(all) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
chains!(eight, "avx2,fma", 8, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps);
#[cfg(target_arch = "x86_64")]
chains!(sixteen, "avx512f", 16, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps);

/// GB/s of one thread copying `bytes`, read and written bytes counted.
pub(crate) fn copy_gbs(bytes: usize) -> f64 {
    let from = vec![1_u8; bytes];
    let mut to = vec![0_u8; bytes];
    let times = repeat((1 << 28) / bytes, || black_box(&mut to).copy_from_slice(black_box(&from)));
    2.0 * bytes as f64 / times.best / 1e9
}
