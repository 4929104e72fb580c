//! What lies over the page: help, the question on leaving, and why a run broke off.

use super::pane::Pane;
use crate::format::thousands;
use crate::tui::keys::BINDINGS;
use crate::tui::state::State;
use crate::tui::theme::Role;

/// An empty box in the middle, at most as large as asked for; the inside is returned.
fn boxed<'a>(pane: &'a mut Pane, width: u16, height: u16, title: &str, role: Role) -> Pane<'a> {
    let (width, height) = (width.min(pane.width()), height.min(pane.height()));
    let (x, y) = ((pane.width() - width) / 2, (pane.height() - height) / 2);
    let mut outer = pane.sub(x, y, width, height);
    outer.clear();
    let [top_left, top_right, bottom_left, bottom_right, across, down] = outer.theme.glyphs.frame;
    let line = across.repeat(usize::from(width.saturating_sub(2)));
    outer.parts(0, 0, &[(top_left, role), (&line, role), (top_right, role)]);
    for row in 1..height.saturating_sub(1) {
        outer.text(0, row, down, role);
        outer.text(width.saturating_sub(1), row, down, role);
    }
    if height > 1 {
        outer.parts(0, height - 1, &[(bottom_left, role), (&line, role), (bottom_right, role)]);
    }
    outer.parts(2, 0, &[(" ", role), (title, Role::Strong), (" ", role)]);
    let area = outer.area;
    let inner = (area.width.saturating_sub(4), area.height.saturating_sub(2));
    pane.sub(x + 2, y + 1, inner.0, inner.1)
}

const KEYS_WIDTH: u16 = 10;
const HELP_WIDTH: u16 = 42;

/// The table of keys, in two columns where there is room, otherwise scrolled.
pub(super) fn help(pane: &mut Pane, scroll: u16) {
    let column = KEYS_WIDTH + HELP_WIDTH;
    let columns: u16 = if pane.width() >= 2 * column + 6 { 2 } else { 1 };
    let rows = (BINDINGS.len() as u16).div_ceil(columns);
    let mut inner = boxed(pane, column * columns + 4 + 2 * (columns - 1), rows + 2, "keys", Role::Rule);
    let shown = inner.height();
    let scroll = scroll.min(rows.saturating_sub(shown));
    for (place, binding) in BINDINGS.iter().enumerate() {
        let (x, row) = (place as u16 / rows * (column + 2), place as u16 % rows);
        let Some(y) = row.checked_sub(scroll) else { continue };
        inner.text(x, y, binding.label, Role::Accent);
        inner.text(x + KEYS_WIDTH, y, binding.help, Role::Text);
    }
    if rows > shown && shown > 0 {
        let more = format!(" {}-{} of {rows}, ↑↓ ", scroll + 1, scroll + shown);
        let (width, y) = (inner.width(), shown - 1);
        inner.right(0, width, y, &[(&more, Role::Dim)]);
    }
}

/// Stopping always saves; the choice is between that and giving up the steps since the last save.
pub(super) fn quit(pane: &mut Pane, state: &State) {
    let unsaved = match state.snapshot.saved_step {
        Some(step) if step > 0 => format!("Nothing is saved since step {}.", thousands(step)),
        _ => "Nothing is saved yet.".into(),
    };
    let mut inner = boxed(pane, 50, 8, "quit", Role::Warning);
    inner.text(0, 0, &unsaved, Role::Text);
    let choices =
        [("Enter", "save this step and quit (q, too)"), ("d", "quit without saving it"), ("Esc", "go back")];
    for (row, (key, what)) in choices.iter().enumerate() {
        inner.text(0, row as u16 + 2, key, Role::Accent);
        inner.text(8, row as u16 + 2, what, Role::Text);
    }
}

/// Why the run broke off, for as long as it takes to read it.
pub(super) fn failure(pane: &mut Pane, state: &State, reason: &str) {
    let width = pane.width().saturating_sub(4).min(70);
    let lines = wrap(reason, usize::from(width.saturating_sub(4)).max(1));
    let height = lines.len() as u16 + 6;
    let mut inner = boxed(pane, width, height, "training broke off", Role::Bad);
    for (row, line) in lines.iter().enumerate() {
        inner.text(0, row as u16, line, Role::Text);
    }
    let below = lines.len() as u16 + 1;
    let saved = match state.snapshot.saved_step {
        Some(step) => format!("saved up to step {}; `aescope resume` goes on from there", thousands(step)),
        None => "no checkpoint had been saved".into(),
    };
    inner.text(0, below, &saved, Role::Dim);
    inner.parts(0, below + 2, &[("q", Role::Accent), (" leave", Role::Dim)]);
}

/// A banner over the last lines, as many as `text` needs.
pub(super) fn warning(pane: &mut Pane, text: &str) {
    let room = usize::from(pane.width().saturating_sub(2)).max(1);
    let lines = wrap(&format!("warning: {text}  (Esc)"), room);
    let lines = &lines[..lines.len().min(usize::from(pane.height() / 2).max(1))];
    let top = pane.height().saturating_sub(lines.len() as u16);
    for (row, line) in lines.iter().enumerate() {
        let filled = format!(" {line:<width$}", width = room + 1);
        pane.text(0, top + row as u16, &filled, Role::Banner);
    }
}

/// Breaks `text` at blanks into lines of at most `width` characters; longer words are cut.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = width;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if word.len() > room && room < width {
            lines.push(String::new());
            room = width;
        }
        while !word.is_empty() {
            let take = word.len().min(room);
            if let Some(line) = lines.last_mut() {
                line.extend(word.drain(..take));
                line.push(' ');
            }
            room = room.saturating_sub(take + 1);
            if !word.is_empty() {
                lines.push(String::new());
                room = width;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_blanks_and_long_words_are_cut() {
        let lines = wrap("a bc def ghijklmnop q", 6);
        assert_eq!(
            lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>(),
            ["a bc", "def", "ghijkl", "mnop q"]
        );
        assert!(wrap("", 1).len() == 1);
    }
}
