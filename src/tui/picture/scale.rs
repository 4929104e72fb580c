//! Sizes that keep the aspect of an image, and the averaging that gets it there.

use super::Size;

/// The size in pixels at which an image of `rows` x `cols` stands in a box of `width` x `height`
/// pixels, its aspect kept. Whole multiples and the half stay exact, so that small images stay crisp.
pub(crate) fn fit(rows: u32, cols: u32, width: u16, height: u16) -> Size {
    let (rows, cols) = (rows.max(1) as f32, cols.max(1) as f32);
    let room = (f32::from(width) / cols).min(f32::from(height) / rows);
    let scale = if room >= 1.0 {
        room.floor()
    } else if room >= 0.5 {
        0.5
    } else {
        room
    };
    let side = |pixels: f32, limit: u16| ((pixels * scale).round() as u16).clamp(1, limit.max(1));
    Size { width: side(cols, width), height: side(rows, height) }
}

/// The grid in which `units` of a code stand in a box of `width` x `height` pixels: the one that leaves
/// each unit the most columns, in as few rows as will do. Where there are more units than pixels,
/// neighbours share one.
pub(crate) fn grid(units: usize, width: u16, height: u16) -> Size {
    let (width, height) = (usize::from(width.max(1)), usize::from(height.max(1)));
    let columns = |rows: usize| units.div_ceil(rows).clamp(1, width);
    let least = units.div_ceil(width).clamp(1, height);
    let rows = (least..=height).rev().max_by_key(|&rows| width / columns(rows)).unwrap_or(least);
    Size { width: columns(rows) as u16, height: rows as u16 }
}

/// Each target pixel is the mean of the area of `values` (`[rows * cols]`) that it covers.
pub(crate) fn resample(values: &[f32], rows: usize, cols: usize, size: Size) -> Vec<f32> {
    let (width, height) = (usize::from(size.width), usize::from(size.height));
    if rows == 0 || cols == 0 || values.len() < rows * cols {
        return vec![0.0; width * height];
    }
    let across = spans(cols, width);
    let down = spans(rows, height);
    let mut target = Vec::with_capacity(width * height);
    for rows in &down {
        for columns in &across {
            let (mut sum, mut area) = (0.0, 0.0);
            for &(row, tall) in rows {
                for &(column, wide) in columns {
                    sum += values[row * cols + column] * tall * wide;
                    area += tall * wide;
                }
            }
            target.push(sum / area);
        }
    }
    target
}

/// For each of `to` pixels the source pixels it covers and how much of each.
fn spans(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    // In units of 1 / (from * to) everything is a whole number.
    (0..to)
        .map(|target| {
            let (start, end) = (target * from, (target + 1) * from);
            (start / to..end.div_ceil(to).min(from))
                .map(|source| {
                    let covered = end.min((source + 1) * to) - start.max(source * to);
                    (source, covered as f32)
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_stand_in_full_or_at_half() {
        let size = |width, height| Size { width, height };
        assert_eq!(fit(28, 28, 28, 28), size(28, 28));
        assert_eq!(fit(28, 28, 40, 30), size(28, 28));
        assert_eq!(fit(28, 28, 60, 56), size(56, 56));
        assert_eq!(fit(28, 28, 27, 28), size(14, 14));
        assert_eq!(fit(256, 128, 28, 28), size(14, 28));
        assert_eq!(fit(16, 64, 64, 64), size(64, 16));
        assert_eq!(fit(256, 1, 28, 28), size(1, 28));
    }

    #[test]
    fn codes_stand_in_few_rows() {
        let size = |width, height| Size { width, height };
        assert_eq!(grid(32, 28, 2), size(16, 2));
        assert_eq!(grid(32, 14, 4), size(11, 3));
        assert_eq!(grid(32, 64, 1), size(32, 1));
        assert_eq!(grid(32, 28, 4), size(8, 4));
        assert_eq!(grid(1000, 14, 4), size(14, 4));
        assert_eq!(grid(0, 14, 4), size(1, 1));
    }

    #[test]
    fn half_size_is_the_mean_of_four() {
        let values = [0.0, 1.0, 0.5, 0.5, 1.0, 0.0, 0.5, 0.5];
        assert_eq!(resample(&values, 2, 4, Size { width: 2, height: 1 }), [0.5, 0.5]);
    }

    proptest! {
        #[test]
        fn the_mean_is_kept(rows in 1_usize..70, cols in 1_usize..70, width in 1_u16..70, height in 1_u16..70) {
            let values: Vec<f32> = (0..rows * cols).map(|i| (i * 37 % 101) as f32 / 100.0).collect();
            let target = resample(&values, rows, cols, Size { width, height });
            prop_assert_eq!(target.len(), usize::from(width) * usize::from(height));
            let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
            prop_assert!((mean(&values) - mean(&target)).abs() < 1e-4);
        }

        #[test]
        fn an_image_fits_its_box(rows in 0_u32..300, cols in 0_u32..300, width in 1_u16..200, height in 1_u16..200) {
            let size = fit(rows, cols, width, height);
            prop_assert!((1..=width).contains(&size.width) && (1..=height).contains(&size.height));
        }
    }
}
