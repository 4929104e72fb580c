//! A chart of curves in braille dots (two by four a cell), or one character a cell in ASCII.

use super::pane::Pane;
use crate::tui::theme::Role;

/// The numbers that an axis runs over, and how they are spread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) log: bool,
}

impl Axis {
    /// Where `value` lies: 0 at the low end, 1 at the high one.
    fn place(&self, value: f64) -> f64 {
        let spread = |value: f64| if self.log { value.max(1e-12).ln() } else { value };
        let (low, high) = (spread(self.low), spread(self.high));
        (spread(value) - low) / (high - low).max(1e-12)
    }

    /// Round numbers on the axis, at least two where there is any room for them.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if self.log {
            for digits in [&[1.0, 2.0, 5.0][..], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]] {
                let ticks = self.log_ticks(digits);
                if ticks.len() >= 3 {
                    return ticks;
                }
            }
        }
        let span = (self.high - self.low).max(1e-9);
        let rough = 10_f64.powf((span / 3.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * rough).into_iter().find(|step| span / step <= 5.0);
        let step = step.unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        (first..first + 8).map(|n| n as f64 * step).filter(|tick| *tick <= self.high * 1.000_001).collect()
    }

    fn log_ticks(&self, digits: &[f64]) -> Vec<f64> {
        let decades =
            self.low.max(1e-12).log10().floor() as i32..=self.high.max(1e-12).log10().floor() as i32;
        decades
            .flat_map(|decade| digits.iter().map(move |digit| digit * 10_f64.powi(decade)))
            .filter(|tick| *tick >= self.low * 0.999_999 && *tick <= self.high * 1.000_001)
            .collect()
    }
}

/// Dots on their way to the screen.
pub(super) struct Canvas {
    width: u16,
    height: u16,
    /// Braille dots and the role of each cell, `[height * width]`.
    cells: Vec<(u8, Role)>,
    /// Dots that show only in cells that no curve goes through.
    ground: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: u16, height: u16) -> Self {
        let count = usize::from(width) * usize::from(height);
        Self { width, height, cells: vec![(0, Role::Text); count], ground: vec![0; count] }
    }

    /// The dot column of `x`, if it is on the canvas.
    fn column(&self, x: f64, axis: &Axis) -> Option<i32> {
        let place = axis.place(x);
        let columns = f64::from(self.width) * 2.0 - 1.0;
        (-1e-9..=1.000_000_1).contains(&place).then(|| (place * columns).round() as i32)
    }

    /// The dot row of `y`, drawn at the edge if it lies beyond.
    fn row(&self, y: f64, axis: &Axis) -> i32 {
        let rows = f64::from(self.height) * 4.0 - 1.0;
        ((1.0 - axis.place(y).clamp(0.0, 1.0)) * rows).round() as i32
    }

    /// Index of the cell and bit of the dot in it, on the canvas.
    fn place(&self, column: i32, row: i32) -> Option<(usize, u8)> {
        const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (column, row) = (usize::try_from(column).ok()?, usize::try_from(row).ok()?);
        let (x, y) = (column / 2, row / 4);
        let inside = x < usize::from(self.width) && y < usize::from(self.height);
        inside.then(|| (y * usize::from(self.width) + x, DOTS[row % 4][column % 2]))
    }

    fn dot(&mut self, column: i32, row: i32, role: Role) {
        if let Some((cell, dot)) = self.place(column, row) {
            self.cells[cell] = (self.cells[cell].0 | dot, role);
        }
    }

    /// From the least to the greatest of the values behind each point `(x, least, greatest)`, behind the curves.
    pub(super) fn ranges(&mut self, ranges: impl Iterator<Item = (f64, f64, f64)>, x: &Axis, y: &Axis) {
        for (at, least, greatest) in ranges {
            let finite = least.is_finite() && greatest.is_finite();
            let Some(column) = self.column(at, x).filter(|_| finite) else { continue };
            for row in self.row(greatest, y)..=self.row(least, y) {
                if let Some((cell, dot)) = self.place(column, row) {
                    self.ground[cell] |= dot;
                }
            }
        }
    }

    /// A curve through `points`, in order of `x`; a point that is no number breaks it.
    pub(super) fn curve(&mut self, points: impl Iterator<Item = (f64, f64)>, x: &Axis, y: &Axis, role: Role) {
        let mut before: Option<(i32, i32)> = None;
        for point in points {
            let here = if point.1.is_finite() { self.column(point.0, x) } else { None };
            let here = here.map(|column| (column, self.row(point.1, y)));
            if let Some(to) = here {
                self.line(before.unwrap_or(to), to, role);
            }
            before = here;
        }
    }

    /// A dotted line at `y`.
    pub(super) fn level(&mut self, value: f64, y: &Axis, role: Role) {
        if (0.0..=1.0).contains(&y.place(value)) {
            let row = self.row(value, y);
            for column in (0..i32::from(self.width) * 2).step_by(3) {
                self.dot(column, row, role);
            }
        }
    }

    fn line(&mut self, from: (i32, i32), to: (i32, i32), role: Role) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let count = dx.abs().max(dy.abs()).max(1);
        for step in 0..=count {
            self.dot(from.0 + dx * step / count, from.1 + dy * step / count, role);
        }
    }

    pub(super) fn draw(&self, pane: &mut Pane, x: u16, y: u16) {
        let ascii = pane.theme.glyphs.ascii;
        let mut text = [0; 4];
        let seen = self.cells.iter().zip(&self.ground).map(|(cell, ground)| match cell.0 {
            0 => (*ground, Role::Rule),
            _ => *cell,
        });
        for (place, (dots, role)) in seen.enumerate().filter(|(_, cell)| cell.0 != 0) {
            let (column, row) = (place as u16 % self.width, place as u16 / self.width);
            let glyph = match role {
                _ if !ascii => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '),
                _ if self.cells[place].0 == 0 => ':',
                Role::Train => '.',
                Role::Validation => 'o',
                _ => '-',
            };
            pane.text(x + column, y + row, glyph.encode_utf8(&mut text), role);
        }
    }

    /// The row of cells on which `value` lies.
    pub(super) fn cell_row(&self, value: f64, y: &Axis) -> u16 {
        (self.row(value, y) / 4).max(0) as u16
    }

    /// The column of cells on which `value` lies.
    pub(super) fn cell_column(&self, value: f64, x: &Axis) -> Option<u16> {
        self.column(value, x).map(|column| (column / 2) as u16)
    }
}

