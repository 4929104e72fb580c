//! Vectors of `f32` as one small trait, so that each kernel is written once.
//!
//! A value of an implementing type is a token: it can only be made where the processor has the
//! instructions, so the arithmetic is safe to call. Memory goes through pointers and stays unsafe.
//! Every method must be inlined into a function compiled with the instructions enabled; the wrappers in
//! the parent module are such functions.

use super::places::GROUP;

/// A set of vector instructions.
pub(super) trait Simd: Copy {
    /// Floats in a vector.
    const LANES: usize;
    /// Vectors that the processor holds in registers.
    const REGISTERS: usize;
    /// A vector.
    type V: Copy;

    /// All lanes the same.
    fn splat(self, x: f32) -> Self::V;
    /// `LANES` floats.
    ///
    /// # Safety
    /// `from` is valid for reading `LANES` floats.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// The first `count <= LANES` floats, the other lanes zero.
    ///
    /// # Safety
    /// `from` is valid for reading `count` floats.
    unsafe fn load_part(self, from: *const f32, count: usize) -> Self::V;
    /// `LANES` bytes as floats.
    ///
    /// # Safety
    /// `from` is valid for reading `LANES` bytes.
    unsafe fn load_bytes(self, from: *const u8) -> Self::V;
    /// # Safety
    /// `to` is valid for writing `LANES` floats.
    unsafe fn store(self, to: *mut f32, v: Self::V);
    /// Stores the first `count <= LANES` floats.
    ///
    /// # Safety
    /// `to` is valid for writing `count` floats.
    unsafe fn store_part(self, to: *mut f32, v: Self::V, count: usize);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    fn sqrt(self, a: Self::V) -> Self::V;
    /// `-|a|`.
    fn minus_abs(self, a: Self::V) -> Self::V;
    /// The sum of all lanes, in pairs.
    fn total(self, a: Self::V) -> f32;
    /// Writes the indices, counted from `first`, of the bytes that are not zero; returns how many.
    ///
    /// # Safety
    /// `to` is valid for writing as many places as the group has bytes.
    #[inline(always)]
    unsafe fn places(self, bytes: &[u8; GROUP], first: u16, to: *mut u16) -> usize {
        // SAFETY: the caller's promise.
        unsafe { super::places::of_group(bytes, first, to) }
    }
    /// `a * b + c`, rounded once where the processor can do so.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Lanes of `negative` where the lane of `sign` has its sign bit set, else lanes of `positive`.
    fn by_sign(self, sign: Self::V, negative: Self::V, positive: Self::V) -> Self::V;
    /// Adds the low bits of `n` to the exponent of `a`: `a * 2^n` for `n` as left by adding
    /// `1.5 * 2^23` to a float.
    fn scale(self, a: Self::V, n: Self::V) -> Self::V;
}

/// Plain arrays: what the compiler makes of them on any processor.
#[derive(Clone, Copy)]
pub(super) struct Portable;

const WIDTH: usize = 4;

impl Portable {
    #[inline(always)]
    fn map2(a: [f32; WIDTH], b: [f32; WIDTH], f: impl Fn(f32, f32) -> f32) -> [f32; WIDTH] {
        [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
    }
}

impl Simd for Portable {
    const LANES: usize = WIDTH;
    const REGISTERS: usize = 16;
    type V = [f32; WIDTH];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; WIDTH]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::V {
        // SAFETY: the caller grants `LANES` floats; no alignment is assumed.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_part(self, from: *const f32, count: usize) -> Self::V {
        let mut v = [0.0; WIDTH];
        for (lane, x) in v.iter_mut().enumerate().take(count) {
            // SAFETY: the caller grants `count` floats.
            *x = unsafe { *from.add(lane) };
        }
        v
    }
    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> Self::V {
        // SAFETY: the caller grants `LANES` bytes.
        let bytes = unsafe { from.cast::<[u8; WIDTH]>().read_unaligned() };
        bytes.map(f32::from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: Self::V) {
        // SAFETY: the caller grants `LANES` floats; no alignment is assumed.
        unsafe { to.cast::<Self::V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, v: Self::V, count: usize) {
        for (lane, x) in v.iter().enumerate().take(count) {
            // SAFETY: the caller grants `count` floats.
            unsafe { *to.add(lane) = *x }
        }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        Self::map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        Self::map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        Self::map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        Self::map2(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        Self::map2(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn sqrt(self, a: Self::V) -> Self::V {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    fn minus_abs(self, a: Self::V) -> Self::V {
        a.map(|a| -a.abs())
    }
    #[inline(always)]
    fn total(self, a: Self::V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Without the instruction `f32::mul_add` is a library call.
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            [
                a[0].mul_add(b[0], c[0]),
                a[1].mul_add(b[1], c[1]),
                a[2].mul_add(b[2], c[2]),
                a[3].mul_add(b[3], c[3]),
            ]
        } else {
            self.add(self.mul(a, b), c)
        }
    }
    #[inline(always)]
    fn by_sign(self, sign: Self::V, negative: Self::V, positive: Self::V) -> Self::V {
        let pick = |lane: usize| if sign[lane].is_sign_negative() { negative[lane] } else { positive[lane] };
        [pick(0), pick(1), pick(2), pick(3)]
    }
    #[inline(always)]
    fn scale(self, a: Self::V, n: Self::V) -> Self::V {
        Self::map2(a, n, |a, n| f32::from_bits(a.to_bits().wrapping_add(n.to_bits() << 23)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a vector's floats, as many as asked for are loaded and stored: none, some, all.
    fn parts_of_vectors<S: Simd>(s: S) {
        let from: Vec<f32> = (1..=S::LANES).map(|x| x as f32).collect();
        for count in 0..=S::LANES {
            let (mut loaded, mut stored) = (vec![9.0; S::LANES], vec![9.0; S::LANES]);
            // SAFETY: all of them hold a vector.
            unsafe {
                s.store(loaded.as_mut_ptr(), s.load_part(from.as_ptr(), count));
                s.store_part(stored.as_mut_ptr(), s.load(from.as_ptr()), count);
            }
            assert_eq!((&loaded[..count], &stored[..count]), (&from[..count], &from[..count]));
            assert!(loaded[count..].iter().all(|&x| x == 0.0), "{count} of {}", S::LANES);
            assert!(stored[count..].iter().all(|&x| x == 9.0), "{count} of {}", S::LANES);
        }
    }

    /// Every pattern of a group's first pixels, the last ones white.
    fn places_of_groups<S: Simd>(s: S) {
        for pattern in 0..4096_u32 {
            let mut group = [255; GROUP];
            (0..12).for_each(|bit| group[bit] = if pattern >> bit & 1 == 1 { 1 << (bit % 8) } else { 0 });
            let mut places = [0; GROUP];
            // SAFETY: there is room for a group.
            let count = unsafe { s.places(&group, 1000, places.as_mut_ptr()) };
            let expected: Vec<_> =
                (0..GROUP).filter(|&at| group[at] > 0).map(|at| 1000 + at as u16).collect();
            assert_eq!(places[..count], expected);
        }
    }

    #[test]
    fn every_set_of_instructions_handles_parts_and_places() {
        parts_of_vectors(Portable);
        places_of_groups(Portable);
        #[cfg(target_arch = "x86_64")]
        {
            use super::super::x86::{Avx2, Avx512};
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                // SAFETY: the instructions are there.
                let s = unsafe { Avx2::new() };
                parts_of_vectors(s);
                places_of_groups(s);
            }
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: the instructions are there.
                let s = unsafe { Avx512::new() };
                parts_of_vectors(s);
                places_of_groups(s);
            }
        }
    }
}
