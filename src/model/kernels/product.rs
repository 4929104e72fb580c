//! Matrix products in tiles of six rows by two vectors, whose sums and operands sixteen registers just
//! hold, and what is done with a tile while it is still in registers.
//!
//! Sums run over the inner dimension in order, so a result does not depend on how many rows or columns
//! are computed at a time.

// Indices unroll into registers where iterators do not.
#![allow(clippy::needless_range_loop)]

use super::simd::Simd;

/// Rows of a tile.
const ROWS: usize = 6;
/// Vectors in a row of a tile, and in a row of a panel of columns.
pub(super) const VECTORS: usize = 2;
/// Rows of a tile of dot products.
const DOT_ROWS: usize = 4;
/// Columns of a tile of dot products.
const DOTS: usize = 3;
/// Floats of the right-hand side of dot products that stay in the first cache beside the left ones.
const DOT_BLOCK: usize = 3 * 1024;
/// Floats of the right-hand side that are used in place: more of them would fall out of the first cache.
const IN_PLACE: usize = 6 * 1024;

/// A matrix that is read element by element: `[rows, depth]`, element `(row, d)` at
/// `data[row * row_stride + d * depth_stride]`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    data: &'a [f32],
    rows: usize,
    depth: usize,
    row_stride: usize,
    depth_stride: usize,
}

impl<'a> Left<'a> {
    /// `data` as `[rows, depth]`, row after row.
    pub(super) fn rows(data: &'a [f32], rows: usize, depth: usize) -> Self {
        assert_eq!(data.len(), rows * depth);
        Self { data, rows, depth, row_stride: depth, depth_stride: 1 }
    }

    /// The transpose of `data`, which is `[depth, rows]`, row after row.
    pub(super) fn columns(data: &'a [f32], rows: usize, depth: usize) -> Self {
        assert_eq!(data.len(), rows * depth);
        Self { data, rows, depth, row_stride: 1, depth_stride: rows }
    }
}

/// Takes each vector of a product once it is summed up.
pub(super) trait Finish<S: Simd> {
    /// `sum` stands in `row` from column `col` on; its first `width` lanes count, all of them if
    /// it is `WHOLE`.
    ///
    /// # Safety
    /// `row` and `col + width` lie inside the product.
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, width: usize, sum: S::V);

    /// All rows of the panel of `width` columns from `col` on have been taken.
    ///
    /// # Safety
    /// `col + width` lies inside the product.
    #[inline(always)]
    unsafe fn panel(&mut self, s: S, col: usize, width: usize) {
        let _ = (s, col, width);
    }
}

/// `left * right` with `right` as `[left.depth, columns]`.
#[inline(always)]
pub(super) fn product<S: Simd, F: Finish<S>>(
    s: S,
    left: Left,
    right: &[f32],
    columns: usize,
    panel: &mut Vec<f32>,
    finish: &mut F,
) {
    assert_eq!(right.len(), left.depth * columns);
    let wide = VECTORS * S::LANES;
    for col in (0..columns).step_by(wide) {
        let width = wide.min(columns - col);
        // A panel that is too long for the cache, or has rows of no whole vectors, is copied together.
        let pack = !width.is_multiple_of(S::LANES) || (left.depth * wide > IN_PLACE && left.rows > ROWS);
        // SAFETY: `col` lies inside the first row of `right`.
        let mut from = unsafe { right.as_ptr().add(col) };
        let mut stride = columns;
        if pack {
            stride = width.next_multiple_of(S::LANES);
            panel.resize(left.depth * stride, 0.0);
            for (to, from) in panel.chunks_exact_mut(stride).zip(right.chunks_exact(columns)) {
                if width == wide {
                    // SAFETY: both rows have `wide` floats from here on.
                    unsafe {
                        for n in 0..VECTORS {
                            let at = n * S::LANES;
                            s.store(to.as_mut_ptr().add(at), s.load(from.as_ptr().add(col + at)));
                        }
                    }
                } else {
                    to[..width].copy_from_slice(&from[col..][..width]);
                    to[width..].fill(0.0);
                }
            }
            from = panel.as_ptr();
        }
        // SAFETY: `from` has `left.depth` rows of `stride` floats with `width` columns, in whole vectors.
        unsafe {
            match width.div_ceil(S::LANES) {
                1 => column_of_tiles::<S, F, 1>(s, left, from, stride, col, width, finish),
                _ => column_of_tiles::<S, F, VECTORS>(s, left, from, stride, col, width, finish),
            }
            finish.panel(s, col, width);
        }
    }
}

