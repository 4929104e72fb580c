//! The pictures that stand on the screen, brought up to date at their own slow rate.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::message::{Sample, Snapshot};
use crate::tui::picture::{Picture, Size, resample};
use crate::tui::theme::Theme;

/// What of a sample is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Original,
    Reconstruction,
    /// Reconstruction minus original.
    Error,
    /// The code as a grid of greys.
    Code,
    /// The code as bars: one pixel row, a level an eighth of a cell, this many cells high.
    Bars(u16),
}

/// A picture that the page shows: test image, part and size.
pub(crate) type Want = (u32, Part, Size);

/// Pictures change at most four times a second.
const INTERVAL: Duration = Duration::from_millis(250);

/// The pictures on the screen.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    shown: BTreeMap<Want, Picture>,
    /// When they were last brought up to date.
    settled: Duration,
    /// Whether the newest samples do not show yet.
    stale: bool,
    /// The activation that shows as white.
    code_top: f32,
}

impl Pictures {
    pub(crate) fn get(&self, want: &Want) -> Option<&Picture> {
        self.shown.get(want)
    }

    /// When the newest samples are to be shown.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.stale.then(|| self.settled + INTERVAL)
    }

    /// New samples are there.
    pub(super) fn touch(&mut self) {
        self.stale = true;
    }

    /// Forgets all, for a new look.
    pub(super) fn clear(&mut self) {
        self.shown.clear();
    }

    /// Shows exactly what is `wanted`: what is new at once, the rest when it is time or in a `hurry`.
    pub(super) fn refresh(
        &mut self,
        wanted: &[Want],
        snapshot: &Snapshot,
        image: (usize, usize),
        theme: &Theme,
        now: Duration,
        hurry: bool,
    ) {
        let settle = self.stale && (hurry || now >= self.settled + INTERVAL);
        if settle {
            self.settled = now;
            self.stale = false;
        }
        if settle || self.code_top == 0.0 {
            self.rescale(snapshot);
        }
        self.shown.retain(|want, _| wanted.contains(want));
        for want in wanted {
            let Some(sample) = snapshot.samples.iter().find(|sample| sample.index == want.0) else {
                continue;
            };
            let known = self.shown.contains_key(want);
            if known && (!settle || want.1 == Part::Original) {
                continue;
            }
            let (values, top) = self.values(want, sample, image, theme);
            self.shown
                .entry(*want)
                .and_modify(|picture| picture.settle(&values, top))
                .or_insert_with(|| Picture::new(want.2, &values, top));
        }
    }

    /// The greatest activation shows as white; the scale moves in steps, so that it does not tremble.
    fn rescale(&mut self, snapshot: &Snapshot) {
        let codes = snapshot.samples.iter().flat_map(|sample| &sample.code);
        let top = codes.filter(|value| value.is_finite()).fold(0.0_f32, |top, value| top.max(value.abs()));
        if top > self.code_top || top < self.code_top * 0.5 {
            self.code_top = (top * 1.15).max(1e-6);
        }
    }

    fn values(
        &self,
        want: &Want,
        sample: &Sample,
        (rows, cols): (usize, usize),
        theme: &Theme,
    ) -> (Vec<f32>, i8) {
        let size = want.2;
        let original = || sample.original.iter().map(|&byte| f32::from(byte) / 255.0);
        let code = |cells: usize| -> Vec<f32> {
            let count = sample.code.len();
            (0..cells)
                .map(|cell| {
                    // Where units outnumber the cells, the greatest of a cell's units stands for them.
                    let (from, to) = if count > cells {
                        (cell * count / cells, (cell + 1) * count / cells)
                    } else {
                        (cell.min(count), (cell + 1).min(count))
                    };
                    let units = sample.code[from..to].iter().copied();
                    units.max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0) / self.code_top
                })
                .collect()
        };
        let cells = usize::from(size.width) * usize::from(size.height);
        match want.1 {
            Part::Original => {
                (resample(&original().collect::<Vec<_>>(), rows, cols, size), theme.top_level())
            }
            Part::Reconstruction => (resample(&sample.reconstruction, rows, cols, size), theme.top_level()),
            Part::Error => {
                let error: Vec<f32> =
                    original().zip(&sample.reconstruction).map(|(from, to)| to - from).collect();
                // Small errors matter too: the root-like curve lifts them.
                let lift = |error: f32| error.signum() * error.abs().powf(0.75);
                (resample(&error, rows, cols, size).into_iter().map(lift).collect(), theme.top_error())
            }
            Part::Code => (code(cells), theme.top_level()),
            Part::Bars(height) => {
                let steps = usize::from(height) * theme.glyphs.levels.len();
                (code(cells), steps.min(127) as i8)
            }
        }
    }
}