/// `ticks` as text, with as many decimals as they need and no more than four.
pub(super) fn labels(ticks: &[f64]) -> Vec<String> {
    let exact = |decimals: i32| {
        let power = 10_f64.powi(decimals);
        ticks.iter().all(|tick| ((tick * power).round() - tick * power).abs() < 1e-6 * power.max(1.0))
    };
    let decimals = (0..4).find(|&decimals| exact(decimals)).unwrap_or(4).unsigned_abs() as usize;
    ticks.iter().map(|tick| format!("{tick:.decimals$}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_on_the_axis() {
        let axis = Axis { low: 0.058, high: 0.7, log: true };
        assert_eq!(labels(&axis.ticks()), ["0.1", "0.2", "0.5"]);
        let narrow = Axis { low: 0.092, high: 0.098, log: true };
        assert_eq!(labels(&narrow.ticks()), ["0.092", "0.094", "0.096", "0.098"]);
        let linear = Axis { low: 0.0, high: 0.7, log: false };
        assert_eq!(labels(&linear.ticks()), ["0.0", "0.2", "0.4", "0.6"]);
    }

    #[test]
    fn a_point_that_is_no_number_breaks_the_curve() {
        let axis = Axis { low: 0.0, high: 3.0, log: false };
        let mut canvas = Canvas::new(4, 2);
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, f64::INFINITY), (9.0, 1.0), (3.0, 99.0)];
        canvas.curve(points.into_iter(), &axis, &axis, Role::Train);
        let dots: u32 = canvas.cells.iter().map(|cell| cell.0.count_ones()).sum();
        assert_eq!(dots, 2);
    }

    #[test]
    fn a_range_stands_behind_the_curve() {
        let axis = Axis { low: 0.0, high: 3.0, log: false };
        let mut canvas = Canvas::new(2, 2);
        canvas.ranges([(0.0, 0.0, 3.0), (1.0, f64::NAN, 1.0)].into_iter(), &axis, &axis);
        canvas.curve([(0.0, 0.0), (3.0, 0.0)].into_iter(), &axis, &axis, Role::Train);
        assert_eq!(canvas.ground, [0x47, 0, 0x47, 0]);
        assert_eq!(canvas.cells[2], (0xc0, Role::Train));
    }
}
