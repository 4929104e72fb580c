//! Signals, stops and panics, while the program is idle, drawing, in the middle of an epoch and of a save.

use std::path::Path;
use std::time::{Duration, Instant};

use aescope::checkpoint;
use aescope::random::Random;
use rustix::process::{Pid, Signal, kill_process};

use super::{Campaign, TINY, home, piped, wait_until, works, wrapped};
use crate::program::{PATIENCE, Terminal, is_stopped, signal, wait};

/// What is done to the program.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blow {
    /// A signal that asks it to end, and the status that says so.
    Signal(Signal, i32),
    /// Two of them, at most milliseconds apart.
    Twice(Signal, Signal),
    /// Stopped from outside and woken again, then quit.
    Stop,
    ScreenPanics,
    TrainerPanics,
}

const BLOWS: [Blow; 9] = [
    Blow::Signal(Signal::INT, 130),
    Blow::Signal(Signal::TERM, 143),
    Blow::Signal(Signal::HUP, 129),
    Blow::Signal(Signal::QUIT, 131),
    Blow::Twice(Signal::TERM, Signal::INT),
    Blow::Twice(Signal::INT, Signal::INT),
    Blow::Stop,
    Blow::ScreenPanics,
    Blow::TrainerPanics,
];

/// What the program is doing then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Idle,
    Drawing,
    MidEpoch,
    MidSave,
}

const MOMENTS: [Moment; 4] = [Moment::Idle, Moment::Drawing, Moment::MidEpoch, Moment::MidSave];

/// Steps of an epoch on the embedded images.
const EPOCH: u64 = 25;

/// The newest step on disk, if there is any.
fn saved(folder: &Path) -> Option<u64> {
    checkpoint::newest_valid(&folder.join("r")).ok().map(|found| found.checkpoint.progress.step)
}

fn is_saving(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder.join("r")).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "scratch"))
}

/// One blow at one moment; `limit` is the time to end in.
fn trial(blow: Blow, moment: Moment, random: &mut Random, limit: Duration) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let pace = if moment == Moment::MidSave { "full" } else { "200" };
    let args = format!("train --data mnist-5k --epochs 100000 --pace {pace} --run r");
    let milliseconds = 400 + random.below(200);
    let step = match moment {
        // Right after a save, so that the last checkpoint is as new as it can be.
        Moment::MidSave => EPOCH * u64::from(1 + random.below(6)),
        // After the pause that the idle program makes.
        Moment::Idle => 150,
        _ => 26 + u64::from(random.below(70)),
    };
    let panic = match blow {
        Blow::ScreenPanics => format!("screen:{milliseconds}"),
        Blow::TrainerPanics => format!("trainer:{step}"),
        _ => String::new(),
    };
    let env = [("TERM", "xterm-256color"), ("AESCOPE_TEST_PANIC", panic.as_str())];
    let mut terminal = Terminal::start_with(folder.path(), &args, (120, 40), &env);
    let begun = Instant::now();
    while terminal.shown_step().unwrap_or(0) == 0 && !terminal.text().contains("broke off") {
        terminal.read_for(Duration::from_millis(5));
        if terminal.child.try_wait().expect("waited").is_some() || begun.elapsed() > PATIENCE {
            break;
        }
    }
    match moment {
        Moment::Idle => {
            terminal.press(" ");
            terminal.wait_until("paused", |text| text.contains("paused") || text.contains("defect"));
            if blow == Blow::TrainerPanics {
                terminal.press(" ");
            }
        }
        Moment::Drawing => terminal.press("\u{c}\u{c}?\u{c}?"),
        Moment::MidEpoch => terminal.read_for(Duration::from_millis(random.below(300).into())),
        Moment::MidSave => {
            let begun = Instant::now();
            while !is_saving(folder.path()) && begun.elapsed() < Duration::from_secs(2) {
                std::thread::yield_now();
            }
        }
    }
    let (shown, before) = (terminal.shown_step(), saved(folder.path()));
    let struck = Instant::now();
    let (status, keeps) = strike(&mut terminal, blow, random)?;
    let took = struck.elapsed();
    if !status.1.contains(&status.0) {
        return Err(format!("status {:?} and not {:?}", status.0, status.1));
    }
    if !terminal.is_as_found() {
        return Err("the terminal is not as it was found".into());
    }
    let after = saved(folder.path());
    if after < before {
        return Err(format!("step {before:?} was on disk, now {after:?}"));
    }
    if keeps && after < shown {
        return Err(format!("step {shown:?} was on the screen, and {after:?} is on disk"));
    }
    let waits = matches!(blow, Blow::Stop | Blow::ScreenPanics | Blow::TrainerPanics);
    if !waits && took > limit {
        return Err(format!("it took {} ms to end", took.as_millis()));
    }
    Ok(())
}

/// The status with those that are right, and whether all that was shown must be on disk.
type Ending = ((Option<i32>, Vec<Option<i32>>), bool);

