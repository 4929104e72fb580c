//! What only a process of its own can show: its death, and a file system of its own.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::example::{at_epoch, small};
use super::faults::{POLICY, files};
use crate::checkpoint::{RunFolder, newest_valid};
use crate::error::CheckpointError;
use crate::random::{Purpose, Random};

/// Runs the test `name` of this file in a child that sees `folder`; `wrapper` is put before its command.
fn child(wrapper: &[&str], name: &str, folder: &Path) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut words = wrapper.iter().map(OsStr::new).chain([own.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", "--nocapture"]).arg(format!("checkpoint::tests::processes::{name}"));
    command.env("AESCOPE_TEST_FOLDER", folder).stdout(Stdio::null());
    command
}

#[test]
fn the_lock_dies_with_its_owner() {
    if let Some(run) = std::env::var_os("AESCOPE_TEST_FOLDER") {
        let mut store = RunFolder::create(Path::new(&run), POLICY).unwrap();
        store.save(&small()).unwrap();
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let run = temp.path().join("run");
    let mut owner = child(&[], "the_lock_dies_with_its_owner", &run).spawn().unwrap();
    let begin = Instant::now();
    while newest_valid(&run).is_err() && begin.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = RunFolder::open(&run, POLICY);
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(matches!(second, Err(CheckpointError::Locked { .. })));
    RunFolder::open(&run, POLICY).unwrap().save(&at_epoch(9, 0.1)).unwrap();
}

/// A child saves on and on, is killed at random moments, and each time the next one finds everything.
#[test]
fn kills_at_random_moments_lose_nothing_that_was_acknowledged() {
    if let Some(run) = std::env::var_os("AESCOPE_TEST_FOLDER") {
        let mut store = RunFolder::open(Path::new(&run), POLICY).unwrap();
        let first = newest_valid(Path::new(&run)).map_or(0, |newest| newest.checkpoint.progress.epoch) + 1;
        for epoch in first.. {
            println!("saved {}", store.save(&at_epoch(epoch, 0.2)).unwrap().step);
        }
    }
    let temp = tempfile::tempdir().unwrap();
    let mut random = Random::new(4, Purpose::Shuffle(0));
    let mut acknowledged = 0;
    for kill in 0..40 {
        let mut child = child(&[], "kills_at_random_moments_lose_nothing_that_was_acknowledged", temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(random.below(40_000))));
        child.kill().unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        // A line without its end may be cut off within the number.
        let whole = said.rsplit_once('\n').map_or("", |(lines, _)| lines);
        if let Some((_, step)) = whole.rsplit_once("saved ") {
            acknowledged = step.parse().unwrap();
        }
        drop(RunFolder::open(temp.path(), POLICY).unwrap());
        let there = files(temp.path());
        assert!(there.iter().all(|name| name.starts_with("step-")), "kill {kill}: {there:?}");
        if acknowledged > 0 {
            let newest = newest_valid(temp.path()).unwrap();
            assert!(newest.checkpoint.progress.step >= acknowledged, "kill {kill}");
            assert!(newest.damaged.is_empty(), "kill {kill}");
        }
    }
    assert!(acknowledged > 40, "the children came to saving");
}

/// On a file system of its own that holds less than two checkpoints of the reference model. It is made in
/// a namespace of a child, which needs a Linux that allows that; elsewhere the test says so and passes.
#[cfg(target_os = "linux")]
#[test]
fn a_full_or_read_only_disk_keeps_what_was_saved() {
    use super::example::reference;
    if let Some(run) = std::env::var_os("AESCOPE_TEST_FOLDER") {
        let run = Path::new(&run);
        let mut store = RunFolder::open(run, POLICY).unwrap();
        store.save(&reference(1)).unwrap();
        let error = store.save(&reference(2)).unwrap_err().to_string();
        assert!(error.contains("make room"), "{error}");
        assert_eq!(files(run), ["step-00000375.aescope"]);
        let mount = |options| Command::new("mount").args(["-o", options]).arg(run).status();
        assert!(mount("remount,size=4m").unwrap().success());
        store.save(&reference(3)).unwrap();
        // A file that is open for writing, such as the lock, would forbid the change.
        drop(store);
        assert!(mount("remount,ro").unwrap().success());
        let error = RunFolder::open(run, POLICY).err().unwrap().to_string();
        assert!(error.contains("allow writing there"), "{error}");
        assert_eq!(newest_valid(run).unwrap().checkpoint, reference(3));
        assert!(mount("remount,rw").unwrap().success());
        RunFolder::open(run, POLICY).unwrap().save(&reference(4)).unwrap();
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let run = temp.path().to_str().unwrap();
    let mount = format!("mount -t tmpfs -o size=1m none '{run}' && exec \"$@\"");
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    let possible = Command::new("unshare")
        .args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", run])
        .stderr(Stdio::null())
        .status();
    if possible.is_ok_and(|status| status.success()) {
        let name = "a_full_or_read_only_disk_keeps_what_was_saved";
        assert!(child(&wrapper, name, temp.path()).status().unwrap().success());
    } else {
        eprintln!("skipped: no file system can be mounted here");
    }
}
