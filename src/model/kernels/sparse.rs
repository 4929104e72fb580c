//! The first layer on images that are mostly black: only pixels that are not zero are multiplied.
//!
//! Zeros add nothing, so the result is that of the full product but for the order of its roundings.

// Indices unroll into registers where iterators do not.
#![allow(clippy::needless_range_loop)]

use super::simd::Simd;

/// Vectors of the output that are summed at a time.
const VECTORS: usize = 4;
/// Pixels whose weights fit into the first cache together.
const BLOCK: usize = 112;

/// For each pattern of eight pixels, where those are that are not zero.
static PLACES: [[u16; 8]; 256] = places();

const fn places() -> [[u16; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut pattern = 0;
    while pattern < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if pattern & (1 << bit) != 0 {
                table[pattern][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        pattern += 1;
    }
    table
}

/// Where the pixels of a batch are that are not zero, image after image.
#[derive(Default)]
pub(in crate::model) struct Places {
    /// Indices of pixels.
    places: Vec<u16>,
    /// Where in `places` each image begins; one more than images.
    starts: Vec<usize>,
}

impl Places {
    /// Pixels of the largest image whose places can be told.
    pub(in crate::model) const MOST_PIXELS: usize = 1 << 16;

    /// Part of all pixels.
    pub(in crate::model) fn density(&self, pixels: usize) -> f64 {
        let images = self.starts.len() - 1;
        self.starts[images] as f64 / (images * pixels) as f64
    }
}

/// Finds them in `images`, `[n, pixels]`.
#[inline(always)]
pub(super) fn find_places(images: &[u8], pixels: usize, found: &mut Places) {
    assert!(pixels <= Places::MOST_PIXELS);
    found.starts.clear();
    found.starts.push(0);
    found.places.clear();
    found.places.reserve(images.len() + 8);
    let to = found.places.as_mut_ptr();
    let mut count = 0;
    for image in images.chunks_exact(pixels) {
        let (words, tail) = image.as_chunks::<8>();
        for (word, bytes) in words.iter().enumerate() {
            let x = u64::from_le_bytes(*bytes);
            // The high bit of each byte that is not zero, gathered into eight bits.
            let high = (((x & 0x7f7f_7f7f_7f7f_7f7f) + 0x7f7f_7f7f_7f7f_7f7f) | x) & 0x8080_8080_8080_8080;
            let pattern = ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as usize;
            let base = (word * 8) as u16;
            // SAFETY: at most one place a pixel was written before, and there is room for eight more.
            unsafe {
                let to = to.add(count).cast::<[u16; 8]>();
                to.write_unaligned(PLACES[pattern].map(|place| place + base));
            }
            count += pattern.count_ones() as usize;
        }
        for (place, &pixel) in tail.iter().enumerate() {
            // SAFETY: as above.
            unsafe { to.add(count).write((words.len() * 8 + place) as u16) };
            count += usize::from(pixel != 0);
        }
        found.starts.push(count);
    }
    // SAFETY: `count` places were written.
    unsafe { found.places.set_len(count) };
}

/// Bytes as floats: a load is cheaper than a conversion.
static FLOATS: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte as f32;
        byte += 1;
    }
    table
};

