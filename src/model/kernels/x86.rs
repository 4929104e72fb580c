//! AVX2 with FMA, and AVX-512.

#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;

use super::places::GROUP;
use super::simd::Simd;

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The processor has AVX2 and FMA.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        Self(())
    }

    /// All bits set in the first `count` lanes.
    #[inline(always)]
    fn mask(count: usize) -> __m256i {
        const ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        debug_assert!(count <= 8);
        // SAFETY: at most 8 lanes are asked for, so the 8 integers read lie inside the table.
        unsafe { _mm256_loadu_si256(ONES_THEN_ZEROS.as_ptr().add(8 - count).cast()) }
    }
}

/// Proof that the processor has AVX-512F.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The processor has AVX-512F.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        Self(())
    }

    /// The first `count` lanes.
    #[inline(always)]
    fn mask(count: usize) -> __mmask16 {
        debug_assert!(count <= 16);
        ((1_u32 << count) - 1) as __mmask16
    }
}

/// Methods that pass on to one intrinsic on registers.
macro_rules! register_methods {
    ($vector:ty: $($name:ident($($argument:ident),+) => $body:expr;)+) => {
        $(
            #[inline(always)]
            fn $name(self, $($argument: $vector),+) -> $vector {
                // SAFETY: `self` proves that the processor has the instruction.
                unsafe { $body }
            }
        )+
    };
}

impl Simd for Avx2 {
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    type V = __m256;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` proves that the processor has the instruction.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller grants 8 floats.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_part(self, from: *const f32, count: usize) -> __m256 {
        // SAFETY: masked lanes are not touched; the caller grants the others.
        unsafe { _mm256_maskload_ps(from, Self::mask(count)) }
    }
    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> __m256 {
        // SAFETY: the caller grants 8 bytes.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m256) {
        // SAFETY: the caller grants 8 floats.
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, v: __m256, count: usize) {
        // SAFETY: masked lanes are not touched; the caller grants the others.
        unsafe { _mm256_maskstore_ps(to, Self::mask(count), v) }
    }
    #[inline(always)]
    fn total(self, a: __m256) -> f32 {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    register_methods! { __m256:
        add(a, b) => _mm256_add_ps(a, b);
        sub(a, b) => _mm256_sub_ps(a, b);
        mul(a, b) => _mm256_mul_ps(a, b);
        div(a, b) => _mm256_div_ps(a, b);
        max(a, b) => _mm256_max_ps(a, b);
        sqrt(a) => _mm256_sqrt_ps(a);
        minus_abs(a) => _mm256_or_ps(_mm256_set1_ps(-0.0), a);
        mul_add(a, b, c) => _mm256_fmadd_ps(a, b, c);
        by_sign(sign, negative, positive) => _mm256_blendv_ps(positive, negative, sign);
        scale(a, n) => _mm256_castsi256_ps(_mm256_add_epi32(
            _mm256_castps_si256(a),
            _mm256_slli_epi32::<23>(_mm256_castps_si256(n)),
        ));
    }
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    type V = __m512;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: `self` proves that the processor has the instruction.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller grants 16 floats.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_part(self, from: *const f32, count: usize) -> __m512 {
        // SAFETY: masked lanes are not touched; the caller grants the others.
        unsafe { _mm512_maskz_loadu_ps(Self::mask(count), from) }
    }
    #[inline(always)]
    unsafe fn load_bytes(self, from: *const u8) -> __m512 {
        // SAFETY: the caller grants 16 bytes.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        // SAFETY: the caller grants 16 floats.
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, v: __m512, count: usize) {
        // SAFETY: masked lanes are not touched; the caller grants the others.
        unsafe { _mm512_mask_storeu_ps(to, Self::mask(count), v) }
    }
    #[inline(always)]
    fn total(self, a: __m512) -> f32 {
        // SAFETY: `self` proves that the processor has the instruction.
        unsafe { _mm512_reduce_add_ps(a) }
    }
    #[inline(always)]
    unsafe fn places(self, bytes: &[u8; GROUP], first: u16, to: *mut u16) -> usize {
        // SAFETY: `self` proves that the processor has the instructions; the caller grants sixteen places.
        unsafe {
            let pixels = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()));
            let lit = _mm512_test_epi32_mask(pixels, pixels);
            let indices = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let indices = _mm512_add_epi32(indices, _mm512_set1_epi32(i32::from(first)));
            let places = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(lit, indices));
            _mm256_storeu_si256(to.cast(), places);
            lit.count_ones() as usize
        }
    }
    register_methods! { __m512:
        add(a, b) => _mm512_add_ps(a, b);
        sub(a, b) => _mm512_sub_ps(a, b);
        mul(a, b) => _mm512_mul_ps(a, b);
        div(a, b) => _mm512_div_ps(a, b);
        max(a, b) => _mm512_max_ps(a, b);
        sqrt(a) => _mm512_sqrt_ps(a);
        minus_abs(a) => _mm512_castsi512_ps(_mm512_or_epi32(_mm512_castps_si512(a), _mm512_set1_epi32(i32::MIN)));
        mul_add(a, b, c) => _mm512_fmadd_ps(a, b, c);
        by_sign(sign, negative, positive) => _mm512_mask_blend_ps(
            _mm512_cmplt_epi32_mask(_mm512_castps_si512(sign), _mm512_setzero_si512()),
            positive,
            negative,
        );
        scale(a, n) => _mm512_castsi512_ps(_mm512_add_epi32(
            _mm512_castps_si512(a),
            _mm512_slli_epi32::<23>(_mm512_castps_si512(n)),
        ));
    }
}

/// Rows become columns. In instructions that every x86-64 has.
#[inline(always)]
pub(super) fn transpose(block: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    // SAFETY: SSE is part of x86-64; four floats are four floats.
    unsafe {
        let [a, b, c, d] = block.map(|row| std::mem::transmute::<[f32; 4], __m128>(row));
        let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        let columns = [
            _mm_movelh_ps(ab, cd),
            _mm_movehl_ps(cd, ab),
            _mm_movelh_ps(ab_high, cd_high),
            _mm_movehl_ps(cd_high, ab_high),
        ];
        columns.map(|column| std::mem::transmute::<__m128, [f32; 4]>(column))
    }
}
