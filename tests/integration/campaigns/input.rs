//! Sizes, bytes and pastes that no person would send, and terminals that are not as usual.

use std::process::Command;
use std::time::{Duration, Instant};

use super::Campaign;
use crate::program::{PROGRAM, Terminal, memory};

/// What the program may take more after a flood than before it.
const GROWTH: u64 = 16 << 20;

fn browse(env: &[(&str, &str)]) -> (tempfile::TempDir, Terminal) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start_with(folder.path(), "browse", (120, 40), env);
    terminal.wait_for("browsing");
    (folder, terminal)
}

/// Whatever is open is closed by Esc; then `q` must leave.
fn leave(terminal: &mut Terminal, before: u64) -> Result<(), String> {
    let grown = memory(&terminal.child).saturating_sub(before);
    terminal.read_for(Duration::from_millis(100));
    for key in ["\u{1b}", "\u{1b}", "\u{1b}", "q"] {
        terminal.press(key);
        terminal.read_for(Duration::from_millis(100));
    }
    let status = terminal.end();
    if status.code() != Some(0) || !terminal.is_as_found() || grown > GROWTH {
        return Err(format!("{status}, memory grew by {grown} bytes; the screen:\n{}", terminal.text()));
    }
    Ok(())
}

const USUAL: &[(&str, &str)] = &[("TERM", "xterm-256color")];

fn sizes(campaign: &mut Campaign, count: u32) {
    let (_folder, mut terminal) = browse(USUAL);
    let before = memory(&terminal.child);
    let mut random = campaign.random(0);
    let mut last = (80, 24);
    for _ in 0..count {
        let mut side = |usual: u32| match random.below(8) {
            0 => 0,
            1 => 1,
            2 => 65_535,
            3 => random.below(65_536) as u16,
            _ => random.below(usual) as u16,
        };
        let size = (side(300), side(100));
        // The same size twice means "draw again".
        last = if random.below(6) == 0 { last } else { size };
        terminal.resize_unseen(last.0, last.1);
        terminal.forget();
        std::thread::sleep(Duration::from_micros(random.below(2_000).into()));
    }
    terminal.renew(120, 40);
    terminal.wait_for("browsing");
    campaign.count(leave(&mut terminal, before));
}

/// Random bytes without those that end or stop the program.
fn bytes(campaign: &mut Campaign, count: usize) {
    let (_folder, mut terminal) = browse(USUAL);
    let before = memory(&terminal.child);
    let mut random = campaign.random(1);
    let harmless = |byte: &u8| ![b'q', 0x03, 0x1a].contains(byte);
    let flood: Vec<u8> = (0..count).map(|_| random.below(256) as u8).filter(harmless).collect();
    terminal.pour(&flood);
    terminal.renew(120, 40);
    campaign.count(leave(&mut terminal, before));
}

fn paste(campaign: &mut Campaign, count: usize) {
    let (_folder, mut terminal) = browse(USUAL);
    let before = memory(&terminal.child);
    terminal.pour(&b"a line of a text that was not meant for this window\r".repeat(count / 52));
    terminal.renew(120, 40);
    campaign.count(leave(&mut terminal, before));
}

fn unterminated_paste(campaign: &mut Campaign) {
    let (_folder, mut terminal) = browse(USUAL);
    let before = memory(&terminal.child);
    terminal.press("\u{1b}[200~abc");
    campaign.count(leave(&mut terminal, before));
}

