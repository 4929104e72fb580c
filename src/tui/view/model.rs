//! The layers of the model with their sizes.

use super::pane::Pane;
use crate::format::thousands;
use crate::tui::state::State;
use crate::tui::theme::Role;

/// One row a layer and the totals.
pub(crate) fn model(pane: &mut Pane, state: &State) {
    pane.heading(&[("model", Role::Strong)]);
    let Some(info) = &state.info else { return };
    let row = |name: &str, kind: &str, outputs: &str, parameters: &str| {
        format!(" {name:<11}{kind:<16}{outputs:>7}{parameters:>12}")
    };
    pane.text(0, 1, &row("layer", "kind", "units", "params"), Role::Dim);
    let mut y = 2;
    // Heading, captions, total and facts have a row each.
    let room = usize::from(pane.height().saturating_sub(4));
    let shown = if info.layers.len() > room { room.saturating_sub(1) } else { room };
    for layer in info.layers.iter().take(shown) {
        let text = row(&layer.name, &layer.kind, &layer.outputs.to_string(), &thousands(layer.parameters));
        pane.text(0, y, &text, Role::Text);
        y += 1;
    }
    if shown < info.layers.len() {
        pane.text(1, y, &format!("and {} more layers", info.layers.len() - shown), Role::Dim);
        y += 1;
    }
    pane.text(0, y, &row("total", "", "", &thousands(info.parameters())), Role::Strong);
    let config = &info.config;
    let facts = [
        ("batch", config.batch_size.to_string()),
        ("rate", config.learning_rate.to_string()),
        ("seed", config.seed.to_string()),
        ("threads", info.threads.to_string()),
    ];
    let mut x = 1;
    for (name, value) in &facts {
        x = pane.parts(x, y + 1, &[(name, Role::Dim), (" ", Role::Dim), (value, Role::Text)]) + 2;
    }
}
