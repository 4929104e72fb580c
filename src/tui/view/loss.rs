//! The losses: a chart of both curves, each point at its true step, and the newest batches as bars.

use super::chart::{Axis, Canvas, labels};
use super::pane::Pane;
use crate::format;
use crate::tui::state::State;
use crate::tui::theme::Role;

/// What the heading says: both losses now, the best and how far that is above the floor.
struct Figures {
    train: Option<String>,
    validation: Option<String>,
    best: Option<String>,
    excess: Option<String>,
}

impl Figures {
    fn new(state: &State) -> Self {
        let recent = &state.snapshot.recent;
        let newest = &recent[recent.len().saturating_sub(100)..];
        let mean = newest.iter().map(|&loss| f64::from(loss)).sum::<f64>() / newest.len() as f64;
        let last = state.epochs.last();
        let train = if newest.is_empty() { last.map(|record| record.train_loss) } else { Some(mean) };
        let best = state.best().map(|record| record.validation_loss);
        let floor = state.info.as_ref().and_then(|info| info.data.floors.validation);
        Self {
            train: train.map(format::loss),
            validation: last.map(|record| format::loss(record.validation_loss)),
            best: best.map(format::loss),
            excess: best.zip(floor).map(|(best, floor)| format::loss(best - floor)),
        }
    }

    /// As parts of a heading of `width` columns; what is not known yet is a dash. The excess, the part
    /// of the loss that the model is to blame for, has room in each.
    fn parts(&self, width: u16) -> Vec<(&str, Role)> {
        let [train, validation, best, excess] = [&self.train, &self.validation, &self.best, &self.excess]
            .map(|figure| figure.as_deref().unwrap_or("-"));
        let figure = |text| (text, Role::Text);
        let (blue, orange, dim) = (Role::Train, Role::Validation, Role::Dim);
        match width {
            ..54 => vec![
                ("train ", blue),
                figure(train),
                (" valid ", orange),
                figure(validation),
                (" excess ", dim),
                figure(excess),
            ],
            54..70 => vec![
                ("loss", Role::Strong),
                ("  train ", blue),
                figure(train),
                ("  validation ", orange),
                figure(validation),
                ("  excess ", dim),
                figure(excess),
            ],
            _ => vec![
                ("loss", Role::Strong),
                ("  train ", blue),
                figure(train),
                ("  validation ", orange),
                figure(validation),
                ("  best ", dim),
                figure(best),
                (" (excess ", dim),
                figure(excess),
                (")", dim),
            ],
        }
    }
}

/// ```text
/// ─ loss  train 0.1023  validation 0.0998  best 0.0998 (excess 0.0416) ─
///  0.5 ⢇
///  0.2  ⠣⣀
///  0.1     ⠉⠒⠒⠤⠤⣀⣀
///      0    5    10    15    20 epoch
/// ```
pub(crate) fn loss(pane: &mut Pane, state: &State) {
    let figures = Figures::new(state);
    if pane.height() < 7 || pane.width() < 24 {
        return bars(pane, state, &figures.parts(pane.width()));
    }
    pane.heading(&figures.parts(pane.width()));
    let (steps, losses) = axes(state);
    let ticks = losses.ticks();
    let names = labels(&ticks);
    let margin = names.iter().map(String::len).max().unwrap_or(0).max(5) as u16 + 1;
    let (width, height) = (pane.width() - margin - 1, pane.height() - 2);
    let mut canvas = Canvas::new(width, height);
    let floor = state.info.as_ref().and_then(|info| info.data.floors.validation);
    if let Some(floor) = floor.filter(|&floor| floor > 0.0) {
        canvas.level(floor, &losses, Role::Rule);
    }
    let mut step = 0;
    let ranges = state.snapshot.losses.buckets().iter().map(|bucket| {
        let middle = step as f64 + bucket.count as f64 / 2.0;
        step += bucket.count;
        (middle, bucket.min.into(), bucket.max.into())
    });
    canvas.ranges(ranges, &steps, &losses);
    let mut step = 0;
    let train = state.snapshot.losses.buckets().iter().map(|bucket| {
        let middle = step as f64 + bucket.count as f64 / 2.0;
        step += bucket.count;
        (middle, bucket.mean())
    });
    canvas.curve(train, &steps, &losses, Role::Train);
    let validation = state.epochs.iter().map(|record| (record.step as f64, record.validation_loss));
    canvas.curve(validation, &steps, &losses, Role::Validation);
    canvas.draw(pane, margin, 1);

    let mut taken: Option<u16> = None;
    for (tick, name) in ticks.iter().zip(&names).rev() {
        let row = canvas.cell_row(*tick, &losses) + 1;
        if taken.is_none_or(|taken| row > taken + 1) {
            pane.right(0, margin - 1, row, &[(name, Role::Dim)]);
            taken = Some(row);
        }
    }
    if let Some(floor) = floor.filter(|&floor| floor > losses.low) {
        let row = canvas.cell_row(floor, &losses) + 1;
        if taken.is_none_or(|taken| row > taken) {
            pane.right(0, margin - 1, row, &[("floor", Role::Dim)]);
        }
    }
    step_labels(pane, state, &canvas, &steps, margin);
}

