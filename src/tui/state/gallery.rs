//! Which test images stand in the gallery: whole pages, so that the cursor moves and the images stay.

use super::State;

impl State {
    /// Indices on the page of `tiles` that the cursor is on.
    pub(crate) fn page_of(&self, tiles: u32) -> std::ops::Range<u32> {
        let tiles = tiles.max(1);
        let first = self.cursor - self.cursor % tiles;
        first..first.saturating_add(tiles).min(self.test_images())
    }

    pub(super) fn move_cursor(&mut self, by: i64) {
        let last = i64::from(self.test_images().saturating_sub(1));
        self.cursor = (i64::from(self.cursor) + by).clamp(0, last) as u32;
    }
}
