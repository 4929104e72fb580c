//! The chosen image at large: original, reconstruction, error, code and figures.

use ratatui::layout::Rect;

use super::loss::draw_bar;
use super::pane::Pane;
use crate::format::{loss, thousands};
use crate::message::Sample;
use crate::tui::picture::{Look, Size, fit, grid, paint};
use crate::tui::state::{Part, State, Want};
use crate::tui::theme::Role;

/// A picture and the cell (relative to the panel) of its top left corner.
type Placed = (&'static str, Part, Size, (u16, u16));

/// Where everything stands in a panel.
struct Plan {
    pictures: Vec<Placed>,
    /// Left edge and first row of the figures, if there is room for them.
    figures: Option<(u16, u16)>,
    bars: Option<Bars>,
}

/// Where the code stands, a bar a unit.
#[derive(Clone, Copy)]
struct Bars {
    units: Size,
    /// Columns a unit.
    stretch: u16,
    /// Row of the line above.
    caption: Option<u16>,
    top: u16,
    rows: u16,
}

/// Columns between pictures.
const GAP: u16 = 2;
/// Columns that the figures need.
const FIGURES: u16 = 14;

/// ```text
/// ─ sample 17 of 10,000  digit 4 ───────────────────────────────
///  original         reconstruction        error
///  28x28            28x28                 14x14
///                                         BCE    0.0871
///                                         MSE    0.0094
///  ▂▁▇▃ the code, a bar a unit ▅▁
/// ```
fn plan(area: Rect, state: &State) -> Plan {
    let image = state.info.as_ref().map_or((1, 1), |info| (info.data.rows, info.data.cols));
    let units = state.snapshot.samples.first().map_or(0, |sample| sample.code.len());
    let units = state.info.as_ref().map_or(units, |info| info.config.code as usize);
    let width = area.width.saturating_sub(1);
    let body = area.height.saturating_sub(2);
    let bars_rows: u16 = match body {
        0..=8 => 0,
        9..=19 => 2,
        _ => 4,
    };
    let rows = body.saturating_sub(bars_rows);
    let natural = fit(image.0, image.1, 28.min(image.1.max(1) as u16), 28);
    let boxed = |columns: u16, rows: u16| fit(image.0, image.1, columns.max(1), (rows * 2).max(1));
    let whole = |size: Size| size.width >= natural.width && size.height >= natural.height;

    let mut pictures: Vec<Placed> = Vec::new();
    let mut figures = None;
    let third = boxed(width.saturating_sub(FIGURES + 3 * GAP) / 3, rows);
    let large = boxed(width.saturating_sub(FIGURES + 2 * GAP) / 2, rows);
    let small = boxed(width.saturating_sub(2 * GAP) / 3, rows);
    let names =
        [("original", Part::Original), ("reconstruction", Part::Reconstruction), ("error", Part::Error)];
    let mut row = |count: usize, size: Size| {
        let pitch = size.width.max(if count == 2 && width < 30 { 0 } else { 8 }) + GAP;
        for (place, (name, part)) in names.into_iter().take(count).enumerate() {
            pictures.push((name, part, size, (1 + place as u16 * pitch, 2)));
        }
        1 + count as u16 * pitch
    };
    if whole(third) {
        figures = Some((row(3, third), 2));
    } else if whole(large) {
        let left = row(2, large);
        let error = boxed(FIGURES.min(large.width), (rows / 2).max(1));
        pictures.push(("error", Part::Error, error, (left, 2)));
        figures = Some((left, 2 + error.height.div_ceil(2) + 1));
    } else if width >= 30 + 2 * GAP && boxed(14, rows).width * 3 + 2 * GAP <= width {
        let left = row(3, if width >= 48 + FIGURES { third } else { small });
        figures = (left + 12 <= area.width).then_some((left, 2));
    } else {
        row(2, boxed(width.saturating_sub(GAP) / 2, rows));
    }
    if !state.theme.half_blocks() {
        for picture in &mut pictures {
            picture.2.height = picture.2.height.div_ceil(2);
        }
    }
    let bars = (bars_rows > 0 && units > 0).then(|| {
        let size = grid(units, width, 1);
        // The bars stand below the pictures, which may be lower than their room.
        let cells =
            |size: Size| if state.theme.half_blocks() { size.height.div_ceil(2) } else { size.height };
        let bottom = pictures.iter().map(|picture| picture.3.1 + cells(picture.2)).max().unwrap_or(2);
        let slack = area.height.saturating_sub(bottom + bars_rows);
        Bars {
            units: size,
            stretch: (width / size.width).clamp(1, 4),
            caption: (slack > 0).then_some(bottom + u16::from(slack > 1)),
            top: bottom + slack.min(2),
            rows: bars_rows,
        }
    });
    Plan { pictures, figures, bars }
}

/// The pictures that the panel shows in `area`.
pub(crate) fn wants(area: Rect, state: &State) -> Vec<Want> {
    if state.test_images() == 0 {
        return Vec::new();
    }
    let plan = plan(area, state);
    let pictures = plan.pictures.into_iter().map(|(_, part, size, _)| (state.cursor, part, size));
    let bars = plan.bars.map(|bars| (state.cursor, Part::Bars(bars.rows), bars.units));
    pictures.chain(bars).collect()
}

pub(crate) fn sample(pane: &mut Pane, state: &State) {
    let index = thousands(state.cursor.into());
    let count = format!(" of {}", thousands(state.test_images().into()));
    let shown = state.snapshot.samples.iter().find(|sample| sample.index == state.cursor);
    let labels = state.info.as_ref().and_then(|info| info.data.test_labels.get(state.cursor as usize));
    let class = labels.map_or(String::new(), |label| format!("  digit {label}"));
    pane.heading(&[
        ("sample ", Role::Strong),
        (&index, Role::Text),
        (&count, Role::Dim),
        (&class, Role::Accent),
    ]);
    if state.test_images() == 0 {
        pane.text(1, 1, "no test images", Role::Dim);
        return;
    }
    let plan = plan(pane.area, state);
    let origin = pane.area;
    for (name, part, size, (x, y)) in &plan.pictures {
        let room = usize::from(size.width.max(8));
        pane.text(*x, 1.max(y - 1), &name.chars().take(room).collect::<String>(), Role::Dim);
        let look = if *part == Part::Error { Look::Error } else { Look::Ink };
        if let Some(picture) = state.pictures.get(&(state.cursor, *part, *size)) {
            paint(pane.buf, (origin.x + x, origin.y + y), picture, look, 1, pane.theme);
        }
    }
    if let Some(sample) = shown {
        draw_figures(pane, &plan, sample);
    }
    if let Some(bars) = plan.bars
        && let Some(picture) = state.pictures.get(&(state.cursor, Part::Bars(bars.rows), bars.units))
    {
        draw_code(pane, bars, &picture.levels);
    }
}

/// Beside the pictures where there is room, otherwise in the line above the code.
fn draw_figures(pane: &mut Pane, plan: &Plan, sample: &Sample) {
    let active = sample.code.iter().filter(|unit| **unit != 0.0).count();
    let largest = sample.code.iter().fold(0.0_f32, |top, unit| top.max(unit.abs()));
    let active = format!("{active}/{}", sample.code.len());
    let (bce, mse) = (loss(sample.loss.into()), loss(sample.mse.into()));
    let rows = [("BCE", &bce), ("MSE", &mse), ("active", &active), ("max", &format!("{largest:.2}"))];
    if let Some((x, y)) = plan.figures {
        for (row, (name, value)) in rows.iter().enumerate() {
            pane.text(x, y + row as u16, name, Role::Dim);
            pane.text(x + 7, y + row as u16, value, Role::Text);
        }
    }
    let Some(y) = plan.bars.and_then(|bars| bars.caption) else { return };
    let mut x = pane.text(1, y, "code", Role::Dim) + 2;
    if plan.figures.is_none() {
        for (name, value) in &rows {
            x = pane.parts(x, y, &[(name, Role::Dim), (" ", Role::Dim), (value, Role::Text)]) + 2;
        }
    }
}

fn draw_code(pane: &mut Pane, bars: Bars, levels: &[i8]) {
    // Wide bars stand apart, so that they can be counted.
    let wide = if bars.stretch > 2 { bars.stretch - 1 } else { bars.stretch };
    for (unit, &level) in levels.iter().enumerate() {
        let role = match level {
            0 => Role::Rule,
            ..0 => Role::Validation,
            _ => Role::Bars,
        };
        // At least a line, so that silent units are seen too.
        let filled = usize::from(level.unsigned_abs()).max(1);
        for column in 0..wide {
            draw_bar(pane, 1 + unit as u16 * bars.stretch + column, bars.top, bars.rows, filled, role);
        }
    }
}