/// The steps that the chart shows and the losses on them.
fn axes(state: &State) -> (Axis, Axis) {
    let total = state.total_steps().max(1);
    let span = (total >> state.zoom).max(8.min(total));
    // The window moves on in eighths of its width, so that the chart mostly stands still.
    let newest = state.snapshot.step.next_multiple_of((span / 8).max(1)).clamp(span, total.max(span));
    let (first, last) = if state.zoom == 0 { (0, total) } else { (newest - span, newest) };
    let shown = |step: u64| (first..=last).contains(&step);

    let mut range = (f64::INFINITY, f64::NEG_INFINITY);
    let mut include = |value: f64| {
        if value.is_finite() && (value > 0.0 || !state.log) {
            range = (range.0.min(value), range.1.max(value));
        }
    };
    let mut step = 0;
    for bucket in state.snapshot.losses.buckets() {
        if shown(step) {
            include(bucket.min.into());
            include(bucket.max.into());
        }
        step += bucket.count;
    }
    state
        .epochs
        .iter()
        .filter(|record| shown(record.step))
        .for_each(|record| include(record.validation_loss));
    if state.zoom == 0 {
        let floor = state.info.as_ref().and_then(|info| info.data.floors.validation);
        if let Some(floor) = floor {
            include(floor * 0.97);
        }
    }
    if range.0 >= range.1 {
        let middle = if range.0.is_finite() { range.0 } else { 0.5 };
        range = (middle * 0.5, (middle * 1.5).max(1e-6));
    }
    let (low, high) = (snap(range.0, f64::floor), snap(range.1, f64::ceil));
    let steps = Axis { low: first as f64, high: last as f64, log: false };
    (steps, Axis { low, high, log: state.log && low > 0.0 })
}

/// To two digits, so that the axis moves seldom.
fn snap(value: f64, round: fn(f64) -> f64) -> f64 {
    let unit = 10_f64.powf(value.abs().max(1e-9).log10().floor() - 1.0);
    round(value / unit) * unit
}

/// Round epochs below the chart, or steps where fewer than two epochs are shown.
fn step_labels(pane: &mut Pane, state: &State, canvas: &Canvas, steps: &Axis, margin: u16) {
    let per_epoch = state.info.as_ref().map_or(1, |info| info.steps_per_epoch).max(1) as f64;
    let by_epoch = steps.high - steps.low >= per_epoch * 2.0;
    let (unit, name) = if by_epoch { (per_epoch, "epoch") } else { (1.0, "step") };
    let y = pane.height() - 1;
    let end = pane.width() - 1;
    let count = f64::from(pane.width() - margin) / if by_epoch { 7.0 } else { 12.0 };
    let rough = (steps.high - steps.low) / unit / count.max(1.0);
    let power = 10_f64.powf(rough.max(1.0).log10().floor());
    let every = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|every| *every >= rough);
    let every = every.unwrap_or(power).max(1.0);
    let mut free = margin;
    let mut tick = (steps.low / unit / every).ceil() * every;
    while tick * unit <= steps.high {
        let text = format::thousands(tick as u64);
        if let Some(column) = canvas.cell_column(tick * unit, steps) {
            let middle = (margin + column).saturating_sub(text.len() as u16 / 2).max(margin);
            let x = middle.min(end.saturating_sub(text.len() as u16));
            if x >= free && x + text.len() as u16 <= end {
                free = pane.text(x, y, &text, Role::Dim) + 2;
            }
        }
        tick += every;
    }
    pane.right(0, margin - 1, y, &[(name, Role::Dim)]);
}

/// The losses of the newest batches with the newest and the spread in the heading.
pub(crate) fn batches(pane: &mut Pane, state: &State) {
    let newest = state.snapshot.recent.last().map_or("-".into(), |&loss| format::loss(f64::from(loss)));
    bars(pane, state, &[("batch loss", Role::Strong), ("  ", Role::Text), (&newest, Role::Text)]);
}

/// A heading and, below it, one bar a batch; the newest stands at the right.
fn bars(pane: &mut Pane, state: &State, title: &[(&str, Role)]) {
    pane.heading(title);
    let rows = pane.height().saturating_sub(1);
    let room = usize::from(pane.width().saturating_sub(2));
    let recent = &state.snapshot.recent;
    let shown = &recent[recent.len().saturating_sub(room)..];
    let finite = || shown.iter().copied().filter(|loss| loss.is_finite());
    let (low, high) =
        finite().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), loss| (l.min(loss), h.max(loss)));
    let span = (high - low).max(1e-6);
    let glyphs = pane.theme.glyphs.levels;
    let steps = glyphs.len() as f32 * f32::from(rows);
    let start = 1 + (room - shown.len()) as u16;
    for (place, loss) in shown.iter().enumerate() {
        let filled = if loss.is_finite() { (loss - low) / span * (steps - 1.0) + 1.0 } else { steps };
        draw_bar(pane, start + place as u16, 1, rows, filled.round() as usize, Role::Bars);
    }
}

/// A bar of `filled` parts of cells, standing on row `top + rows - 1`.
pub(super) fn draw_bar(pane: &mut Pane, x: u16, top: u16, rows: u16, filled: usize, role: Role) {
    let glyphs = pane.theme.glyphs.levels;
    for row in 0..rows {
        let below = usize::from(rows - 1 - row) * glyphs.len();
        if filled > below {
            pane.text(x, top + row, glyphs[(filled - below).min(glyphs.len()) - 1], role);
        }
    }
}
