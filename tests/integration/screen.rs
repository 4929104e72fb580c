//! The whole screen: as it looks, as it answers keys, what it costs, and that nothing breaks it.

use std::sync::Arc;
use std::time::Duration;

use aescope::config::ColorChoice;
use aescope::message::{Command, EndReason, EndReport, Event, Phase, Snapshot};
use aescope::tui::{Dashboard, Effect, Msg, ScreenEnd, ScreenOptions};
use crossterm::event::{KeyCode, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::fixture;

const SIZES: [(u16, u16); 4] = [(200, 60), (120, 40), (80, 24), (60, 20)];

fn no_variable(_: &str) -> Option<String> {
    None
}

/// A screen and a trainer made of formulas that answers it.
struct Session {
    dashboard: Dashboard,
    size: (u16, u16),
    phase: Phase,
    step: u64,
    watch: Vec<u32>,
    now: Duration,
    effects: Vec<Effect>,
}

impl Session {
    fn new(color: ColorChoice, size: (u16, u16), phase: Phase, step: u64) -> Self {
        let options = ScreenOptions { color, ascii: Some(false) };
        let first = Arc::new(fixture::snapshot(phase, 0, &[]));
        let dashboard = Dashboard::new(options, no_variable, size, first);
        let mut session = Self {
            dashboard,
            size,
            phase,
            step,
            watch: Vec::new(),
            now: Duration::ZERO,
            effects: Vec::new(),
        };
        let mut info = fixture::info();
        let done = (step / fixture::STEPS_PER_EPOCH) as u32;
        info.history = (1..=done).map(fixture::epoch).collect();
        info.step = step;
        session.send(Msg::Event(Event::Start(Box::new(info))));
        if matches!(phase, Phase::Finished | Phase::Browsing) {
            session.send(Msg::Event(Event::Completed(fixture::test_result())));
        }
        session.publish();
        session
    }

    fn send(&mut self, msg: Msg) {
        let effects = self.dashboard.update(msg, self.now);
        let mut asked = false;
        for effect in &effects {
            if let Effect::Send(Command::Watch(watch)) = effect {
                self.watch.clone_from(watch);
                asked = true;
            }
        }
        self.effects.extend(effects);
        if asked {
            self.publish();
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = fixture::snapshot(self.phase, self.step, &self.watch);
        if matches!(self.phase, Phase::Finished | Phase::Browsing) {
            snapshot.saved_step = Some(self.step);
        }
        snapshot
    }

    fn publish(&mut self) {
        let snapshot = Arc::new(self.snapshot());
        self.send(Msg::Snapshot(snapshot));
    }

    fn key(&mut self, code: KeyCode) {
        self.send(Msg::Key((code, KeyModifiers::NONE)));
    }

    fn typed(&mut self, text: &str) {
        text.chars().for_each(|character| self.key(KeyCode::Char(character)));
    }

    fn control(&mut self, character: char) {
        self.send(Msg::Key((KeyCode::Char(character), KeyModifiers::CONTROL)));
    }

    /// What followed since the last look, requests for samples apart.
    fn take_effects(&mut self) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.effects);
        effects.retain(|effect| !matches!(effect, Effect::Send(Command::Watch(_))));
        effects
    }

    fn picture(&self) -> String {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        terminal.draw(|frame| self.dashboard.view(frame)).unwrap();
        if self.size.0 == 0 || self.size.1 == 0 { String::new() } else { terminal.backend().to_string() }
    }
}

/// The screen in each state that the snapshots show.
fn states(color: ColorChoice, size: (u16, u16)) -> Vec<(&'static str, Session)> {
    let session = |phase, step| Session::new(color, size, phase, step);
    let mut help = session(Phase::Training, 2_861);
    help.key(KeyCode::Char('?'));
    let mut error = session(Phase::Training, 2_861);
    error.send(Msg::Event(Event::Failed(
        "the loss became infinite at step 2,861: a smaller --learning-rate than 1000 may help".into(),
    )));
    vec![
        ("training", session(Phase::Training, 2_861)),
        ("paused", session(Phase::Paused, 2_861)),
        ("finished", session(Phase::Finished, 7_500)),
        ("browsing", session(Phase::Browsing, 7_500)),
        ("help", help),
        ("error", error),
    ]
}

