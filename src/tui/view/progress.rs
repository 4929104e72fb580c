//! The second line: how far the run has come, how fast it goes and how long it will take.

use super::pane::{Pane, width_of};
use crate::config::Pace;
use crate::format::{duration, loss, short_count, thousands};
use crate::message::Phase;
use crate::tui::state::State;
use crate::tui::theme::Role;

/// ` epoch  7/20 ━━━━━━━━╸────────  38 %   step 2,861/7,500   512k img/s   ETA 00:00:01`
pub(crate) fn progress(pane: &mut Pane, state: &State) {
    let snapshot = &state.snapshot;
    let per_epoch = state.info.as_ref().map_or(0, |info| info.steps_per_epoch).max(1);
    let total = state.total_steps();
    // The epoch that is being trained; at its end still that one.
    let epoch = snapshot.step.div_ceil(per_epoch).clamp(1, u64::from(snapshot.epochs.max(1)));
    let epochs = snapshot.epochs.to_string();
    let done = if total == 0 { 0.0 } else { snapshot.step as f64 / total as f64 };

    let label = format!(" epoch {epoch:>width$}/{epochs} ", width = epochs.len());
    // Rounded down: 100 % is for what is complete.
    let percent = format!(" {:>3.0} %", (done * 100.0).floor());
    let steps = thousands(total);
    let step = format!("{:>width$}/{steps}", thousands(snapshot.step), width = steps.len());
    let mut items: Vec<Vec<(&str, Role)>> = Vec::new();
    let (speed, pace, eta, test, excess);
    match state.phase() {
        Phase::Training | Phase::Paused => {
            speed = format!("{:>5}", short_count(snapshot.images_per_second.max(0.0) as u64));
            eta = duration(snapshot.eta_seconds.unwrap_or(f64::NAN));
            items.push(vec![("   ETA ", Role::Dim), (&eta, Role::Text)]);
            items.push(vec![("   ", Role::Dim), (&speed, Role::Text), (" img/s", Role::Dim)]);
            if let Pace::StepsPerSecond(steps) = state.pace() {
                pace = format!("{steps}/s");
                items.insert(0, vec![("   pace ", Role::Dim), (&pace, Role::Warning)]);
            }
            items.push(vec![("   step ", Role::Dim), (&step, Role::Text)]);
        }
        Phase::Finished | Phase::Browsing => {
            if let Some(result) = state.test {
                let floor = state.info.as_ref().map_or(0.0, |info| info.data.floors.test);
                test = loss(result.loss);
                excess = format!(" (excess {})", loss(result.loss - floor));
                items.push(vec![("   test ", Role::Dim), (&test, Role::Strong), (&excess, Role::Dim)]);
            }
            items.push(vec![("   step ", Role::Dim), (&step, Role::Text)]);
        }
    }

    let mut x = pane.text(0, 0, &label, Role::Text);
    let end = pane.width().saturating_sub(1);
    // The bar gets what the figures leave, but never less than this.
    let least_bar = 10;
    let fixed = x + percent.chars().count() as u16;
    let mut room = end.saturating_sub(fixed + least_bar);
    items.retain(|item| {
        let fits = width_of(item) <= room;
        room -= if fits { width_of(item) } else { 0 };
        fits
    });
    let figures: u16 = items.iter().map(|item| width_of(item)).sum();
    let bar = end.saturating_sub(fixed + figures);
    x = draw_bar(pane, x, bar, done);
    x = pane.text(x, 0, &percent, Role::Text);
    // Step, speed, then time: in the order of reading, whatever the order of need.
    for item in items.iter().rev() {
        x = pane.parts(x, 0, item);
    }
}

/// The bar in half cells.
fn draw_bar(pane: &mut Pane, x: u16, width: u16, done: f64) -> u16 {
    let halves = (f64::from(width) * 2.0 * done.clamp(0.0, 1.0)).floor() as usize;
    let glyphs = state_glyphs(pane);
    let full = glyphs.0.repeat(halves / 2);
    let tip = if halves % 2 == 1 { glyphs.1 } else { "" };
    let rest = usize::from(width) - halves / 2 - halves % 2;
    let x = pane.parts(x, 0, &[(&full, Role::Accent), (tip, Role::Accent)]);
    pane.text(x, 0, &glyphs.2.repeat(rest), Role::Rule)
}

fn state_glyphs(pane: &Pane) -> (&'static str, &'static str, &'static str) {
    let glyphs = pane.theme.glyphs;
    (glyphs.bar_full, glyphs.bar_tip, glyphs.bar_rest)
}
