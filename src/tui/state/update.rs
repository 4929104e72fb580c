//! What each message changes and what follows from it.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyModifiers};

use super::prompt::{self, Prompt, Question};
use super::{Effect, Focus, Msg, Notice, Overlay, ScreenEnd, State};
use crate::config::Pace;
use crate::format::{printable, thousands};
use crate::message::{Command, EndReason, Event, Phase, RunInfo, SaveReason};
use crate::tui::keys::{Action, Key, action};
use crate::tui::pages;

/// How long a notice stays.
const NOTICE: Duration = Duration::from_secs(4);
/// The chart shows at least 1/64 of the steps.
const DEEPEST_ZOOM: u8 = 6;

/// Takes `msg` at time `now` (since the start of the screen) and says what is to be done.
pub(crate) fn update(state: &mut State, msg: Msg, now: Duration) -> Vec<Effect> {
    let mut effects = Vec::new();
    // What the person asked for shows at once; what the trainer sends shows in its turn.
    let mut hurry = matches!(msg, Msg::Key(_) | Msg::Resize(..));
    match msg {
        Msg::Key(key) => press(state, key, now, &mut effects),
        Msg::Event(event) => take_event(state, event, now, &mut effects),
        Msg::Snapshot(snapshot) => {
            hurry |= snapshot.phase != Phase::Training;
            state.snapshot = snapshot;
            settle_wishes(state);
            state.pictures.touch();
        }
        Msg::TrainerGone => {
            if state.failure.is_none() {
                let reason = "training ended without a report";
                fail(state, reason.into(), &mut effects);
            }
        }
        Msg::Resize(width, height) => state.size = (width, height),
        Msg::Tick => {}
    }
    if state.notice.as_ref().is_some_and(|notice| now >= notice.until) {
        state.notice = None;
    }
    show_pictures(state, now, hurry, &mut effects);
    effects
}

/// Brings the pictures in line with the page and asks for the samples that they need.
fn show_pictures(state: &mut State, now: Duration, hurry: bool, effects: &mut Vec<Effect>) {
    let Some(info) = &state.info else { return };
    let image = (info.data.rows as usize, info.data.cols as usize);
    let wanted = (pages::current(state).pictures)(state);
    let mut watch: Vec<u32> = wanted.iter().map(|want| want.0).collect();
    watch.sort_unstable();
    watch.dedup();
    if watch != state.watched {
        state.watched.clone_from(&watch);
        effects.push(Effect::Send(Command::Watch(watch)));
    }
    state.pictures.refresh(&wanted, &state.snapshot, image, &state.theme, now, hurry);
}

fn settle_wishes(state: &mut State) {
    let snapshot = &state.snapshot;
    let over = matches!(snapshot.phase, Phase::Finished | Phase::Browsing);
    if over || state.wished_phase == Some(snapshot.phase) {
        state.wished_phase = None;
    }
    if state.wished_pace == Some(snapshot.pace) {
        state.wished_pace = None;
    }
}

fn take_event(state: &mut State, event: Event, now: Duration, effects: &mut Vec<Effect>) {
    match event {
        Event::Start(info) => start(state, *info),
        Event::Epoch(record) => {
            state.epochs.retain(|known| known.epoch < record.epoch);
            state.epochs.push(record);
        }
        Event::Saved(saved) => {
            if saved.reason == SaveReason::Hand {
                let text = format!("saved step {} to {}", thousands(saved.step), printable(&saved.path));
                notify(state, text, now);
            }
        }
        Event::Completed(test) => {
            state.test = Some(test);
            state.wished_phase = None;
        }
        Event::Warning(text) => state.warning = Some(printable(&text).into_owned()),
        Event::Failed(text) => fail(state, printable(&text).into_owned(), effects),
        Event::End(report) => {
            let end = state.failure.clone().map_or(ScreenEnd::Ended(report), ScreenEnd::Failed);
            // A failure stays until it has been read.
            if state.failure.is_none() || state.stopping {
                effects.push(Effect::Leave(end));
            }
        }
    }
}

