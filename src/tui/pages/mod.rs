//! The pages of the screen: one file and one entry in the table each.

mod dashboard;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::state::{State, Want};

/// A way to fill the screen.
pub(crate) struct Page {
    /// Draws it.
    pub(crate) view: fn(&State, &mut Buffer, Rect),
    /// The pictures that it shows; the samples behind them are asked for.
    pub(crate) pictures: fn(&State) -> Vec<Want>,
    /// Images that a page key moves by.
    pub(crate) step: fn(&State) -> u32,
}

static PAGES: &[Page] = &[dashboard::PAGE];

/// The page that is shown.
pub(crate) fn current(_state: &State) -> &'static Page {
    &PAGES[0]
}

/// Images that a page key moves by.
pub(crate) fn images_a_page(state: &State) -> u32 {
    (current(state).step)(state)
}
