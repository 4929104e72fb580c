//! The first line: what is going on, on which data, with which model, in which run.

use super::pane::{Pane, width_of};
use crate::format::{short_count, thousands};
use crate::message::Phase;
use crate::tui::state::State;
use crate::tui::theme::Role;

/// ` aescope  ● training   mnist 48k/12k/10k   784→32→784   50,992 params      run 2026-11-23-1904`
pub(crate) fn header(pane: &mut Pane, state: &State) {
    let (word, role) = status(state);
    let dot = format!("  {} ", state.theme.glyphs.dot);
    let mut x = pane.parts(0, 0, &[(" aescope", Role::Strong), (&dot, role), (word, role)]);
    let Some(info) = &state.info else { return };
    let data = &info.data;
    let counts = [data.train_images, data.validation_images, data.test_images].map(|n| short_count(n.into()));
    let data = (format!("   {} ", data.name), counts.join("/"));
    let mut sizes: Vec<String> = vec![(info.data.rows * info.data.cols).to_string()];
    sizes.extend(info.layers.iter().map(|layer| layer.outputs.to_string()));
    let arrow = state.theme.glyphs.arrow;
    let layers = format!("   {}", sizes.join(arrow));
    // A deep model keeps its ends and its code.
    let code = sizes.get(sizes.len() / 2).map_or("", String::as_str);
    let rest = "…";
    let ends = sizes.first().zip(sizes.last());
    let outline = ends
        .map_or(String::new(), |(first, last)| format!("   {}", [first, rest, code, rest, last].join(arrow)));
    let parameters = (format!("   {}", thousands(info.parameters())), " params");
    let run = ("run ", info.run.as_str());
    let end = pane.width().saturating_sub(1);
    // What does not fit is left out, the least needed first.
    let items: [Vec<Vec<(&str, Role)>>; 3] = [
        vec![vec![(&data.0, Role::Text), (&data.1, Role::Dim)], vec![(&data.0, Role::Text)]],
        vec![vec![(&layers, Role::Text)], vec![(&outline, Role::Text)]],
        vec![vec![(&parameters.0, Role::Text), (parameters.1, Role::Dim)]],
    ];
    for ways in &items {
        if let Some(item) = ways.iter().find(|item| x + width_of(item) <= end) {
            x = pane.parts(x, 0, item);
        }
    }
    pane.right(x + 3, end, 0, &[(run.0, Role::Dim), (run.1, Role::Text)]);
}

fn status(state: &State) -> (&'static str, Role) {
    if state.failure.is_some() {
        return ("broken off", Role::Bad);
    }
    if state.stopping {
        return (if state.snapshot.phase == Phase::Browsing { "closing" } else { "saving" }, Role::Warning);
    }
    match state.phase() {
        Phase::Training => ("training", Role::Good),
        Phase::Paused => ("paused", Role::Warning),
        Phase::Finished => ("finished", Role::Accent),
        Phase::Browsing => ("browsing", Role::Accent),
    }
}
