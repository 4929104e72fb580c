//! The first layer on images that are mostly black: only pixels that are not zero are multiplied.
//!
//! Zeros add nothing, so the result is that of the full product but for the order of its roundings.

// Indices unroll into registers where iterators do not.
#![allow(clippy::needless_range_loop)]

use super::columns::Columns;
use super::places::Places;
use super::simd::Simd;

/// Vectors of the output that are summed at a time.
const VECTORS: usize = 4;
/// The same where twice as many fit into the registers.
const MANY_VECTORS: usize = 8;

/// Columns that are summed at a time, if so many are left.
#[inline(always)]
fn columns_at_a_time<S: Simd>(left: usize) -> usize {
    let many = MANY_VECTORS * S::LANES;
    if S::REGISTERS > 16 && left >= many { many } else { left.min(VECTORS * S::LANES) }
}

/// Calls the function for as many vectors as `$width` floats take, and for whole ones or not.
macro_rules! by_width {
    ($s:ident, $width:expr, $function:ident($($argument:expr),+)) => {
        match ($width.is_multiple_of($s::LANES), $width.div_ceil($s::LANES)) {
            (true, 1) => $function::<$s, 1, true>($($argument),+),
            (true, 2) => $function::<$s, 2, true>($($argument),+),
            (true, 3) => $function::<$s, 3, true>($($argument),+),
            (true, VECTORS) => $function::<$s, VECTORS, true>($($argument),+),
            (true, _) => $function::<$s, MANY_VECTORS, true>($($argument),+),
            (false, 1) => $function::<$s, 1, false>($($argument),+),
            (false, 2) => $function::<$s, 2, false>($($argument),+),
            (false, 3) => $function::<$s, 3, false>($($argument),+),
            (false, _) => $function::<$s, VECTORS, false>($($argument),+),
        }
    };
}
/// Pixels whose weights fit into the first cache together, for a few vectors and for many.
const BLOCK: usize = 112;
const BLOCK_OF_MANY: usize = 56;

/// Bytes as pixels in 0..1: a load is cheaper than a conversion.
static FLOATS: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte as f32 / 255.0;
        byte += 1;
    }
    table
};

/// `images / 255 * weight`: `images` as `[n, pixels]`, `weight` as `[pixels, outputs]`.
#[inline(always)]
pub(super) fn product<S: Simd>(s: S, images: Columns<u8>, found: &Places, weight: Columns, out: &mut [f32]) {
    let outputs = weight.width();
    assert_eq!((images.rows(), images.width()), (found.images(), weight.rows()));
    assert_eq!(out.len(), images.rows() * outputs);
    let mut slab = Vec::new();
    let mut next = 0;
    while next < outputs {
        let (col, width) = (next, columns_at_a_time::<S>(outputs - next));
        next += width;
        let (weight, stride) = if width == weight.stride() {
            (weight.data(), width)
        } else {
            // Rows far apart would miss the cache one by one.
            slab.clear();
            (0..weight.rows()).for_each(|row| slab.extend_from_slice(&weight.row(row)[col..][..width]));
            (&slab[..], width)
        };
        for row in 0..images.rows() {
            let (image, places) = (images.row(row), found.of(row));
            let to = &mut out[row * outputs + col..][..width];
            // SAFETY: places lie inside the image; a row of the weights has `width` columns from `col` on.
            unsafe {
                by_width!(S, width, product_row(s, image, places, weight, stride, to));
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
unsafe fn product_row<S: Simd, const N: usize, const WHOLE: bool>(
    s: S,
    image: &[u8],
    places: &[u16],
    weight: &[f32],
    stride: usize,
    out: &mut [f32],
) {
    // Two sums, so that one addition need not wait for the other.
    let mut even = [s.splat(0.0); N];
    let mut odd = [s.splat(0.0); N];
    let width = out.len();
    let (pairs, last) = places.as_chunks::<2>();
    // SAFETY: places lie inside the image, which has as many pixels as `weight` has rows; `out` has `width`
    // floats.
    unsafe {
        let weight = weight.as_ptr();
        for &[first, second] in pairs {
            add_pixel::<S, N, WHOLE>(s, &mut even, image, first, weight, stride, width);
            add_pixel::<S, N, WHOLE>(s, &mut odd, image, second, weight, stride, width);
        }
        for &place in last {
            add_pixel::<S, N, WHOLE>(s, &mut even, image, place, weight, stride, width);
        }
        for n in 0..N {
            even[n] = s.add(even[n], odd[n]);
        }
        store_row::<S, N, WHOLE>(s, out.as_mut_ptr(), even, width);
    }
}

/// Adds `images^T / 255 * delta` to `gradient`: `delta` as `[n, outputs]`, `gradient` as `[pixels, outputs]`.
#[inline(always)]
pub(super) fn weight_gradient<S: Simd>(
    s: S,
    images: Columns<u8>,
    found: &Places,
    delta: Columns,
    gradient: &mut [f32],
) {
    let (rows, pixels, outputs) = (images.rows(), images.width(), delta.width());
    assert_eq!((rows, gradient.len()), (found.images(), pixels * outputs));
    assert_eq!(delta.rows(), rows);
    let mut cursors = vec![0; rows];
    let mut slab = Vec::new();
    let mut next = 0;
    while next < outputs {
        let (col, width) = (next, columns_at_a_time::<S>(outputs - next));
        next += width;
        let (to, stride) = if width == outputs {
            (&mut *gradient, outputs)
        } else {
            slab.clear();
            slab.resize(pixels * width, 0.0);
            (&mut slab[..], width)
        };
        cursors.fill(0);
        let block = if width > VECTORS * S::LANES { BLOCK_OF_MANY } else { BLOCK };
        for first in (0..pixels).step_by(block) {
            let end = first + block;
            for row in 0..rows {
                let (image, places) = (images.row(row), &found.of(row)[cursors[row]..]);
                let delta = &delta.row(row)[col..][..width];
                // SAFETY: places lie inside the image; a row of the gradient has `width` columns.
                cursors[row] += unsafe {
                    let to = to.as_mut_ptr();
                    by_width!(S, width, scatter(s, image, places, end, delta, stride, to))
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
