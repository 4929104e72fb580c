//! Test images in three rows: as they are, as codes, and as they come back.

use ratatui::layout::Rect;

use super::pane::Pane;
use crate::format::thousands;
use crate::tui::picture::{Look, Size, fit, grid, paint};
use crate::tui::state::{Part, State, Want};
use crate::tui::theme::Role;

/// How the tiles stand in a panel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) tiles: u16,
    /// Columns of a tile, and from one tile to the next.
    tile: u16,
    pitch: u16,
    picture: Size,
    /// Rows of cells that a picture takes.
    rows: u16,
    code: Size,
    /// Columns a unit, and rows of cells that the code takes.
    stretch: u16,
    code_rows: u16,
}

/// ```text
/// ─ test images 15-19 of 10,000 ──────────
///  ▸ 15 · 7     16 · 2      17 · 4
///  original     original    original
///  code         code        code
///  comes back   comes back  comes back
/// ```
pub(crate) fn plan(area: Rect, state: &State) -> Plan {
    let info = state.info.as_ref();
    let (rows, cols) = info.map_or((28, 28), |info| (info.data.rows, info.data.cols));
    let units = info.map_or(32, |info| info.config.code as usize);
    let width = area.width.saturating_sub(1).max(1);
    let body = area.height.saturating_sub(2);
    let tall = |picture: Size| picture.height.div_ceil(2);
    // In full where four tiles fit, otherwise as large as the height allows.
    let natural = fit(rows, cols, 28, 28);
    let fits = |picture: Size| {
        2 * tall(picture) + 2 <= body && u32::from(picture.width + 1) * 4 <= u32::from(width) + 1
    };
    let mut picture = natural;
    if !fits(picture) {
        let most = (body.saturating_sub(2) / 2).clamp(1, 14);
        picture = fit(rows, cols, (width / 4).clamp(1, 28), most * 2);
    }
    let tile = picture.width.max(8);
    let rows = tall(picture);
    let code_rows = body.saturating_sub(2 * rows).clamp(1, 2);
    let code = grid(units, tile, code_rows * 2);
    let (picture, code) = if state.theme.half_blocks() {
        (picture, code)
    } else {
        let flat = |size: Size| Size { height: size.height.div_ceil(2), ..size };
        (flat(picture), grid(units, tile, code_rows))
    };
    let tiles = ((width + 1) / (tile + 1)).max(1);
    Plan {
        tiles,
        // Spread over the width, but not torn apart.
        pitch: ((width + 1) / tiles).clamp(tile + 1, tile + 3),
        tile,
        picture,
        rows,
        code,
        stretch: (tile / code.width).max(1),
        code_rows,
    }
}

/// The pictures that the panel shows in `area`.
pub(crate) fn wants(area: Rect, state: &State) -> Vec<Want> {
    let plan = plan(area, state);
    let tile = |index| {
        [
            (index, Part::Original, plan.picture),
            (index, Part::Code, plan.code),
            (index, Part::Reconstruction, plan.picture),
        ]
    };
    state.page_of(plan.tiles.into()).flat_map(tile).collect()
}

pub(crate) fn gallery(pane: &mut Pane, state: &State) {
    let plan = plan(pane.area, state);
    let page = state.page_of(plan.tiles.into());
    let range = format!("{}-{}", thousands(page.start.into()), thousands(page.end.saturating_sub(1).into()));
    let count = format!(" of {}", thousands(state.test_images().into()));
    let shown = state.snapshot.samples.iter().find(|sample| sample.index == state.cursor);
    let figures =
        shown.map_or(String::new(), |sample| format!("   BCE {:.4}  MSE {:.4}", sample.loss, sample.mse));
    if page.is_empty() {
        return pane.heading(&[("test images", Role::Strong), ("  none", Role::Dim)]);
    }
    pane.heading(&[
        ("test images ", Role::Strong),
        (&range, Role::Text),
        (&count, Role::Dim),
        (&figures, Role::Dim),
    ]);
    let labels = state.info.as_ref().map_or(&[][..], |info| &info.data.test_labels);
    for (place, index) in page.enumerate() {
        let x = 1 + place as u16 * plan.pitch;
        let chosen = index == state.cursor;
        let mark = if chosen { pane.theme.glyphs.cursor } else { " " };
        let role = if chosen { Role::Accent } else { Role::Dim };
        let class = labels
            .get(index as usize)
            .map_or(String::new(), |label| format!(" {} {label}", pane.theme.glyphs.separator));
        let text = format!("{mark}{index}{class}");
        pane.text(x, 1, &text, role);
        let rows = [
            (Part::Original, plan.picture, 2, 1),
            (Part::Code, plan.code, 2 + plan.rows, plan.stretch),
            (Part::Reconstruction, plan.picture, 2 + plan.rows + plan.code_rows, 1),
        ];
        for (part, size, y, stretch) in rows {
            // Narrow pictures and codes stand in the middle of their tile.
            let shift = plan.tile.saturating_sub(size.width * stretch) / 2;
            if let Some(picture) = state.pictures.get(&(index, part, size)) {
                let corner = (pane.area.x + x + shift, pane.area.y + y);
                paint(pane.buf, corner, picture, Look::Ink, stretch, pane.theme);
            }
        }
    }
}