fn start(state: &mut State, mut info: RunInfo) {
    info.run = printable(&info.run).into_owned();
    info.data.name = printable(&info.data.name).into_owned();
    info.folder = info.folder.map(|folder| printable(&folder).into_owned());
    for layer in &mut info.layers {
        layer.name = printable(&layer.name).into_owned();
        layer.kind = printable(&layer.kind).into_owned();
    }
    state.epochs.clone_from(&info.history);
    state.cursor = state.cursor.min(info.data.test_images.saturating_sub(1));
    state.pictures.clear();
    state.info = Some(info);
}

fn fail(state: &mut State, reason: String, effects: &mut Vec<Effect>) {
    if state.stopping {
        effects.push(Effect::Leave(ScreenEnd::Failed(reason.clone())));
    }
    state.overlay = Overlay::None;
    state.failure = Some(reason);
}

fn notify(state: &mut State, text: impl Into<String>, now: Duration) {
    state.notice = Some(Notice { text: text.into(), until: now + NOTICE });
}

fn press(state: &mut State, key: Key, now: Duration, effects: &mut Vec<Effect>) {
    let action = action(key);
    match action {
        Some(Action::Interrupt) => return interrupt(state, effects),
        Some(Action::Suspend) => return effects.push(Effect::Suspend),
        Some(Action::Repaint) => return effects.push(Effect::Repaint),
        _ => {}
    }
    if state.stopping {
        return;
    }
    if let Some(reason) = &state.failure {
        if matches!(key.0, KeyCode::Char('q') | KeyCode::Enter | KeyCode::Esc) {
            effects.push(Effect::Leave(ScreenEnd::Failed(reason.clone())));
        }
        return;
    }
    match std::mem::take(&mut state.overlay) {
        Overlay::None => act(state, action, now, effects),
        Overlay::Help { scroll } => match action {
            Some(Action::Help | Action::Back | Action::Quit) => {}
            Some(Action::Up) => state.overlay = Overlay::Help { scroll: scroll.saturating_sub(1) },
            // More than the table has rows is never needed; the view stops at its end.
            Some(Action::Down) => state.overlay = Overlay::Help { scroll: (scroll + 1).min(64) },
            _ => state.overlay = Overlay::Help { scroll },
        },
        Overlay::Quit => match key.0 {
            KeyCode::Enter | KeyCode::Char('y' | 's' | 'q') => stop(state, effects),
            KeyCode::Char('d') => effects.push(Effect::Leave(ScreenEnd::Discarded)),
            KeyCode::Esc | KeyCode::Char('n' | 'c') => {}
            _ => state.overlay = Overlay::Quit,
        },
        Overlay::Prompt(prompt) => type_into(state, prompt, key, now, effects),
    }
}

fn interrupt(state: &mut State, effects: &mut Vec<Effect>) {
    if let Some(reason) = &state.failure {
        effects.push(Effect::Leave(ScreenEnd::Failed(reason.clone())));
    } else if state.stopping {
        effects.push(Effect::Leave(ScreenEnd::ForcedQuit));
    } else {
        stop(state, effects);
    }
}

fn stop(state: &mut State, effects: &mut Vec<Effect>) {
    state.stopping = true;
    state.overlay = Overlay::None;
    effects.push(Effect::Send(Command::Stop(EndReason::Stopped)));
}

