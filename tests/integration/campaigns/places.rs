//! Simultaneous starts, things in the way, open masks and hostile names.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::process::Signal;

use super::{Campaign, TINY, home, piped, wait_until, wrapped};
use crate::program::{aescope, run, signal, stderr, wait};

/// All start at the same moment, when the gate they wait at opens: one becomes the owner.
fn simultaneous_starts(mut campaign: Campaign, at_once: u32) {
    while campaign.goes_on() {
        let home = home();
        let (gate, opener) = std::io::pipe().expect("a pipe");
        let words = format!("train {TINY} --epochs 1000000 --pace 1 --run r --json");
        let mut children: Vec<_> = (0..at_once)
            .map(|_| {
                let mut command = wrapped(home.path(), &["sh", "-c", "read _; exec \"$@\"", "sh"], &words);
                command.stdin(gate.try_clone().expect("the gate"));
                command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
            })
            .collect();
        drop(opener);
        let running = |children: &mut Vec<std::process::Child>| {
            children.iter_mut().filter_map(|child| child.try_wait().ok()).filter(Option::is_none).count()
        };
        let mut outcome = wait_until("a single owner", || running(&mut children) <= 1);
        if outcome.is_ok() && running(&mut children) == 0 {
            outcome = Err("nobody became the owner".into());
        }
        for mut child in children {
            if child.try_wait().expect("its state").is_none() {
                signal(&child, Signal::TERM);
                let status = wait(&mut child);
                if status.code() != Some(143) {
                    outcome = Err(format!("the owner: {status}"));
                }
            } else {
                let output = child.wait_with_output().expect("its output");
                let message = stderr(&output);
                let refused = message.contains("in use by another") || message.contains("already holds");
                if output.status.code() != Some(1) || !refused {
                    outcome = Err(format!("{}: {message}", output.status));
                }
            }
            campaign.count(std::mem::replace(&mut outcome, Ok(())));
        }
    }
    campaign.end();
}

#[test]
fn simultaneous_starts_short() {
    simultaneous_starts(Campaign::short("simultaneous starts", 30), 30);
}

#[test]
#[ignore = "the long form"]
fn simultaneous_starts_long() {
    let campaign = Campaign::long("simultaneous starts", 1_000);
    let at_once = campaign.trials;
    simultaneous_starts(campaign, at_once);
}