fn strike(terminal: &mut Terminal, blow: Blow, random: &mut Random) -> Result<Ending, String> {
    match blow {
        Blow::Signal(sent, status) => {
            signal(&terminal.child, sent);
            Ok(((terminal.end().code(), vec![Some(status)]), true))
        }
        Blow::Twice(first, second) => {
            signal(&terminal.child, first);
            std::thread::sleep(Duration::from_micros(random.below(5_000).into()));
            // It may have ended already.
            let _ = kill_process(Pid::from_child(&terminal.child), second);
            let right = [first, second].map(|signal| Some(128 + signal.as_raw()));
            Ok(((terminal.end().code(), right.to_vec()), false))
        }
        Blow::Stop => {
            signal(&terminal.child, Signal::TSTP);
            let begun = Instant::now();
            while !is_stopped(terminal.child.id()) {
                if begun.elapsed() > PATIENCE {
                    return Err("it never stopped".into());
                }
                terminal.read_for(Duration::from_millis(5));
            }
            terminal.read_for(Duration::from_millis(20));
            if !terminal.is_as_found() {
                return Err("the terminal is not as it was found while stopped".into());
            }
            signal(&terminal.child, Signal::CONT);
            terminal.wait_until("the screen again", |text| text.contains("step "));
            terminal.press("\u{3}");
            Ok(((terminal.end().code(), vec![Some(0)]), true))
        }
        Blow::ScreenPanics => {
            let status = terminal.end().code();
            if !terminal.text().contains("AESCOPE_TEST_PANIC asked for it") {
                return Err(format!("no word about the panic:\n{}", terminal.text()));
            }
            Ok(((status, vec![Some(1)]), true))
        }
        Blow::TrainerPanics => {
            terminal.wait_for("broke off");
            terminal.press("q");
            let status = terminal.end().code();
            if !terminal.text().contains("a test asked for it") {
                return Err(format!("no word about the panic:\n{}", terminal.text()));
            }
            Ok(((status, vec![Some(1)]), false))
        }
    }
}

/// Every blow at every moment, one after the other, as often as there are trials.
fn strike_all(mut campaign: Campaign, limit: Duration) {
    let mut trials = 0;
    while campaign.goes_on() {
        let mut random = campaign.random(trials);
        let (blow, moment) =
            (BLOWS[trials as usize % BLOWS.len()], MOMENTS[trials as usize / BLOWS.len() % MOMENTS.len()]);
        let outcome = trial(blow, moment, &mut random, limit);
        campaign.count(outcome.map_err(|failure| format!("{blow:?} while {moment:?}: {failure}")));
        trials += 1;
    }
    campaign.end();
}

/// The first signal asks for a save that the disk holds up, the second one must not wait for it.
#[test]
fn a_second_signal_ends_a_save_that_hangs() {
    if !works(&["strace", "-o", "/dev/null", "true"]) {
        println!("skipped: strace does not work here");
        return;
    }
    for (first, second) in [(Signal::TERM, Signal::TERM), (Signal::HUP, Signal::INT)] {
        let home = home();
        let delay = "inject=rename:delay_enter=3000000";
        let wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename", "-e", delay];
        let words =
            format!("train {TINY} --epochs 1000000 --save-every 1000000 --pace 100 --run r --headless");
        let mut strace = piped(wrapped(home.path(), &wrapper, &words));
        let children = format!("/proc/{0}/task/{0}/children", strace.id());
        let program = || -> Option<Pid> {
            let children = std::fs::read_to_string(&children).ok()?;
            Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
        };
        let trains = || program().is_some() && home.path().join("r/.lock").exists();
        wait_until("a run", trains).expect("it starts");
        std::thread::sleep(Duration::from_millis(300));
        let program = program().expect("it runs");
        kill_process(program, first).expect("a signal");
        wait_until("a save", || is_saving(home.path())).expect("it saves");
        std::thread::sleep(Duration::from_millis(200));
        assert!(strace.try_wait().expect("waited").is_none(), "the save hangs");
        kill_process(program, second).expect("a signal");
        // The tracer keeps what is left of it until the delay is over.
        let state = format!("/proc/{}/stat", program.as_raw_nonzero());
        let struck = Instant::now();
        let ended = || std::fs::read_to_string(&state).map_or(true, |stat| stat.contains(") Z "));
        wait_until("its end", ended).expect("it ends");
        assert!(
            struck.elapsed() < Duration::from_secs(1),
            "{first:?}, then {second:?}: {:?}",
            struck.elapsed()
        );
        assert_eq!(wait(&mut strace).code(), Some(128 + second.as_raw()), "{first:?}, then {second:?}");
    }
}

#[test]
fn signals_and_panics() {
    strike_all(Campaign::short("terminal", 36), Duration::from_secs(10));
}

#[test]
#[ignore = "the long form: 100 repeats of each, half an hour"]
fn signals_and_panics_at_length() {
    strike_all(Campaign::long("terminal", 3_600), Duration::from_secs(3));
}
