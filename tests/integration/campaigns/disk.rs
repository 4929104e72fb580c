//! A disk that is full, read-only, gone or failing: what was saved stays, a warning says what and where, training
//! goes on, and saving goes on when it can.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use aescope::checkpoint::newest_valid;
use rustix::process::Signal;

use super::{Campaign, TINY, acknowledged, home, wait_until, warnings, whole_lines, works, wrapped};
use crate::essence::essence;
use crate::program::{aescope, run, signal, stderr, wait};

/// Errors of the system at the n-th sync, rename or removal.
fn failing_calls(mut campaign: Campaign) {
    if !works(&["strace", "-o", "/dev/null", "true"]) {
        println!("skipped: strace does not work here");
        return;
    }
    let straight = {
        let home = home();
        let made = run(home.path(), &format!("train {TINY} --epochs 16 --run r --headless"));
        assert!(made.status.success(), "{}", stderr(&made));
        essence(&home.path().join("r"))
    };
    let mut injected = 0;
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        let call = ["fsync", "rename", "unlink"][random.below(3) as usize];
        let error = ["EIO", "ENOSPC", "EROFS", "EDQUOT", "EACCES"][random.below(5) as usize];
        let first = 1 + random.below(10);
        let when = ["", "+", "+2"][random.below(3) as usize];
        let inject = format!("inject={call}:error={error}:when={first}{when}");
        let home = home();
        let folder = home.path().join("r");
        let made = run(home.path(), &format!("train {TINY} --epochs 4 --run r --headless"));
        assert!(made.status.success(), "{}", stderr(&made));
        let log = home.path().join("log");
        let log_name = log.to_string_lossy().into_owned();
        let trace = "trace=fsync,rename,unlink";
        let wrapper = ["strace", "-f", "-y", "-qq", "-o", &log_name, "-e", trace, "-e", &inject];
        let output = wrapped(home.path(), &wrapper, "resume r --data data --epochs 16 --json")
            .output()
            .expect("the program starts");
        let lines = whole_lines(&output.stdout);
        let log = fs::read_to_string(&log).expect("the log of calls");
        injected += log.matches("(INJECTED)").count();
        let outcome = || {
            synced_once(&log)?;
            let newest = newest_valid(&folder).map_err(|error| format!("nothing is left: {error}"))?;
            let step = newest.checkpoint.progress.step;
            if !newest.damaged.is_empty() || step < acknowledged(&lines).unwrap_or(0).max(40) {
                return Err(format!("step {step} is the newest, damaged: {:?}", newest.damaged));
            }
            let told = warnings(&lines);
            let place = |text: &String| text.contains("r/") || text.starts_with("r:");
            if let Some(warning) = told.iter().find(|text| !place(text)) {
                return Err(format!("it does not say where: {warning}"));
            }
            let last = stderr(&output);
            match output.status.code() {
                Some(0) if essence(&folder) == straight => {}
                Some(1) if place(&last.trim_start_matches("aescope: ").to_owned()) => {}
                _ => return Err(format!("{}: {last}", output.status)),
            }
            let failed_save = log.lines().any(|line| {
                line.contains("(INJECTED)") && (line.contains("fsync") || line.contains("rename"))
            });
            let quiet = told.is_empty() && output.status.success();
            if failed_save && quiet { Err("a failed save was not told".into()) } else { Ok(()) }
        };
        campaign.count(outcome().map_err(|failure| format!("{inject}: {failure}")));
    }
    println!("failing calls: {injected} errors were injected");
    assert!(injected > 0, "the calls were met");
    campaign.end();
}

/// Never a second sync of one file: after a failed one the system may have dropped what it could not write, and
/// would call the second one a success.
fn synced_once(log: &str) -> Result<(), String> {
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for line in log.lines().filter(|line| line.contains("fsync(")) {
        let file =
            line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(file, _)| file);
        if file.ends_with(".scratch") {
            *counts.entry(file).or_default() += 1;
        }
    }
    match counts.iter().find(|(_, count)| **count > 1) {
        Some((file, count)) => Err(format!("{file} was synced {count} times")),
        None => Ok(()),
    }
}

#[test]
fn failing_calls_short() {
    failing_calls(Campaign::short("failing calls", 12));
}

#[test]
#[ignore = "the long form"]
fn failing_calls_long() {
    failing_calls(Campaign::long("failing calls", 1_000));
}