type Obstacle = (&'static str, fn(&Path, &Path));

/// What can stand where a file should be; the second path is something precious outside.
const OBSTACLES: [Obstacle; 6] = [
    ("a link to a file", |at, outside| std::os::unix::fs::symlink(outside, at).expect("a link")),
    ("a link to nowhere", |at, outside| {
        std::os::unix::fs::symlink(outside.with_file_name("made"), at).expect("a link");
    }),
    ("a pipe", |at, _| mknodat(CWD, at, FileType::Fifo, Mode::RWXU, 0).expect("a pipe")),
    ("a device", |at, _| {
        // Where that is not allowed, a link to one serves as well.
        mknodat(CWD, at, FileType::CharacterDevice, Mode::RWXU, makedev(1, 5))
            .unwrap_or_else(|_| std::os::unix::fs::symlink("/dev/zero", at).expect("a link"));
    }),
    ("a folder", |at, _| fs::create_dir(at).expect("a folder")),
    ("a socket", |at, _| drop(std::os::unix::net::UnixListener::bind(at).expect("a socket"))),
];

/// What looks like the newest checkpoint of a run.
const AHEAD: &str = "r/step-00009990.aescope";
/// A checkpoint that is still to come when something is put in its place.
const TO_COME: &str = "r/step-00000040.aescope";

/// Where: a checkpoint to come, one ahead of a run that is resumed, the lock, an unfinished file, the run folder,
/// the images.
const PLACES: [&str; 6] =
    [TO_COME, AHEAD, "r/.lock", "r/.step-00000010-0123456789abcdef.scratch", "r", "data/images-idx3-ubyte"];

fn obstacle(place: &str, (name, put): Obstacle) -> Result<(), String> {
    let home = home();
    let outside = home.path().join("outside");
    fs::write(&outside, b"precious").expect("a file");
    let at = home.path().join(place);
    let mut words = format!("train {TINY} --epochs 6 --pace 100 --run r --json");
    if place == AHEAD {
        let made = run(home.path(), &format!("train {TINY} --epochs 2 --run r --headless"));
        assert!(made.status.success(), "{}", stderr(&made));
        words = "resume r --data data --epochs 4 --json".into();
    } else if place.starts_with("data/") {
        fs::remove_file(&at).expect("removed");
    } else if place.starts_with("r/") && place != TO_COME {
        fs::create_dir(home.path().join("r")).expect("a folder");
    }
    if place != TO_COME {
        put(&at, &outside);
    }
    // A mask that allows everything: what is private must be asked to be.
    let mut child = piped(wrapped(home.path(), &["sh", "-c", "umask 000; exec \"$@\"", "sh"], &words));
    if place == TO_COME {
        // Without it the next line would say so.
        let _ = wait_until("a first save", || home.path().join("r/step-00000010.aescope").exists());
        put(&at, &outside);
    }
    let kind = fs::symlink_metadata(&at).expect("it stands").file_type();
    let status = wait(&mut child);
    let output = child.wait_with_output().expect("its output");
    let case = format!("{name} at {place}: {status}, {}", stderr(&output));
    if fs::read(&outside).expect("still there") != b"precious" || home.path().join("made").exists() {
        return Err(format!("something outside was written: {case}"));
    }
    if !matches!(status.code(), Some(0..=2)) || output.stderr.windows(8).any(|part| part == b"panicked") {
        return Err(case);
    }
    let unfinished = place.ends_with(".scratch");
    let folder_as_run = place == "r" && name == "a folder";
    let may_succeed = unfinished || folder_as_run || place.contains("step-");
    if (status.code() == Some(0)) != may_succeed {
        return Err(case);
    }
    let there = fs::symlink_metadata(&at).map(|at| at.file_type());
    if !there.is_ok_and(|there| there == kind) {
        return Err(format!("it was replaced or removed: {case}"));
    }
    private(&home.path().join("r"), folder_as_run || (place.starts_with("r/") && place != TO_COME))
}

/// Files 0600; folders that the program made 0700.
fn private(run: &Path, made_before: bool) -> Result<(), String> {
    let mode = |path: &Path| fs::symlink_metadata(path).map(|at| at.permissions().mode() & 0o777);
    if !run.is_dir() || run.is_symlink() {
        return Ok(());
    }
    if !made_before && mode(run).ok() != Some(0o700) {
        return Err(format!("the run folder has mode {:?}", mode(run)));
    }
    for entry in fs::read_dir(run).expect("the run folder") {
        let path = entry.expect("a name").path();
        let plain = fs::symlink_metadata(&path).is_ok_and(|at| at.is_file());
        if plain && mode(&path).ok() != Some(0o600) {
            return Err(format!("{} has mode {:?}", path.display(), mode(&path)));
        }
    }
    Ok(())
}

/// All obstacles at all places; the same in the short and in any long form.
#[test]
fn nothing_outside_the_run_folder_is_written() {
    let mut campaign = Campaign::short("things in the way", (OBSTACLES.len() * PLACES.len()) as u32);
    for place in PLACES {
        for what in OBSTACLES {
            campaign.count(obstacle(place, what));
        }
    }
    campaign.end();
}

#[test]
fn an_open_mask_opens_nothing() {
    let home = home();
    let words = format!("train {TINY} --epochs 4 --run some/where/r --json");
    let mut child = piped(wrapped(home.path(), &["sh", "-c", "umask 000; exec \"$@\"", "sh"], &words));
    assert!(wait(&mut child).success());
    private(&home.path().join("some/where/r"), false).expect("private");
    for above in ["some", "some/where"] {
        let mode = fs::metadata(home.path().join(above)).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{above}");
    }
}

/// Pieces of names: escape sequences, control characters of both sets, marks that turn text around, invisible
/// ones, bytes that are no text, and the ends of lines.
const PIECES: [&[u8]; 14] = [
    b"\x1b[2J",
    b"\x1b]0;title\x07",
    b"\x1b[?1049h",
    b"\r\n",
    b"\x08\x7f",
    b"\xc2\x9b31m",
    "\u{202e}".as_bytes(),
    "\u{2066}".as_bytes(),
    "\u{200b}\u{feff}".as_bytes(),
    "\u{2028}".as_bytes(),
    b"\xff\xfe",
    b"\xc3(",
    b"plain name",
    "été".as_bytes(),
];

fn hostile_name(random: &mut aescope::random::Random) -> PathBuf {
    let mut name = b"n".to_vec();
    for _ in 0..=random.below(4) {
        name.extend_from_slice(PIECES[random.below(PIECES.len() as u32) as usize]);
    }
    std::ffi::OsStr::from_bytes(&name).into()
}

/// Whether text holds nothing that a terminal acts on, line breaks apart.
fn is_inert(bytes: &[u8]) -> Result<(), String> {
    let active = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let text =
        std::str::from_utf8(bytes).map_err(|_| format!("no text: {}", String::from_utf8_lossy(bytes)))?;
    match text.chars().find(active) {
        Some(c) => Err(format!("{c:?} in {text:?}")),
        None => Ok(()),
    }
}

fn hostile_names(mut campaign: Campaign) {
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let home = home();
        let mut random = campaign.random(trial);
        let (data, run, gone) =
            (hostile_name(&mut random), hostile_name(&mut random).join("r"), hostile_name(&mut random));
        let data = Path::new("data-").join(data);
        fs::create_dir(home.path().join("data-")).expect("a folder");
        fs::rename(home.path().join("data"), home.path().join(&data)).expect("renamed");
        let program = |words: &[&std::ffi::OsStr]| {
            let mut command = aescope(home.path(), "");
            command.args(words).output().expect("the program starts")
        };
        let word = std::ffi::OsStr::new;
        let style = word(if trial % 2 == 0 { "--json" } else { "--headless" });
        let (data, run, gone) = (data.as_os_str(), run.as_os_str(), gone.as_os_str());
        let train =
            [word("train"), word("--data"), data, word("--run"), run, word("--epochs"), word("2"), style];
        let mut outcome = Ok(());
        let outputs = [
            program(&train),
            program(&train),
            program(&[word("resume"), run, word("--seed"), word("99"), word("--data"), data]),
            program(&[word("resume"), run, word("--data"), gone]),
            program(&[word("resume"), gone]),
            program(&[word("eval"), gone]),
            program(&[word("eval"), run, word("--data"), data]),
            program(&[word("train"), word("--data"), gone]),
        ];
        for (index, output) in outputs.iter().enumerate() {
            let inert = is_inert(&output.stdout).and_then(|()| is_inert(&output.stderr));
            outcome = outcome.and(inert.map_err(|failure| format!("command {index}: {failure}")));
            if output.status.success() != matches!(index, 0 | 6) {
                outcome = Err(format!("command {index}: {} {}", output.status, stderr(output)));
            }
        }
        campaign.count(outcome);
    }
    campaign.end();
}

#[test]
fn hostile_names_short() {
    hostile_names(Campaign::short("hostile names", 20));
}

#[test]
#[ignore = "the long form"]
fn hostile_names_long() {
    hostile_names(Campaign::long("hostile names", 1_000));
}