#[test]
fn the_screen_looks_as_drawn() {
    // Without colours the pictures are characters and can be read in the snapshot.
    for size in SIZES {
        for (name, session) in states(ColorChoice::None, size) {
            insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), session.picture());
        }
    }
}

#[test]
fn any_size_draws_in_any_state() {
    let press = |session: &mut Session, key| {
        session.key(key);
        let _ = session.picture();
    };
    let widths = (0..=125).chain([131, 160, 175, 177, 178, 200, 257, 500]);
    for width in widths {
        let heights = if width % 8 == 0 {
            (0..=62).chain([64, 199, 200])
        } else {
            (width % 9..=20).chain([36, 41, 53])
        };
        for height in heights {
            let color = if (width + height) % 5 == 0 { ColorChoice::None } else { ColorChoice::Palette256 };
            let mut session = Session::new(color, (width, height), Phase::Training, 800);
            for _ in 0..6 {
                press(&mut session, KeyCode::Tab);
            }
            for key in [KeyCode::Char('?'), KeyCode::Down, KeyCode::Esc, KeyCode::Char('/'), KeyCode::Enter] {
                press(&mut session, key);
            }
            press(&mut session, KeyCode::Esc);
            press(&mut session, KeyCode::Char('q'));
            session.send(Msg::Event(Event::Failed("a long story that needs several lines".into())));
            let _ = session.picture();
        }
    }
}

#[test]
fn while_training_80x24_costs_at_most_20_kilobytes_a_second() {
    let mut session = Session::new(ColorChoice::Palette256, (80, 24), Phase::Training, 0);
    let mut sent: Vec<(Duration, usize)> = Vec::new();
    // A run of 10 s, its snapshots at 10 a second, looked at every 10 ms.
    for tick in 0..1_000_u64 {
        session.now = Duration::from_millis(tick * 10);
        if tick % 10 == 0 {
            session.step = tick * 7;
            if session.step / 375 > (session.step.saturating_sub(70)) / 375 {
                let record = fixture::epoch((session.step / 375) as u32);
                session.send(Msg::Event(Event::Epoch(record)));
            }
            session.publish();
        }
        session.send_tick();
        if let Some(frame) = session.dashboard.frame(session.now) {
            sent.push((session.now, frame.len()));
        }
    }
    let second = |start: Duration| -> usize {
        let inside = |at: &Duration| *at >= start && *at < start + Duration::from_secs(1);
        sent.iter().filter(|(at, _)| inside(at)).map(|(_, bytes)| bytes).sum()
    };
    let dearest = sent.iter().map(|(at, _)| second(*at)).max().unwrap();
    let all: usize = sent.iter().map(|(_, bytes)| bytes).sum();
    println!("{all} bytes in 10 s and {} frames, {dearest} in the dearest second", sent.len());
    assert!(dearest <= 20_000, "{dearest} bytes in one second");
    assert!(sent.len() > 50, "only {} frames in 10 s", sent.len());
    assert!(sent.len() <= 130, "{} frames in 10 s", sent.len());
}

#[test]
fn nothing_is_written_while_nothing_changes() {
    let mut session = Session::new(ColorChoice::Palette256, (120, 40), Phase::Paused, 2_861);
    session.now = Duration::from_secs(1);
    assert!(session.dashboard.frame(session.now).is_some());
    for second in 2..10 {
        session.now = Duration::from_secs(second);
        session.publish();
        session.send_tick();
        assert_eq!(session.dashboard.frame(session.now), None);
    }
    assert_eq!(session.dashboard.tick_due(), None);
}

impl Session {
    fn send_tick(&mut self) {
        if self.dashboard.tick_due().is_some_and(|due| due <= self.now) {
            self.send(Msg::Tick);
        }
    }
}

