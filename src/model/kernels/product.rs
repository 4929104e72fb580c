//! Matrix products in tiles of six rows by two vectors, whose sums and operands sixteen registers just
//! hold, and what is done with a tile while it is still in registers.
//!
//! Sums run over the inner dimension in order, so a result does not depend on how many rows or columns
//! are computed at a time.

// Indices unroll into registers where iterators do not.
#![allow(clippy::needless_range_loop)]

use super::columns::Columns;
use super::finish::Finish;
use super::simd::Simd;
use super::upcoming::{self, Upcoming};

/// Rows of a tile.
const ROWS: usize = 6;
/// Vectors in a row of a tile, and in a row of a panel of columns.
pub(super) const VECTORS: usize = 2;
/// Floats of the right-hand side that are used in place: more of them would fall out of the first cache.
const IN_PLACE: usize = 6 * 1024;
/// Rows and columns that are transposed at a time.
const BLOCK: usize = 4;

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
    /// `matrix` as it is.
    pub(super) fn rows(matrix: Columns<'a>) -> Self {
        let (rows, depth) = (matrix.rows(), matrix.width());
        Self { data: matrix.data(), rows, depth, row_stride: matrix.stride(), depth_stride: 1 }
    }

    /// The transpose of `matrix`.
    pub(super) fn columns(matrix: Columns<'a>) -> Self {
        let (rows, depth) = (matrix.width(), matrix.rows());
        Self { data: matrix.data(), rows, depth, row_stride: 1, depth_stride: matrix.stride() }
    }
}

/// The right-hand side of a product, `[depth, columns]`.
#[derive(Clone, Copy)]
pub(in crate::model) enum Right<'a> {
    /// As it is.
    Rows(Columns<'a>),
    /// The transpose of this.
    Transposed(Columns<'a>),
}

impl Right<'_> {
    fn shape(self) -> (usize, usize) {
        match self {
            Self::Rows(matrix) => (matrix.rows(), matrix.width()),
            Self::Transposed(matrix) => (matrix.width(), matrix.rows()),
        }
    }

    pub(super) fn columns(self) -> usize {
        self.shape().1
    }
}

/// `left * right`; each vector of it goes to `finish`.
#[inline(always)]
pub(super) fn product<S: Simd, F: Finish<S>>(
    s: S,
    left: Left,
    right: Right,
    panel: &mut Vec<f32>,
    finish: &mut F,
) {
    let (depth, columns) = right.shape();
    assert_eq!(depth, left.depth);
    let wide = VECTORS * S::LANES;
    let mut upcoming = upcoming::lend();
    for col in (0..columns).step_by(wide) {
        let width = wide.min(columns - col);
        let packed = width.next_multiple_of(S::LANES);
        let (from, stride) = match right {
            // A panel that is too long for the cache, or has rows of no whole vectors, is copied together.
            Right::Rows(right)
                if width == packed && (depth * wide <= IN_PLACE || left.rows <= ROWS || depth == 0) =>
            {
                // Of no rows nothing is read.
                (right.data().as_ptr().wrapping_add(col), right.stride())
            }
            Right::Rows(right) => {
                panel.resize(depth * packed, 0.0);
                copy_panel(s, right, col, width, panel);
                (panel.as_ptr(), packed)
            }
            Right::Transposed(right) => {
                panel.resize(depth * packed, 0.0);
                transpose_panel(right, col, width, panel, packed);
                (panel.as_ptr(), packed)
            }
        };
        // SAFETY: `from` has `left.depth` rows of `stride` floats with `width` columns, in whole vectors.
        unsafe {
            match width.div_ceil(S::LANES) {
                1 => column_of_tiles::<S, F, 1>(s, left, from, stride, col, width, finish, &mut upcoming),
                _ => {
                    column_of_tiles::<S, F, VECTORS>(
                        s,
                        left,
                        from,
                        stride,
                        col,
                        width,
                        finish,
                        &mut upcoming,
                    );
                }
            }
            finish.panel(s, col, width);
        }
    }
    upcoming.give_back();
}

/// Copies `width` columns from `col` on, filled up to whole vectors with zeros.
#[inline(always)]
fn copy_panel<S: Simd>(s: S, right: Columns, col: usize, width: usize, panel: &mut [f32]) {
    let wide = VECTORS * S::LANES;
    for (row, to) in panel.chunks_exact_mut(width.next_multiple_of(S::LANES)).enumerate() {
        let from = right.row(row);
        if width == wide {
            assert!(from.len() >= col + wide && to.len() == wide);
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
}

/// Copies `width` rows from `row` on as columns of `stride` floats, the others zero.
#[inline(always)]
fn transpose_panel(right: Columns, row: usize, width: usize, panel: &mut [f32], stride: usize) {
    let depth = right.width();
    assert!(row + width <= right.rows() && width <= stride && panel.len() == depth * stride);
    if width < stride {
        panel.fill(0.0);
    }
    let whole = |count: usize| count - count % BLOCK;
    // SAFETY: `right` has these rows with `depth` floats, and `panel` as many columns.
    unsafe {
        let from = right.data().as_ptr().wrapping_add(row * right.stride());
        let to = panel.as_mut_ptr();
        for r in (0..whole(width)).step_by(BLOCK) {
            for d in (0..whole(depth)).step_by(BLOCK) {
                let from = from.add(r * right.stride() + d);
                transpose(from, right.stride(), to.add(d * stride + r), stride);
            }
        }
        for r in 0..width {
            let rest = if r < whole(width) { whole(depth) } else { 0 };
            for d in rest..depth {
                *to.add(d * stride + r) = *from.add(r * right.stride() + d);
            }
        }
    }
}

/// Copies a block, its rows as columns.
///
/// # Safety
/// Both are valid for as many rows of a block, so many floats apart.
#[inline(always)]
unsafe fn transpose(from: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let rows: [[f32; BLOCK]; BLOCK] =
            std::array::from_fn(|r| from.add(r * stride).cast::<[f32; BLOCK]>().read_unaligned());
        #[cfg(target_arch = "x86_64")]
        let columns = super::x86::transpose(rows);
        #[cfg(not(target_arch = "x86_64"))]
        let columns: [[f32; BLOCK]; BLOCK] = std::array::from_fn(|c| rows.map(|row| row[c]));
        for (c, column) in columns.into_iter().enumerate() {
            to.add(c * to_stride).cast::<[f32; BLOCK]>().write_unaligned(column);
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn column_of_tiles<S: Simd, F: Finish<S>, const N: usize>(
    s: S,
    left: Left,
    right: *const f32,
    stride: usize,
    col: usize,
    width: usize,
    finish: &mut F,
    upcoming: &mut Upcoming,
) {
    let rest = left.rows % ROWS;
    let whole = left.rows - rest;
    // SAFETY: all rows asked for lie inside `left`, and `right` is the caller's.
    unsafe {
        for row in (0..whole).step_by(ROWS) {
            upcoming.fetch();
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
        let mut a = left.data.as_ptr().wrapping_add(row * left.row_stride);
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