/// Terminals of other kinds: the screen comes, help opens and `q` leaves.
fn terminals(campaign: &mut Campaign) {
    let kinds: [&[(&str, &str)]; 7] = [
        &[("TERM", "dumb")],
        &[("TERM", "vt100")],
        &[("TERM", "xterm-256color")],
        &[],
        &[("TERM", "xterm-256color"), ("LANG", "C")],
        &[("TERM", "screen"), ("LANG", "C"), ("LC_ALL", "C")],
        &[("TERM", "xterm-256color"), ("NO_COLOR", "1")],
    ];
    for env in kinds {
        let (_folder, mut terminal) = browse(env);
        let before = memory(&terminal.child);
        terminal.press("?");
        terminal.wait_for("this help");
        let plain = env.iter().any(|&(name, value)| name == "LANG" && value == "C");
        let outcome = if plain && !terminal.text().is_ascii() {
            Err(format!("{env:?}: more than ASCII:\n{}", terminal.text()))
        } else {
            leave(&mut terminal, before)
        };
        campaign.count(outcome.map_err(|failure| format!("{env:?}: {failure}")));
    }
}

/// Inside another program that is a terminal itself.
fn inside_tmux(campaign: &mut Campaign) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("tmux");
    let tmux = |words: &[&str]| {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&socket).args(["-f", "/dev/null"]).args(words).current_dir(folder.path());
        command.env("LANG", "C.UTF-8").env_remove("TMUX").output()
    };
    let line = format!("{PROGRAM} browse; echo status $? >status");
    if !tmux(&["new-session", "-d", "-x", "100", "-y", "30", &line])
        .is_ok_and(|output| output.status.success())
    {
        println!("input: skipped tmux, which is not here");
        return;
    }
    let until = |what: &str, seen: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !seen() {
            if begun.elapsed() > crate::program::PATIENCE {
                return Err(format!("in tmux: never seen: {what}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    };
    let screen = || {
        let captured = tmux(&["capture-pane", "-p"]).map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&captured).into_owned()
    };
    let status = || std::fs::read_to_string(folder.path().join("status")).unwrap_or_default();
    let outcome = until("the screen", &|| screen().contains("browsing")).and_then(|()| {
        let _ = tmux(&["resize-window", "-x", "120", "-y", "40"]);
        until("the larger screen", &|| screen().contains("sample 0 of"))?;
        let _ = tmux(&["send-keys", "Right"]);
        until("the next image", &|| screen().contains("sample 1 of"))?;
        let _ = tmux(&["send-keys", "q"]);
        until("the end", &|| status() == "status 0\n")
    });
    let _ = tmux(&["kill-server"]);
    campaign.count(outcome);
}

/// The same inside GNU screen, which needs a terminal of its own.
fn inside_screen(campaign: &mut Campaign) {
    if Command::new("screen").arg("--version").output().is_err() {
        println!("input: skipped screen, which is not here");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("s")).expect("a folder");
    let line = "chmod 700 s; SCREENDIR=$PWD/s exec screen -c /dev/null -U sh -c \"'$0' browse; echo status \\$? >status\"";
    let mut terminal = Terminal::start_by(folder.path(), line, (120, 40));
    terminal.wait_for("browsing");
    terminal.press("q");
    terminal.end();
    let status = std::fs::read_to_string(folder.path().join("status")).unwrap_or_default();
    campaign.count(if status == "status 0\n" { Ok(()) } else { Err(format!("in screen: {status}")) });
}

#[test]
fn sizes_and_bytes() {
    let mut campaign = Campaign::short("input", 4);
    sizes(&mut campaign, 300);
    bytes(&mut campaign, 30_000);
    paste(&mut campaign, 300_000);
    unterminated_paste(&mut campaign);
    campaign.end();
}

#[test]
fn kinds_of_terminals() {
    let mut campaign = Campaign::short("terminals", 9);
    terminals(&mut campaign);
    inside_tmux(&mut campaign);
    inside_screen(&mut campaign);
    campaign.end();
}

#[test]
#[ignore = "the long form: 10,000 sizes, a million bytes, 10 MB pasted"]
fn sizes_and_bytes_at_length() {
    let mut campaign = Campaign::long("input", 4);
    sizes(&mut campaign, 10_000);
    bytes(&mut campaign, 1_000_000);
    paste(&mut campaign, 10_000_000);
    unterminated_paste(&mut campaign);
    campaign.end();
}