fn type_into(state: &mut State, mut prompt: Prompt, key: Key, now: Duration, effects: &mut Vec<Effect>) {
    let held = key.1.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    match key.0 {
        KeyCode::Esc => return,
        KeyCode::Backspace if prompt.text.is_empty() => return,
        KeyCode::Backspace => prompt.pop(),
        KeyCode::Char(character) if !held => prompt.push(character),
        KeyCode::Enter => {
            let answer = match prompt.question {
                Question::GoTo => prompt::target(&prompt.text, state).map(|index| state.cursor = index),
                Question::MoreEpochs => prompt::epochs(&prompt.text).map(|epochs| {
                    effects.push(Effect::Send(Command::AddEpochs(epochs)));
                    let plural = if epochs == 1 { "" } else { "s" };
                    notify(state, format!("{epochs} more epoch{plural}"), now);
                }),
            };
            match answer {
                Ok(()) => return,
                Err(complaint) => prompt.complaint = Some(complaint),
            }
        }
        _ => {}
    }
    state.overlay = Overlay::Prompt(prompt);
}

fn act(state: &mut State, action: Option<Action>, now: Duration, effects: &mut Vec<Effect>) {
    let Some(action) = action else { return };
    let trains =
        matches!(action, Action::Pause | Action::Save | Action::Slower | Action::Faster | Action::MoreEpochs);
    if trains && state.phase() == Phase::Browsing {
        return notify(state, "this checkpoint is only browsed: `aescope resume` trains on", now);
    }
    let page = i64::from(pages::images_a_page(state));
    match action {
        Action::Pause => pause(state, now, effects),
        Action::Save => {
            notify(state, "saving…", now);
            effects.push(Effect::Send(Command::Save));
        }
        Action::Previous => state.move_cursor(-1),
        Action::Next => state.move_cursor(1),
        Action::First => state.cursor = 0,
        Action::Last => state.move_cursor(i64::from(u32::MAX)),
        Action::PageBack => state.move_cursor(-page),
        Action::PageForward => state.move_cursor(page),
        Action::GoTo => state.overlay = Overlay::Prompt(Prompt::new(Question::GoTo)),
        Action::MoreEpochs => state.overlay = Overlay::Prompt(Prompt::new(Question::MoreEpochs)),
        Action::Focus => state.focus = state.focus.step(1),
        Action::FocusBack => state.focus = state.focus.step(Focus::ORDER.len() - 1),
        Action::ZoomIn => state.zoom = (state.zoom + 1).min(DEEPEST_ZOOM),
        Action::ZoomOut => state.zoom = state.zoom.saturating_sub(1),
        Action::ZoomAll => state.zoom = 0,
        Action::LogScale => state.log = !state.log,
        Action::Slower => set_pace(state, state.pace().slower(), effects),
        Action::Faster => set_pace(state, state.pace().faster(), effects),
        Action::Help => state.overlay = Overlay::Help { scroll: 0 },
        Action::Back => back(state),
        Action::Up => state.back = (state.back + 1).min(state.epochs.len().saturating_sub(1)),
        Action::Down => state.back = state.back.saturating_sub(1),
        Action::Quit if state.unsaved() => state.overlay = Overlay::Quit,
        Action::Quit => stop(state, effects),
        Action::Interrupt | Action::Suspend | Action::Repaint => {}
    }
}

fn pause(state: &mut State, now: Duration, effects: &mut Vec<Effect>) {
    let (command, phase) = match state.phase() {
        Phase::Training => (Command::Pause, Phase::Paused),
        Phase::Paused => (Command::Resume, Phase::Training),
        Phase::Finished => return notify(state, "all epochs are trained: e adds more", now),
        Phase::Browsing => return,
    };
    state.wished_phase = Some(phase);
    effects.push(Effect::Send(command));
}

fn set_pace(state: &mut State, pace: Pace, effects: &mut Vec<Effect>) {
    if pace != state.pace() {
        state.wished_pace = Some(pace);
        effects.push(Effect::Send(Command::SetPace(pace)));
    }
}

/// Puts away one thing at a time: the warning, the notice, the focus.
fn back(state: &mut State) {
    if state.warning.take().is_none() && state.notice.take().is_none() {
        state.focus = Focus::All;
        state.back = 0;
    }
}