#[test]
fn a_key_is_drawn_at_once() {
    let mut session = Session::new(ColorChoice::Palette256, (80, 24), Phase::Training, 2_861);
    session.now = Duration::from_secs(1);
    assert!(session.dashboard.frame(session.now).is_some());
    session.publish();
    session.key(KeyCode::Right);
    assert_eq!(session.dashboard.frame_due(), Some(Duration::ZERO));
    assert!(session.dashboard.frame(session.now).is_some());
}

/// A terminal of 120x40.
fn parser() -> vt100::Parser {
    let side = |cells| std::num::NonZero::new(cells).expect("not zero");
    vt100::Parser::new(side(40), side(120), 0)
}

#[test]
fn the_bytes_give_the_same_screen_as_the_cells() {
    for color in [ColorChoice::TrueColor, ColorChoice::Palette256, ColorChoice::Basic16, ColorChoice::None] {
        let mut session = Session::new(color, (120, 40), Phase::Training, 300);
        let mut terminal = parser();
        for step in 1..30 {
            session.now = Duration::from_millis(step * 400);
            session.step = 300 + step * 61;
            session.publish();
            if step % 5 == 0 {
                session.key(KeyCode::Tab);
            }
            terminal.process(&session.dashboard.frame(session.now).unwrap_or_default());
        }
        let mut fresh = parser();
        session.control('l');
        fresh.process(&session.dashboard.frame(session.now).unwrap());
        for (row, column) in (0..40).flat_map(|row| (0..120).map(move |column| (row, column))) {
            let (a, b) =
                (terminal.screen().cell(row, column).unwrap(), fresh.screen().cell(row, column).unwrap());
            let shown = |text: &str| if text.is_empty() { " ".to_string() } else { text.to_string() };
            assert_eq!(
                (shown(a.contents()), a.bgcolor()),
                (shown(b.contents()), b.bgcolor()),
                "{row} {column}"
            );
            if shown(a.contents()) != " " {
                assert_eq!((a.fgcolor(), a.bold()), (b.fgcolor(), b.bold()), "{row} {column}");
            }
        }
    }
}