#[inline(always)]
unsafe fn column_of_tiles<S: Simd, F: Finish<S>, const N: usize>(
    s: S,
    left: Left,
    right: *const f32,
    stride: usize,
    col: usize,
    width: usize,
    finish: &mut F,
) {
    let rest = left.rows % ROWS;
    let whole = left.rows - rest;
    // SAFETY: all rows asked for lie inside `left`, and `right` is the caller's.
    unsafe {
        for row in (0..whole).step_by(ROWS) {
            tile::<S, F, ROWS, N>(s, left, row, right, stride, col, width, finish);
        }
        match rest {
            0 => {}
            1 => tile::<S, F, 1, N>(s, left, whole, right, stride, col, width, finish),
            2 => tile::<S, F, 2, N>(s, left, whole, right, stride, col, width, finish),
            3 => tile::<S, F, 3, N>(s, left, whole, right, stride, col, width, finish),
            4 => tile::<S, F, 4, N>(s, left, whole, right, stride, col, width, finish),
            _ => tile::<S, F, 5, N>(s, left, whole, right, stride, col, width, finish),
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn tile<S: Simd, F: Finish<S>, const M: usize, const N: usize>(
    s: S,
    left: Left,
    row: usize,
    right: *const f32,
    stride: usize,
    col: usize,
    width: usize,
    finish: &mut F,
) {
    let mut sums = [[s.splat(0.0); N]; M];
    // SAFETY: rows `row..row + M` and all of the depth lie inside `left`; `right` has as many rows, each
    // with `N` whole vectors from its beginning.
    unsafe {
        let mut a = left.data.as_ptr().add(row * left.row_stride);
        let mut b = right;
        for _ in 0..left.depth {
            let mut vectors = [s.splat(0.0); N];
            for n in 0..N {
                vectors[n] = s.load(b.add(n * S::LANES));
            }
            for m in 0..M {
                let x = s.splat(*a.add(m * left.row_stride));
                for n in 0..N {
                    sums[m][n] = s.mul_add(x, vectors[n], sums[m][n]);
                }
            }
            a = a.wrapping_add(left.depth_stride);
            b = b.wrapping_add(stride);
        }
        if width == N * S::LANES {
            for m in 0..M {
                for n in 0..N {
                    finish.finish::<true>(s, row + m, col + n * S::LANES, S::LANES, sums[m][n]);
                }
            }
        } else {
            for m in 0..M {
                for n in 0..N {
                    let left = width - n * S::LANES;
                    finish.finish::<false>(s, row + m, col + n * S::LANES, left.min(S::LANES), sums[m][n]);
                }
            }
        }
    }
}

/// `left * right^T`, added to `out`: `left` as `[rows, depth]`, `right` as `[columns, depth]`.
#[inline(always)]
pub(super) fn product_transposed<S: Simd>(s: S, left: &[f32], right: &[f32], depth: usize, out: &mut [f32]) {
    let (rows, columns) = (left.len() / depth, right.len() / depth);
    assert_eq!((left.len(), right.len(), out.len()), (rows * depth, columns * depth, rows * columns));
    // All rows of `left` meet a block of rows of `right` that stays in the first cache, four at a time.
    let (block, quad) = ((DOT_BLOCK / depth / DOTS * DOTS).max(DOTS), DOT_ROWS);
    for begin in (0..columns).step_by(block) {
        let end = columns.min(begin + block);
        for row in (0..rows).step_by(quad) {
            for col in (begin..end).step_by(DOTS) {
                // SAFETY: the tiles asked for lie inside `out`.
                unsafe {
                    match end - col {
                        1 => row_of_dots::<S, 1>(s, left, right, depth, columns, row, col, out),
                        2 => row_of_dots::<S, 2>(s, left, right, depth, columns, row, col, out),
                        _ => row_of_dots::<S, DOTS>(s, left, right, depth, columns, row, col, out),
                    }
                }
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn row_of_dots<S: Simd, const N: usize>(
    s: S,
    left: &[f32],
    right: &[f32],
    depth: usize,
    columns: usize,
    row: usize,
    col: usize,
    out: &mut [f32],
) {
    // SAFETY: row and columns are the caller's, and no more rows are asked for than there are.
    unsafe {
        match left.len() / depth - row {
            1 => dots::<S, 1, N>(s, left, right, depth, columns, row, col, out),
            2 => dots::<S, 2, N>(s, left, right, depth, columns, row, col, out),
            3 => dots::<S, 3, N>(s, left, right, depth, columns, row, col, out),
            _ => dots::<S, DOT_ROWS, N>(s, left, right, depth, columns, row, col, out),
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn dots<S: Simd, const M: usize, const N: usize>(
    s: S,
    left: &[f32],
    right: &[f32],
    depth: usize,
    columns: usize,
    row: usize,
    col: usize,
    out: &mut [f32],
) {
    let mut sums = [[s.splat(0.0); N]; M];
    let tail = depth % S::LANES;
    // SAFETY: the caller grants rows `row..row + M` of `left` and `col..col + N` of `right`; every load ends
    // inside its row.
    unsafe {
        let a = left.as_ptr().add(row * depth);
        let b = right.as_ptr().add(col * depth);
        let mut at = 0;
        while at + S::LANES <= depth {
            let mut vectors = [s.splat(0.0); N];
            for n in 0..N {
                vectors[n] = s.load(b.add(n * depth + at));
            }
            for m in 0..M {
                let x = s.load(a.add(m * depth + at));
                for n in 0..N {
                    sums[m][n] = s.mul_add(x, vectors[n], sums[m][n]);
                }
            }
            at += S::LANES;
        }
        if tail != 0 {
            for m in 0..M {
                let x = s.load_part(a.add(m * depth + at), tail);
                for n in 0..N {
                    let y = s.load_part(b.add(n * depth + at), tail);
                    sums[m][n] = s.mul_add(x, y, sums[m][n]);
                }
            }
        }
    }
    for m in 0..M {
        for n in 0..N {
            out[(row + m) * columns + col + n] += s.total(sums[m][n]);
        }
    }
}

/// Adds the product to `out`.
pub(super) struct AddTo<'a> {
    pub(super) out: &'a mut [f32],
    pub(super) columns: usize,
}

impl<S: Simd> Finish<S> for AddTo<'_> {
    #[inline(always)]
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, width: usize, sum: S::V) {
        // SAFETY: the place lies inside the product, and `out` is as large as that.
        unsafe {
            let to = self.out.as_mut_ptr().add(row * self.columns + col);
            if WHOLE {
                s.store(to, s.add(s.load(to), sum));
            } else {
                s.store_part(to, s.add(s.load_part(to, width), sum), width);
            }
        }
    }
}

/// `max(0, product + bias)`.
pub(super) struct BiasRelu<'a> {
    pub(super) bias: &'a [f32],
    pub(super) out: &'a mut [f32],
}

impl<S: Simd> Finish<S> for BiasRelu<'_> {
    #[inline(always)]
    unsafe fn finish<const WHOLE: bool>(&mut self, s: S, row: usize, col: usize, width: usize, sum: S::V) {
        // SAFETY: the place lies inside the product, `bias` is as long as its rows, `out` as large as all.
        unsafe {
            let to = self.out.as_mut_ptr().add(row * self.bias.len() + col);
            let bias = self.bias.as_ptr().add(col);
            if WHOLE {
                s.store(to, s.max(s.add(sum, s.load(bias)), s.splat(0.0)));
            } else {
                s.store_part(to, s.max(s.add(sum, s.load_part(bias, width)), s.splat(0.0)), width);
            }
        }
    }
}