/// `max(0, images / 255 * weight + bias)`: `images` as `[n, pixels]`, `weight` as `[pixels, outputs]`.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    s: S,
    images: &[u8],
    found: &Places,
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
) {
    let (rows, outputs) = (found.starts.len() - 1, bias.len());
    let pixels = weight.len() / outputs;
    assert_eq!((images.len(), weight.len()), (rows * pixels, pixels * outputs));
    assert_eq!(out.len(), rows * outputs);
    let mut slab = Vec::new();
    for col in (0..outputs).step_by(VECTORS * S::LANES) {
        let width = (VECTORS * S::LANES).min(outputs - col);
        let (weight, stride) = if width == outputs {
            (weight, outputs)
        } else {
            // Rows far apart would miss the cache one by one.
            slab.clear();
            weight.chunks_exact(outputs).for_each(|row| slab.extend_from_slice(&row[col..][..width]));
            (&slab[..], width)
        };
        let bias = &bias[col..][..width];
        for row in 0..rows {
            let places = &found.places[found.starts[row]..found.starts[row + 1]];
            let image = &images[row * pixels..][..pixels];
            let to = &mut out[row * outputs + col..][..width];
            // SAFETY: places lie inside the image; a row of the weights has `width` columns from `col` on.
            unsafe {
                match (width.is_multiple_of(S::LANES), width.div_ceil(S::LANES)) {
                    (true, 1) => forward_row::<S, 1, true>(s, image, places, weight, stride, bias, to),
                    (true, 2) => forward_row::<S, 2, true>(s, image, places, weight, stride, bias, to),
                    (true, 3) => forward_row::<S, 3, true>(s, image, places, weight, stride, bias, to),
                    (true, _) => forward_row::<S, VECTORS, true>(s, image, places, weight, stride, bias, to),
                    (false, 1) => forward_row::<S, 1, false>(s, image, places, weight, stride, bias, to),
                    (false, 2) => forward_row::<S, 2, false>(s, image, places, weight, stride, bias, to),
                    (false, 3) => forward_row::<S, 3, false>(s, image, places, weight, stride, bias, to),
                    (false, _) => {
                        forward_row::<S, VECTORS, false>(s, image, places, weight, stride, bias, to);
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn load_row<S: Simd, const N: usize, const WHOLE: bool>(
    s: S,
    from: *const f32,
    width: usize,
) -> [S::V; N] {
    let mut row = [s.splat(0.0); N];
    for n in 0..N {
        // SAFETY: the caller grants `width` floats, of which `N` vectors are made, all but the last whole.
        row[n] = unsafe {
            let from = from.add(n * S::LANES);
            if WHOLE || n + 1 < N { s.load(from) } else { s.load_part(from, width - n * S::LANES) }
        };
    }
    row
}

#[inline(always)]
unsafe fn store_row<S: Simd, const N: usize, const WHOLE: bool>(
    s: S,
    to: *mut f32,
    row: [S::V; N],
    width: usize,
) {
    for n in 0..N {
        // SAFETY: the caller grants `width` floats, of which `N` vectors are made, all but the last whole.
        unsafe {
            let to = to.add(n * S::LANES);
            if WHOLE || n + 1 < N {
                s.store(to, row[n]);
            } else {
                s.store_part(to, row[n], width - n * S::LANES);
            }
        }
    }
}

/// Adds one pixel times its weights.
#[inline(always)]
unsafe fn add_pixel<S: Simd, const N: usize, const WHOLE: bool>(
    s: S,
    sums: &mut [S::V; N],
    image: &[u8],
    place: u16,
    weight: *const f32,
    stride: usize,
    width: usize,
) {
    let place = place as usize;
    // SAFETY: the caller grants that the place lies inside the image and the weights.
    unsafe {
        let x = s.splat(FLOATS[*image.get_unchecked(place) as usize]);
        let row = load_row::<S, N, WHOLE>(s, weight.add(place * stride), width);
        for n in 0..N {
            sums[n] = s.mul_add(x, row[n], sums[n]);
        }
    }
}

#[inline(always)]
unsafe fn forward_row<S: Simd, const N: usize, const WHOLE: bool>(
    s: S,
    image: &[u8],
    places: &[u16],
    weight: &[f32],
    stride: usize,
    bias: &[f32],
    out: &mut [f32],
) {
    // Two sums, so that one addition need not wait for the other.
    let mut even = [s.splat(0.0); N];
    let mut odd = [s.splat(0.0); N];
    let width = out.len();
    let (pairs, last) = places.as_chunks::<2>();
    // SAFETY: places lie inside the image, which has as many pixels as `weight` has rows; `bias` and `out`
    // have `width` floats from here on.
    unsafe {
        let weight = weight.as_ptr();
        for &[first, second] in pairs {
            add_pixel::<S, N, WHOLE>(s, &mut even, image, first, weight, stride, width);
            add_pixel::<S, N, WHOLE>(s, &mut odd, image, second, weight, stride, width);
        }
        for &place in last {
            add_pixel::<S, N, WHOLE>(s, &mut even, image, place, weight, stride, width);
        }
        let bias = load_row::<S, N, WHOLE>(s, bias.as_ptr(), width);
        for n in 0..N {
            let sum = s.add(even[n], odd[n]);
            even[n] = s.max(s.mul_add(sum, s.splat(1.0 / 255.0), bias[n]), s.splat(0.0));
        }
        store_row::<S, N, WHOLE>(s, out.as_mut_ptr(), even, width);
    }
}

/// Adds `images^T * delta / 255` to `gradient`: `delta` as `[n, outputs]`, already divided by 255,
/// `gradient` as `[pixels, outputs]`.
#[inline(always)]
pub(super) fn weight_gradient<S: Simd>(
    s: S,
    images: &[u8],
    found: &Places,
    delta: &[f32],
    outputs: usize,
    cursors: &mut Vec<usize>,
    gradient: &mut [f32],
) {
    let rows = found.starts.len() - 1;
    let pixels = gradient.len() / outputs;
    assert_eq!((images.len(), gradient.len()), (rows * pixels, pixels * outputs));
    assert_eq!(delta.len(), rows * outputs);
    let mut slab = Vec::new();
    for col in (0..outputs).step_by(VECTORS * S::LANES) {
        let width = (VECTORS * S::LANES).min(outputs - col);
        let (to, stride) = if width == outputs {
            (&mut *gradient, outputs)
        } else {
            slab.clear();
            slab.resize(pixels * width, 0.0);
            (&mut slab[..], width)
        };
        cursors.clear();
        cursors.extend_from_slice(&found.starts[..rows]);
        for block in (0..pixels).step_by(BLOCK) {
            let end = block + BLOCK;
            for row in 0..rows {
                let places = &found.places[cursors[row]..found.starts[row + 1]];
                let image = &images[row * pixels..][..pixels];
                let delta = &delta[row * outputs + col..][..width];
                // SAFETY: places lie inside the image; a row of the gradient has `width` columns.
                cursors[row] += unsafe {
                    let to = to.as_mut_ptr();
                    match (width.is_multiple_of(S::LANES), width.div_ceil(S::LANES)) {
                        (true, 1) => scatter::<S, 1, true>(s, image, places, end, delta, stride, to),
                        (true, 2) => scatter::<S, 2, true>(s, image, places, end, delta, stride, to),
                        (true, 3) => scatter::<S, 3, true>(s, image, places, end, delta, stride, to),
                        (true, _) => scatter::<S, VECTORS, true>(s, image, places, end, delta, stride, to),
                        (false, 1) => scatter::<S, 1, false>(s, image, places, end, delta, stride, to),
                        (false, 2) => scatter::<S, 2, false>(s, image, places, end, delta, stride, to),
                        (false, 3) => scatter::<S, 3, false>(s, image, places, end, delta, stride, to),
                        (false, _) => scatter::<S, VECTORS, false>(s, image, places, end, delta, stride, to),
                    }
                };
            }
        }
        if width < outputs {
            for (to, from) in gradient.chunks_exact_mut(outputs).zip(slab.chunks_exact(width)) {
                to[col..][..width].iter_mut().zip(from).for_each(|(to, from)| *to += from);
            }
        }
    }
}

/// Returns how many places lie before `end`.
#[inline(always)]
unsafe fn scatter<S: Simd, const N: usize, const WHOLE: bool>(
    s: S,
    image: &[u8],
    places: &[u16],
    end: usize,
    delta: &[f32],
    stride: usize,
    gradient: *mut f32,
) -> usize {
    let width = delta.len();
    // SAFETY: places lie inside the image, which has as many pixels as the gradient has rows.
    unsafe {
        let delta = load_row::<S, N, WHOLE>(s, delta.as_ptr(), width);
        for (done, &place) in places.iter().enumerate() {
            let place = place as usize;
            if place >= end {
                return done;
            }
            let x = s.splat(FLOATS[*image.get_unchecked(place) as usize]);
            let at = gradient.add(place * stride);
            let mut row = load_row::<S, N, WHOLE>(s, at, width);
            for n in 0..N {
                row[n] = s.mul_add(x, delta[n], row[n]);
            }
            store_row::<S, N, WHOLE>(s, at, row, width);
        }
    }
    places.len()
}
