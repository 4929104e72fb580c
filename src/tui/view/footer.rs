//! The last line: keys, or what is being typed, or a notice.

use super::pane::Pane;
use crate::message::Phase;
use crate::tui::keys::{Action, BINDINGS, Binding};
use crate::tui::state::{Overlay, Prompt, Question, State};
use crate::tui::theme::Role;

/// The prompt, a notice or the keys: the first of these that there is.
pub(crate) fn footer(pane: &mut Pane, state: &State) {
    if state.failure.is_some() {
        pane.parts(0, 0, &[(" q", Role::Accent), (" leave", Role::Dim)]);
    } else if state.stopping {
        let doing = if state.snapshot.phase == Phase::Browsing { " closing…" } else { " saving…" };
        pane.parts(0, 0, &[(doing, Role::Warning), ("   Ctrl-C leaves at once, unsaved", Role::Dim)]);
    } else if let Overlay::Prompt(prompt) = &state.overlay {
        draw_prompt(pane, prompt);
    } else if let Some(notice) = &state.notice {
        pane.parts(0, 0, &[(" ", Role::Text), (&notice.text, Role::Good)]);
    } else {
        draw_keys(pane, state);
    }
}

fn draw_prompt(pane: &mut Pane, prompt: &Prompt) {
    let label = match prompt.question {
        Question::GoTo => " go to image: ",
        Question::MoreEpochs => " epochs to add: ",
    };
    let x = pane.parts(0, 0, &[(label, Role::Accent), (&prompt.text, Role::Strong), ("_", Role::Accent)]);
    let hint = match (&prompt.complaint, prompt.question) {
        (Some(complaint), _) => (complaint.as_str(), Role::Warning),
        (None, Question::GoTo) => ("an index, or digit:4 for the next of a class", Role::Dim),
        (None, Question::MoreEpochs) => ("Enter adds them, Esc does not", Role::Dim),
    };
    pane.text(x + 2, 0, hint.0, hint.1);
}

fn draw_keys(pane: &mut Pane, state: &State) {
    let phase = state.phase();
    let offered = |action: Action| match action {
        Action::Pause => matches!(phase, Phase::Training | Phase::Paused),
        Action::Slower | Action::Faster => phase == Phase::Training,
        Action::Save => phase != Phase::Browsing,
        Action::MoreEpochs => phase == Phase::Finished,
        _ => true,
    };
    let end = pane.width().saturating_sub(1);
    // Help and quit always find room, at the end.
    let (last, first): (Vec<_>, Vec<_>) = BINDINGS
        .iter()
        .filter(|binding| binding.footer.is_some() && offered(binding.action))
        .partition(|binding| matches!(binding.action, Action::Help | Action::Quit));
    let item = |binding: &&'static Binding| {
        let (key, word) = binding.footer?;
        Some((key, if binding.action == Action::Pause && phase == Phase::Paused { "go on" } else { word }))
    };
    let width = |key: &str, word: &str| (key.chars().count() + word.chars().count() + 3) as u16;
    let mut items: Vec<_> = first.iter().filter_map(item).collect();
    let ends: Vec<_> = last.iter().filter_map(item).collect();
    let mut room = end.saturating_sub(ends.iter().map(|(key, word)| width(key, word)).sum());
    items.retain(|(key, word)| {
        let fits = width(key, word) <= room;
        room = if fits { room - width(key, word) } else { room };
        fits
    });
    let mut x = 1;
    for (key, word) in items.iter().chain(&ends) {
        x = pane.parts(x, 0, &[(key, Role::Accent), (" ", Role::Dim), (word, Role::Dim)]) + 2;
    }
}