/// A run whose output goes to a file, so that it can be looked at while it trains.
struct Watched {
    home: tempfile::TempDir,
    child: Child,
}

impl Watched {
    /// At 100 steps a second an epoch of ten steps is saved ten times a second.
    const WORDS: &str = "--epochs 1000000 --pace 100 --keep 1 --run r --json";

    fn start(wrapper: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let home = home();
        prepare(home.path());
        let words = format!("train {TINY} {}", Self::WORDS);
        let mut command = if wrapper.is_empty() {
            aescope(home.path(), &words)
        } else {
            wrapped(home.path(), wrapper, &words)
        };
        let output = File::create(home.path().join("output")).expect("a file");
        let errors = File::create(home.path().join("errors")).expect("a file");
        let child = command.stdout(output).stderr(errors).spawn().expect("the program starts");
        Self { home, child }
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        whole_lines(&fs::read(self.home.path().join("output")).expect("its output"))
    }

    fn run(&self) -> PathBuf {
        self.home.path().join("r")
    }

    /// Waits for saves beyond those that there are.
    fn saves_again(&self) -> Result<(), String> {
        let saved = acknowledged(&self.lines()).unwrap_or(0);
        wait_until("another save", || acknowledged(&self.lines()).unwrap_or(0) > saved)
    }

    /// Waits for a warning beyond those that there are, which must hold these words; training goes on meanwhile.
    fn warns(&self, already: usize, words: &[&str]) -> Result<usize, String> {
        wait_until(&format!("a warning with {words:?}"), || warnings(&self.lines()).len() > already)?;
        let told = warnings(&self.lines());
        let newest = told.last().cloned().unwrap_or_default();
        if let Some(word) = words.iter().find(|word| !newest.contains(**word)) {
            return Err(format!("no `{word}` in: {newest}"));
        }
        let epochs =
            |lines: Vec<serde_json::Value>| lines.iter().filter(|line| line["event"] == "epoch").count();
        let now = epochs(self.lines());
        wait_until("training going on", || epochs(self.lines()) > now + 2)?;
        Ok(told.len())
    }