#[test]
fn without_colours_no_colour_is_written() {
    let mut session = Session::new(ColorChoice::None, (120, 40), Phase::Training, 2_861);
    let frame = String::from_utf8(session.dashboard.frame(session.now).unwrap()).unwrap();
    let rest = frame.replace("\x1b[m", "").replace("\x1b[2J", "");
    let with_parameters: Vec<&str> = rest
        .split("\x1b[")
        .filter(|part| {
            part.split_once('m')
                .is_some_and(|(codes, _)| codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'))
        })
        .collect();
    assert!(with_parameters.is_empty(), "{with_parameters:?}");
}

#[test]
fn ascii_terminals_get_ascii() {
    for (width, height) in SIZES {
        for color in [ColorChoice::None, ColorChoice::Palette256] {
            let options = ScreenOptions { color, ascii: Some(true) };
            let snapshot = Arc::new(fixture::snapshot(Phase::Training, 0, &[]));
            let dashboard = Dashboard::new(options, no_variable, (width, height), snapshot);
            let mut session = Session::new(color, (width, height), Phase::Training, 2_861);
            session.dashboard = dashboard;
            session.send(Msg::Event(Event::Start(Box::new(fixture::info()))));
            session.key(KeyCode::Right);
            for key in ['x', '?'] {
                session.typed(&key.to_string());
                let frame = session.dashboard.frame(session.now).unwrap_or_default();
                assert!(frame.is_ascii(), "{width}x{height}: {}", String::from_utf8_lossy(&frame));
            }
        }
    }
}

#[test]
fn quitting_asks_while_something_is_unsaved() {
    let mut session = Session::new(ColorChoice::None, (80, 24), Phase::Training, 2_861);
    session.typed("q");
    assert_eq!(session.take_effects(), []);
    session.key(KeyCode::Esc);
    session.typed("q");
    session.key(KeyCode::Enter);
    assert_eq!(session.take_effects(), [Effect::Send(Command::Stop(EndReason::Stopped))]);
    let report = EndReport { reason: EndReason::Stopped, test: fixture::test_result() };
    session.send(Msg::Event(Event::End(report)));
    assert_eq!(session.take_effects(), [Effect::Leave(ScreenEnd::Ended(report))]);

    let mut discard = Session::new(ColorChoice::None, (80, 24), Phase::Training, 2_861);
    discard.typed("qd");
    assert_eq!(discard.take_effects(), [Effect::Leave(ScreenEnd::Discarded)]);

    let mut saved = Session::new(ColorChoice::None, (80, 24), Phase::Finished, 7_500);
    saved.typed("q");
    assert_eq!(saved.take_effects(), [Effect::Send(Command::Stop(EndReason::Stopped))]);
}

#[test]
fn control_c_stops_and_the_second_one_forces() {
    let mut session = Session::new(ColorChoice::None, (80, 24), Phase::Training, 2_861);
    session.typed("/12");
    session.control('c');
    assert_eq!(session.take_effects(), [Effect::Send(Command::Stop(EndReason::Stopped))]);
    session.control('c');
    assert_eq!(session.take_effects(), [Effect::Leave(ScreenEnd::ForcedQuit)]);
}

#[test]
fn a_failure_stays_until_it_was_read() {
    let mut session = Session::new(ColorChoice::None, (80, 24), Phase::Training, 2_861);
    session.send(Msg::Event(Event::Failed("out of\u{1b}[2J memory".into())));
    session.send(Msg::TrainerGone);
    assert_eq!(session.take_effects(), []);
    assert!(session.picture().contains("out of\\u{1b}[2J memory"));
    session.typed("q");
    let Some(Effect::Leave(ScreenEnd::Failed(reason))) = session.take_effects().pop() else {
        panic!("did not leave");
    };
    assert!(reason.starts_with("out of"));
}

#[test]
fn a_trainer_that_goes_without_a_word_is_a_failure() {
    let mut session = Session::new(ColorChoice::None, (80, 24), Phase::Training, 2_861);
    session.control('c');
    session.take_effects();
    session.send(Msg::TrainerGone);
    assert!(matches!(session.take_effects()[..], [Effect::Leave(ScreenEnd::Failed(_))]));
}

#[test]
fn every_key_does_its_work() {
    use aescope::config::Pace;
    let mut session = Session::new(ColorChoice::None, (80, 24), Phase::Training, 2_861);
    let sent = |session: &mut Session| -> Vec<Command> {
        let effects = session.take_effects().into_iter();
        effects
            .filter_map(|effect| if let Effect::Send(command) = effect { Some(command) } else { None })
            .collect()
    };
    session.typed("  ");
    assert_eq!(sent(&mut session), [Command::Pause, Command::Resume]);
    session.typed("s");
    assert_eq!(sent(&mut session), [Command::Save]);
    session.typed("<<>");
    let paces = [Pace::StepsPerSecond(1000.0), Pace::StepsPerSecond(500.0), Pace::StepsPerSecond(1000.0)];
    assert_eq!(sent(&mut session), paces.map(Command::SetPace));
    session.typed("e");
    session.key(KeyCode::Backspace);
    session.typed("12");
    session.key(KeyCode::Enter);
    assert_eq!(sent(&mut session), [Command::AddEpochs(12)]);

    let at = |session: &Session| {
        session.picture().lines().find_map(|line| {
            let (_, after) = line.split_once('▸')?;
            after.split(' ').next()?.parse::<u32>().ok()
        })
    };
    assert_eq!(at(&session), Some(0));
    session.key(KeyCode::Right);
    session.typed("l");
    assert_eq!(at(&session), Some(2));
    session.key(KeyCode::Left);
    assert_eq!(at(&session), Some(1));
    session.key(KeyCode::PageDown);
    assert_eq!(at(&session), Some(6));
    session.key(KeyCode::PageUp);
    session.typed("h");
    assert_eq!(at(&session), Some(0));
    session.key(KeyCode::End);
    assert_eq!(at(&session), Some(9_999));
    session.key(KeyCode::Right);
    assert_eq!(at(&session), Some(9_999));
    session.typed("g/123");
    session.key(KeyCode::Enter);
    assert_eq!(at(&session), Some(123));
    session.typed("/digit:4");
    session.key(KeyCode::Enter);
    let expected = (124..10_000).find(|&index| fixture::label(index) == 4);
    assert_eq!(at(&session), expected);
    session.typed("/10000");
    session.key(KeyCode::Enter);
    assert!(session.picture().contains("test images are 0 to 9999"));
    session.key(KeyCode::Esc);
    assert_eq!(at(&session), expected);
    session.control('z');
    assert_eq!(session.take_effects(), [Effect::Suspend]);
}

#[test]
fn browsing_trains_and_saves_nothing() {
    let mut session = Session::new(ColorChoice::None, (80, 24), Phase::Browsing, 7_500);
    for key in [" ", "s", "<", ">", "e"] {
        session.typed(key);
        assert_eq!(session.take_effects(), []);
        assert!(session.picture().contains("only browsed"));
        session.key(KeyCode::Esc);
    }
}

#[test]
fn a_warning_stays_until_it_is_put_away() {
    let mut session = Session::new(ColorChoice::None, (80, 24), Phase::Training, 2_861);
    session.send(Msg::Event(Event::Warning("cannot save: no space left on device".into())));
    session.now = Duration::from_secs(60);
    session.publish();
    assert!(session.picture().contains("no space left"));
    session.key(KeyCode::Esc);
    assert!(!session.picture().contains("no space left"));
}

#[test]
fn odd_images_and_numbers_draw() {
    for (rows, cols) in [(1_u32, 1_u32), (256, 256), (256, 3), (5, 200), (8, 8), (32, 32), (0, 0)] {
        for size in [(31, 10), (60, 20), (80, 24), (120, 40), (200, 60), (500, 200)] {
            let mut session = Session::new(ColorChoice::TrueColor, size, Phase::Training, 10);
            let mut info = fixture::info();
            (info.data.rows, info.data.cols) = (rows, cols);
            info.data.test_labels.clear();
            info.config.code = 1_000;
            session.send(Msg::Event(Event::Start(Box::new(info))));
            let pixels = (rows * cols) as usize;
            let mut snapshot = session.snapshot();
            snapshot.recent = vec![f32::NAN, f32::INFINITY, -1.0];
            snapshot.losses.push(f32::NAN);
            snapshot.eta_seconds = Some(f64::NAN);
            snapshot.images_per_second = f64::INFINITY;
            for sample in &mut snapshot.samples {
                sample.original = vec![7; pixels];
                sample.reconstruction = vec![f32::NAN; pixels];
                sample.code = vec![f32::NEG_INFINITY; 1_000];
                sample.loss = f32::NAN;
            }
            session.send(Msg::Snapshot(Arc::new(snapshot)));
            for _ in 0..7 {
                let _ = session.picture();
                session.key(KeyCode::Tab);
            }
        }
    }
}

fn any_key() -> impl Strategy<Value = KeyCode> {
    prop_oneof![
        prop::char::range(' ', '~').prop_map(KeyCode::Char),
        prop::sample::select(vec![
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Esc,
            KeyCode::Enter,
            KeyCode::Backspace,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::F(1),
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_storm_of_keys_and_sizes_breaks_it(
        storm in prop::collection::vec((any_key(), 0_u16..220, 0_u16..80, any::<bool>()), 1..40),
    ) {
        let mut session = Session::new(ColorChoice::Palette256, (80, 24), Phase::Training, 900);
        for (key, width, height, resize) in storm {
            session.now += Duration::from_millis(90);
            if resize {
                session.size = (width, height);
                session.send(Msg::Resize(width, height));
            }
            session.key(key);
            session.dashboard.frame(session.now);
        }
    }
}
