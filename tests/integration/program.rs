//! The real program, started as a person or a script starts it: with pipes, or on a pseudo-terminal.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command as PtyCommand, Pts, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{Termios, tcgetattr};

/// How long anything may take on a busy machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The path of the program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_aescope");

/// A command with an environment that no developer's machine can colour.
pub fn aescope(folder: &Path, args: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AESCOPE_") {
            command.env_remove(name);
        }
    }
    command.env("AESCOPE_DATA_DIR", folder.join("no-data")).env_remove("NO_COLOR").env_remove("COLORTERM");
    command
}

/// Runs to the end.
pub fn run(folder: &Path, args: &str) -> Output {
    aescope(folder, args).output().expect("the program starts")
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is text")
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("errors are text")
}

/// Every line as a JSON object.
pub fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    stdout(output).lines().map(parse).collect()
}

/// Sends a signal to a child.
pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("the child can be signalled");
}

/// Whether a process is stopped, as by SIGSTOP.
pub fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('T'))
}

/// Memory of a process, in bytes.
pub fn memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Waits for the end of a child.
pub fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            return status;
        }
        assert!(begun.elapsed() < PATIENCE, "the program did not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("the emulator has at least one cell")
}

/// The program on a pseudo-terminal, with a terminal emulator that keeps its screen.
pub struct Terminal {
    pty: Pty,
    /// Held so that what the program leaves behind can still be read.
    _pts: Pts,
    found: Termios,
    screen: vt100::Parser,
    /// All bytes that the program has written.
    pub written: Vec<u8>,
    /// The program.
    pub child: Child,
}

impl Terminal {
    /// Starts the program in `folder` on a terminal of `size` columns and rows.
    pub fn start(folder: &Path, args: &str, size: (u16, u16)) -> Self {
        Self::start_with(folder, args, size, &[("TERM", "xterm-256color")])
    }

    /// As [`Self::start`], with variables of its own.
    pub fn start_with(folder: &Path, args: &str, size: (u16, u16), env: &[(&str, &str)]) -> Self {
        Self::begin(folder, PtyCommand::new(PROGRAM).args(args.split_whitespace()), size, env)
    }

    /// Starts the program by a line for the shell, in which `$0` is the program.
    pub fn start_by(folder: &Path, line: &str, size: (u16, u16)) -> Self {
        let shell = PtyCommand::new("sh").args(["-c", line, PROGRAM]);
        Self::begin(folder, shell, size, &[("TERM", "xterm-256color")])
    }

