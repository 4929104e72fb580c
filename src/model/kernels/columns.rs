//! Some columns of a matrix that is stored row after row: what one half of a layer works on.

use std::marker::PhantomData;
use std::ops::Range;

/// Columns to be read.
#[derive(Clone, Copy)]
pub(in crate::model) struct Columns<'a, E = f32> {
    /// From the first of them on.
    data: &'a [E],
    rows: usize,
    width: usize,
    stride: usize,
}

impl<'a, E> Columns<'a, E> {
    /// All of `data`, `[rows, columns]`, row after row.
    pub(in crate::model) fn all(data: &'a [E], (rows, columns): (usize, usize)) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of this shape");
        Self { data, rows, width: columns, stride: columns }
    }

    /// Some of these columns.
    pub(in crate::model) fn range(self, range: &Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.width, "columns inside the matrix");
        let data = self.data.get(range.start..).unwrap_or_default();
        Self { data, rows: self.rows, width: range.len(), stride: self.stride }
    }

    /// Rows of the matrix.
    pub(in crate::model) fn rows(self) -> usize {
        self.rows
    }

    /// Number of these columns.
    pub(in crate::model) fn width(self) -> usize {
        self.width
    }

    /// Elements from one row to the next.
    pub(super) fn stride(self) -> usize {
        self.stride
    }

    /// One row of these columns.
    pub(in crate::model) fn row(self, row: usize) -> &'a [E] {
        &self.data[row * self.stride..][..self.width]
    }

    /// From the first row's first column on; the others follow at every `stride`.
    pub(super) fn data(self) -> &'a [E] {
        self.data
    }
}

/// Columns to be written. Several may be borrowed of one matrix, as long as they do not overlap.
pub(in crate::model) struct ColumnsMut<'a, E = f32> {
    first: *mut E,
    rows: usize,
    width: usize,
    stride: usize,
    borrowed: PhantomData<&'a mut [E]>,
}

// SAFETY: it is an exclusive borrow of its elements, and no two values have one in common.
unsafe impl<E: Send> Send for ColumnsMut<'_, E> {}

impl<'a, E> ColumnsMut<'a, E> {
    /// All of `data`, `[rows, columns]`, row after row.
    pub(in crate::model) fn all(data: &'a mut [E], (rows, columns): (usize, usize)) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of this shape");
        Self { first: data.as_mut_ptr(), rows, width: columns, stride: columns, borrowed: PhantomData }
    }

    /// The columns before `at`, and those from there on.
    pub(in crate::model) fn split_at(self, at: usize) -> (Self, Self) {
        assert!(at <= self.width, "a column inside the matrix");
        let back = Self { first: self.first.wrapping_add(at), width: self.width - at, ..self };
        (Self { width: at, ..self }, back)
    }

    /// The rows before `at`, and those from there on.
    pub(in crate::model) fn split_below(self, at: usize) -> (Self, Self) {
        assert!(at <= self.rows, "a row inside the matrix");
        let first = self.first.wrapping_add(at * self.stride);
        let below = Self { first, rows: self.rows - at, ..self };
        (Self { rows: at, ..self }, below)
    }

    /// Rows of the matrix.
    pub(in crate::model) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of these columns.
    pub(in crate::model) fn width(&self) -> usize {
        self.width
    }

    /// One row of these columns.
    pub(in crate::model) fn row(&mut self, row: usize) -> &mut [E] {
        assert!(row < self.rows, "a row inside the matrix");
        // SAFETY: the row's columns lie inside the matrix, and are borrowed by this value alone.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(row * self.stride), self.width) }
    }

    /// Where an element is.
    ///
    /// # Safety
    /// The element lies inside the matrix.
    #[inline(always)]
    pub(super) unsafe fn at(&mut self, row: usize, column: usize) -> *mut E {
        // SAFETY: the caller grants that the place lies inside the borrowed matrix.
        unsafe { self.first.add(row * self.stride + column) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_matrix_are_its_columns() {
        let mut data: Vec<u32> = (0..12).collect();
        let (mut front, mut back) = ColumnsMut::all(&mut data, (3, 4)).split_at(1);
        assert_eq!((front.rows(), front.width(), back.width()), (3, 1, 3));
        front.row(2)[0] = 100;
        back.row(0).copy_from_slice(&[7, 8, 9]);
        let all = Columns::all(&data, (3, 4));
        assert_eq!(all.row(0), [0, 7, 8, 9]);
        let some = all.range(&(0..2));
        assert_eq!((some.row(2), some.rows(), some.width()), (&[100, 9][..], 3, 2));
        assert!(all.range(&(4..4)).row(2).is_empty());
    }
}
