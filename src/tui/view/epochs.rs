//! The table of epochs, scrolled to the newest.

use super::pane::Pane;
use crate::format::{loss, short_count};
use crate::tui::state::State;
use crate::tui::theme::Role;

/// One row an epoch; the best validation loss is marked.
pub(crate) fn epochs(pane: &mut Pane, state: &State) {
    pane.heading(&[("epochs", Role::Strong)]);
    let wide = pane.width() >= 50;
    let head = if wide {
        " epoch    train    valid   excess      s   img/s"
    } else {
        " epoch   train   valid      s  img/s"
    };
    pane.text(0, 1, head, Role::Dim);
    let rows = usize::from(pane.height().saturating_sub(2));
    let end = state.epochs.len().saturating_sub(state.back).max(rows.min(state.epochs.len()));
    let start = end.saturating_sub(rows);
    let best = state.best().map(|record| record.epoch);
    let floor = state.info.as_ref().and_then(|info| info.data.floors.validation);
    for (row, record) in state.epochs[start..end].iter().enumerate() {
        let y = row as u16 + 2;
        let is_best = best == Some(record.epoch);
        let speed = short_count(record.images_per_second.max(0.0) as u64);
        let (train, valid) = (loss(record.train_loss), loss(record.validation_loss));
        let valid_role = if is_best { Role::Good } else { Role::Text };
        let mark = if is_best { pane.theme.glyphs.best } else { " " };
        let seconds = seconds(record.seconds);
        if wide {
            let excess = floor.map_or("-".into(), |floor| loss(record.validation_loss - floor));
            let x = pane.text(0, y, &format!(" {:>5} {train:>8} ", record.epoch), Role::Text);
            let x = pane.parts(x, y, &[(&format!("{valid:>8}"), valid_role), (mark, Role::Good)]);
            pane.text(x, y, &format!("{excess:>8} {seconds:>6} {speed:>7}"), Role::Text);
        } else {
            let x = pane.text(0, y, &format!(" {:>5} {train:>7} ", record.epoch), Role::Text);
            let x = pane.parts(x, y, &[(&format!("{valid:>7}"), valid_role), (mark, Role::Good)]);
            pane.text(x, y, &format!("{seconds:>6} {speed:>6}"), Role::Text);
        }
    }
}

/// Four places at most: `0.062`, `12.3`, `1234`.
fn seconds(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.3}")
    } else if seconds < 1000.0 {
        format!("{seconds:.1}")
    } else {
        format!("{seconds:.0}")
    }
}