    fn begin(folder: &Path, command: PtyCommand, size: (u16, u16), env: &[(&str, &str)]) -> Self {
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(size.1, size.0)).expect("a size");
        let found = tcgetattr(pty.as_fd()).expect("terminal modes");
        let child = command
            .current_dir(folder)
            .env_clear()
            .env("AESCOPE_DATA_DIR", folder.join("no-data"))
            .env("LANG", "C.UTF-8")
            .env("PATH", "/usr/bin:/bin")
            .envs(env.iter().copied())
            .spawn_borrowed(&pts)
            .expect("the program starts");
        let screen = vt100::Parser::new(cells(size.1), cells(size.0), 0);
        Self { pty, _pts: pts, found, screen, written: Vec::new(), child }
    }

    /// Reads what comes for `time`.
    pub fn read_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            if !self.read_some(left) {
                break;
            }
        }
    }

    /// Reads what comes next, within `time`.
    pub fn read_once(&mut self, time: Duration) {
        self.read_some(time);
    }

    /// Reads until `text` stands on the screen.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    /// Reads until the screen's text is as wished.
    pub fn wait_until(&mut self, what: &str, wished: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !wished(&self.text()) {
            assert!(begun.elapsed() < PATIENCE, "never seen: {what}; the screen:\n{}", self.text());
            self.read_some(Duration::from_millis(50));
        }
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Gives the terminal a size that no emulator could show.
    pub fn resize_unseen(&mut self, cols: u16, rows: u16) {
        self.pty.resize(Size::new(rows, cols)).expect("a size");
    }

    /// Types as much of `bytes` as the program takes in a moment, reading and forgetting what it shows meanwhile.
    pub fn pour(&mut self, mut bytes: &[u8]) {
        let begun = Instant::now();
        while !bytes.is_empty() {
            assert!(begun.elapsed() < PATIENCE * 4, "{} bytes were never taken", bytes.len());
            let mut ready = [PollFd::new(&self.pty, PollFlags::IN | PollFlags::OUT)];
            let second = Timespec::try_from(Duration::from_secs(1)).expect("a short time");
            let _ = poll(&mut ready, Some(&second));
            let ready = ready[0].revents();
            if ready.contains(PollFlags::OUT) {
                let count = self.pty.write(&bytes[..bytes.len().min(256)]).expect("the terminal takes keys");
                bytes = &bytes[count..];
            }
            if ready.contains(PollFlags::IN) {
                self.forget_some();
            }
        }
    }

    /// Reads and forgets what is there now.
    pub fn forget(&mut self) {
        loop {
            let mut ready = [PollFd::new(&self.pty, PollFlags::IN)];
            if poll(&mut ready, Some(&Timespec::default())).unwrap_or(0) == 0 || !self.forget_some() {
                return;
            }
        }
    }

    fn forget_some(&mut self) -> bool {
        self.pty.read(&mut [0; 16_384]).is_ok_and(|count| count > 0)
    }

    /// An empty screen of this size, and the program told to draw on it.
    pub fn renew(&mut self, cols: u16, rows: u16) {
        self.screen = vt100::Parser::new(cells(rows), cells(cols), 0);
        self.resize(cols, rows);
    }

    /// The step that the screen shows.
    pub fn shown_step(&self) -> Option<u64> {
        let text = self.text();
        let figures = text.lines().find_map(|line| line.split_once(" step ")?.1.split_once('/'))?.0;
        figures.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
    }

    /// Whether the last that was written about a private mode set it; `None` if nothing was.
    fn last_set(&self, mode: u16) -> Option<bool> {
        let last = |end: char| {
            let sequence = format!("\x1b[?{mode}{end}");
            self.written.windows(sequence.len()).rposition(|bytes| bytes == sequence.as_bytes())
        };
        let (set, reset) = (last('h'), last('l'));
        (set.is_some() || reset.is_some()).then_some(set > reset)
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.pty.resize(Size::new(rows, cols)).expect("a size");
        self.screen.screen_mut().set_size(cells(rows), cells(cols));
    }

    /// The screen's text, line by line.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// The emulator's screen.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Waits for the end of the program, reading on.
    pub fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            self.read_some(Duration::from_millis(20));
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                self.read_for(Duration::from_millis(50));
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the program did not end; the screen:\n{}", self.text());
        }
    }

    /// Whether the terminal's own mode is as the program found it.
    pub fn mode_is_as_found(&self) -> bool {
        let now = tcgetattr(self.pty.as_fd()).expect("terminal modes");
        format!("{now:?}") == format!("{:?}", self.found)
    }

    /// Whether the terminal is as the program found it: main screen, cursor shown, modes unchanged.
    pub fn is_as_found(&self) -> bool {
        let screen = self.screen.screen();
        // Alternate screen and synchronized update off, wrapping and cursor on.
        let modes = [(1049, false), (2026, false), (7, true), (25, true)];
        self.mode_is_as_found()
            && modes.iter().all(|&(mode, usual)| self.last_set(mode).is_none_or(|set| set == usual))
            && screen.fgcolor() == vt100::Color::Default
            && screen.bgcolor() == vt100::Color::Default
            && !screen.alternate_screen()
            && !screen.hide_cursor()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
            && !screen.bracketed_paste()
    }

    /// Closes the terminal under the program, as a dropped line does, and hands over the program.
    pub fn hang_up(self) -> Child {
        self.child
    }

    fn read_some(&mut self, at_most: Duration) -> bool {
        let timeout = Timespec::try_from(at_most).expect("a short time");
        let mut ready = [PollFd::new(&self.pty, PollFlags::IN)];
        if poll(&mut ready, Some(&timeout)).unwrap_or(0) == 0 {
            return true;
        }
        let mut bytes = [0; 16_384];
        match self.pty.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.screen.process(&bytes[..count]);
                self.written.extend_from_slice(&bytes[..count]);
                true
            }
        }
    }
}