    /// Stops it; the state it then saves is the newest one.
    fn stop(mut self) -> Result<(), String> {
        signal(&self.child, Signal::TERM);
        let status = wait(&mut self.child);
        let errors = fs::read_to_string(self.home.path().join("errors")).expect("its errors");
        let newest = newest_valid(&self.run()).map_err(|error| error.to_string())?.checkpoint.progress.step;
        if status.code() != Some(143) || acknowledged(&self.lines()) != Some(newest) {
            return Err(format!("{status}: {errors}"));
        }
        Ok(())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn vanished_folder() -> Result<(), String> {
    let watched = Watched::start(&[], |_| {});
    watched.saves_again()?;
    let away = watched.home.path().join("away");
    fs::rename(watched.run(), &away).expect("moved away");
    let told = watched.warns(0, &["r/", "put it back", "attempts to save"])?;
    let last = acknowledged(&watched.lines()).unwrap_or(0);
    let kept = newest_valid(&away).map_err(|error| error.to_string())?.checkpoint.progress.step;
    if kept < last {
        return Err(format!("step {last} was acknowledged, {kept} is there"));
    }
    fs::rename(&away, watched.run()).expect("moved back");
    watched.saves_again()?;
    // Removed for good, and an empty one in its place.
    fs::remove_dir_all(watched.run()).expect("removed");
    watched.warns(told, &["put it back"])?;
    fs::create_dir(watched.run()).expect("a folder");
    watched.saves_again()?;
    watched.stop()
}

/// As a person without special rights, for whom permissions mean something.
fn read_only_folder() -> Result<(), String> {
    let root = rustix::process::geteuid().is_root();
    let as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    if root && !works(&[&as_nobody[..], &["test", "-x", crate::program::PROGRAM]].concat()) {
        println!("skipped: nobody but root can start the program here");
        return Ok(());
    }
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    let watched = Watched::start(if root { &as_nobody } else { &[] }, |home| mode(home, 0o777));
    watched.saves_again()?;
    mode(&watched.run(), 0o555);
    watched.warns(0, &["r/", "allow writing there", "attempts to save"])?;
    let last = acknowledged(&watched.lines());
    let kept = newest_valid(&watched.run()).map_err(|error| error.to_string())?.checkpoint.progress.step;
    if Some(kept) != last {
        return Err(format!("step {last:?} was acknowledged, {kept} is there"));
    }
    mode(&watched.run(), 0o755);
    watched.saves_again()?;
    watched.stop()
}

/// Writes that are cut off in the middle: files may not grow beyond a limit, which is lifted later.
fn short_writes() -> Result<(), String> {
    if !works(&["prlimit", "--fsize=1000000", "true"]) {
        println!("skipped: prlimit does not work here");
        return Ok(());
    }
    // The output grows too, so the limit is set when the first checkpoints are there.
    let watched = Watched::start(&[], |_| {});
    watched.saves_again()?;
    let limit = |bytes: &str| {
        let process = format!("--pid={}", watched.child.id());
        let size = format!("--fsize={bytes}:unlimited");
        let set = Command::new("prlimit").args([process, size]).status();
        assert!(set.is_ok_and(|status| status.success()), "the limit is set");
    };
    let size = fs::metadata(newest_valid(&watched.run()).map_err(|error| error.to_string())?.path);
    limit(&(size.map_err(|error| error.to_string())?.len() - 500).to_string());
    watched.warns(0, &["r/", "cannot write", "attempts to save"])?;
    limit("unlimited");
    watched.saves_again()?;
    watched.stop()
}

/// A file system of 300 kB that is filled up and emptied again, in a namespace of its own.
fn full_disk() -> Result<(), String> {
    let script = r#"
        mount -t tmpfs -o size=300k none r || exit 77
        "$@" > output &
        child=$!
        until grep -q '"saved"' output; do sleep 0.05; done
        head -c 1000000 /dev/zero > r/filler 2> /dev/null
        until grep -q '"warning"' output; do sleep 0.05; done
        ls r/step-*.aescope > kept
        rm r/filler
        before=$(grep -c '"saved"' output)
        until [ "$(grep -c '"saved"' output)" -gt "$before" ]; do sleep 0.05; done
        kill -TERM $child
        wait $child
        status=$?
        cp -r r/. copy
        exit $status
    "#;
    let home = home();
    fs::create_dir(home.path().join("r")).expect("a folder");
    fs::create_dir(home.path().join("copy")).expect("a folder");
    if !works(&["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]) {
        println!("skipped: no file system can be mounted here");
        return Ok(());
    }
    let wrapper = ["unshare", "--map-root-user", "--mount", "timeout", "60", "sh", "-c", script, "sh"];
    let words = format!("train {TINY} {}", Watched::WORDS);
    let output = wrapped(home.path(), &wrapper, &words).output().expect("the program starts");
    if output.status.code() != Some(143) {
        return Err(format!("{}: {}", output.status, stderr(&output)));
    }
    let lines = whole_lines(&fs::read(home.path().join("output")).expect("its output"));
    let told = warnings(&lines);
    if !told.iter().all(|text| text.contains("r/") && text.contains("make room")) {
        return Err(format!("warnings: {told:?}"));
    }
    if fs::read_to_string(home.path().join("kept")).is_ok_and(|kept| kept.is_empty()) {
        return Err("the previous checkpoint went".into());
    }
    let newest = newest_valid(&home.path().join("copy")).map_err(|error| error.to_string())?;
    let step = newest.checkpoint.progress.step;
    if Some(step) == acknowledged(&lines) { Ok(()) } else { Err(format!("step {step} is the newest")) }
}

type Case = (&'static str, fn() -> Result<(), String>);

const CASES: [Case; 4] = [
    ("a vanished folder", vanished_folder),
    ("a read-only folder", read_only_folder),
    ("short writes", short_writes),
    ("a full disk", full_disk),
];

/// Each case at least once, all at the same time: they mostly wait.
fn bad_disks(mut campaign: Campaign) {
    while campaign.goes_on() {
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let cases = CASES.map(|(name, case)| (name, scope.spawn(case)));
            cases.map(|(name, case)| (name, case.join())).into()
        });
        for (name, outcome) in outcomes {
            let outcome = outcome.unwrap_or_else(|_| Err("a panic".into()));
            campaign.count(outcome.map_err(|failure| format!("{name}: {failure}")));
        }
    }
    campaign.end();
}

#[test]
fn bad_disks_short() {
    bad_disks(Campaign::short("bad disks", CASES.len() as u32));
}

#[test]
#[ignore = "the long form"]
fn bad_disks_long() {
    bad_disks(Campaign::long("bad disks", 100));
}
