//! The screen drawn from the state: a pure function, cut to whatever size there is.

mod chart;
mod epochs;
mod footer;
pub(crate) mod gallery;
mod header;
mod loss;
mod model;
mod overlay;
mod pane;
mod progress;
pub(crate) mod sample;

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::tui::pages;
use crate::tui::state::{Overlay, State};
pub(crate) use pane::Pane;

pub(crate) use epochs::epochs;
pub(crate) use footer::footer;
pub(crate) use header::header;
pub(crate) use loss::{batches, loss};
pub(crate) use model::model;
pub(crate) use progress::progress;

/// Draws everything.
pub(crate) fn view(state: &State, frame: &mut Frame) {
    let area = frame.area();
    let buf = frame.buffer_mut();
    (pages::current(state).view)(state, buf, area);
    let mut pane = Pane::new(buf, area, &state.theme);
    match (&state.failure, &state.overlay) {
        (Some(reason), _) => overlay::failure(&mut pane, state, reason),
        (None, Overlay::Help { scroll }) => overlay::help(&mut pane, *scroll),
        (None, Overlay::Quit) => overlay::quit(&mut pane, state),
        (None, Overlay::Prompt(_)) => {}
        (None, Overlay::None) => {
            if let Some(warning) = &state.warning {
                overlay::warning(&mut pane, warning);
            }
        }
    }
}

/// The line that is all there is where nothing else fits.
pub(crate) fn too_small(state: &State, buf: &mut ratatui::buffer::Buffer, area: Rect, least: (u16, u16)) {
    use crate::tui::theme::Role;
    let mut pane = Pane::new(buf, area, &state.theme);
    let needed = format!("{}x{}", least.0, least.1);
    let said = [
        format!("{}x{} is too small: at least {needed}", area.width, area.height),
        format!("at least {needed}"),
        needed,
    ];
    if let Some(text) = said.iter().find(|text| text.len() <= usize::from(area.width)) {
        pane.text(0, 0, text, Role::Text);
    }
}
