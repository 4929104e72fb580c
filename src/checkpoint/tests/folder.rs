//! Run folders: who may write, what stays, what is found.

use std::fs;
use std::path::{Path, PathBuf};

use super::example::{at_epoch, small};
use crate::checkpoint::{Checkpoint, RunFolder, newest_run, newest_valid, peek, read};
use crate::config::SavePolicy;
use crate::error::{CheckpointError, Fault};
use crate::message::SaveReason;

const POLICY: SavePolicy = SavePolicy { every_epochs: 1, keep: 2 };

fn folder() -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let run = temp.path().join("checkpoints/run");
    (temp, run)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

fn flip(path: &Path, from_end: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_saved_is_found_and_read() {
    let (_temp, run) = folder();
    let mut store = RunFolder::create(&run, POLICY).unwrap();
    let saved = store.save(&small()).unwrap();
    assert_eq!((saved.step, saved.reason), (7, SaveReason::Epoch));
    assert_eq!(names(&run), ["step-00000007.aescope"]);
    assert_eq!(saved.path, run.join("step-00000007.aescope").to_str().unwrap());
    assert_eq!(read(Path::new(&saved.path)).unwrap(), small());
    assert_eq!(newest_valid(&run).unwrap().checkpoint, small());
    assert_eq!(peek(Path::new(&saved.path)).unwrap().step, 7);
}

#[test]
fn the_newest_the_best_and_those_saved_by_hand_stay() {
    let (_temp, run) = folder();
    let mut store = RunFolder::create(&run, POLICY).unwrap();
    for epoch in 1..=8 {
        let loss = if epoch == 3 { 0.1 } else { 0.2 };
        let reason = if epoch == 2 { SaveReason::Hand } else { SaveReason::Epoch };
        store.save(&Checkpoint { reason, ..at_epoch(epoch, loss) }).unwrap();
        if epoch == 5 {
            drop(store);
            store = RunFolder::open(&run, POLICY).unwrap();
        }
    }
    assert!(store.take_prune_fault().is_none());
    let steps = [6, 9, 21, 24].map(|step| format!("step-{step:08}.aescope"));
    assert_eq!(names(&run), steps);
}

#[test]
fn a_step_once_saved_by_hand_stays_protected() {
    let (_temp, run) = folder();
    let mut store = RunFolder::create(&run, POLICY).unwrap();
    let reasons = [SaveReason::Epoch, SaveReason::Hand, SaveReason::Stop];
    for reason in reasons {
        let saved = store.save(&Checkpoint { reason, ..at_epoch(1, 9.0) }).unwrap();
        assert_eq!(saved.reason, reason);
    }
    for epoch in 2..=6 {
        store.save(&at_epoch(epoch, 0.2)).unwrap();
    }
    assert_eq!(peek(&run.join("step-00000003.aescope")).unwrap().reason, SaveReason::Hand);
}

#[test]
fn nothing_of_another_run_is_pruned_or_replaced() {
    let (_temp, run) = folder();
    let mut store = RunFolder::create(&run, POLICY).unwrap();
    let mut other = at_epoch(1, 0.2);
    other.run.id = [8; 16];
    fs::write(run.join("step-00000003.aescope"), other.encode()).unwrap();
    fs::write(run.join("step-00000001.aescope"), b"notes").unwrap();
    fs::write(run.join("copy.aescope"), at_epoch(1, 0.2).encode()).unwrap();
    drop(store);
    store = RunFolder::open(&run, POLICY).unwrap();
    assert!(matches!(store.save(&at_epoch(1, 0.2)), Err(CheckpointError::Occupied { .. })));
    for epoch in 2..=7 {
        store.save(&at_epoch(epoch, 0.2)).unwrap();
    }
    let steps = [1, 3, 6, 18, 21].map(|step| format!("step-{step:08}.aescope"));
    assert_eq!(names(&run), [&["copy.aescope".to_owned()][..], &steps[..]].concat());
}

#[test]
fn a_file_that_became_something_else_is_not_pruned() {
    let (temp, run) = folder();
    let mut store = RunFolder::create(&run, POLICY).unwrap();
    store.save(&at_epoch(1, 0.2)).unwrap();
    store.save(&at_epoch(2, 0.3)).unwrap();
    let target = temp.path().join("elsewhere");
    fs::rename(run.join("step-00000006.aescope"), &target).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&target, run.join("step-00000006.aescope")).unwrap();
    for epoch in 3..=6 {
        store.save(&at_epoch(epoch, 0.3)).unwrap();
    }
    assert!(target.exists());
    #[cfg(unix)]
    assert!(names(&run).contains(&"step-00000006.aescope".to_owned()));
}

#[test]
fn a_run_folder_has_one_writer() {
    let (_temp, run) = folder();
    let store = RunFolder::create(&run, POLICY).unwrap();
    for second in [RunFolder::create(&run, POLICY), RunFolder::open(&run, POLICY)] {
        let error = second.err().unwrap();
        assert!(matches!(error, CheckpointError::Locked { .. }), "{error}");
        assert!(error.to_string().starts_with(run.to_str().unwrap()));
    }
    drop(store);
    RunFolder::open(&run, POLICY).unwrap();
}

#[test]
fn of_many_at_once_one_becomes_the_writer() {
    let (_temp, run) = folder();
    let barrier = std::sync::Barrier::new(16);
    for _ in 0..20 {
        let owners = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                let store = RunFolder::create(&run, POLICY).ok();
                barrier.wait();
                store.is_some()
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum::<usize>()
        });
        assert_eq!(owners, 1);
    }
}

#[test]
fn a_new_run_does_not_go_into_an_old_ones_folder() {
    let (_temp, run) = folder();
    drop(RunFolder::create(&run, POLICY).unwrap());
    RunFolder::create(&run, POLICY).unwrap().save(&small()).unwrap();
    let error = RunFolder::create(&run, POLICY).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!("{0}: already holds checkpoints; to go on with that run: aescope resume {0}", run.display())
    );
}

#[test]
fn a_damaged_newest_is_named_and_skipped() {
    let (_temp, run) = folder();
    let mut store = RunFolder::create(&run, POLICY).unwrap();
    store.save(&at_epoch(1, 0.2)).unwrap();
    store.save(&at_epoch(2, 0.2)).unwrap();
    let newest = run.join("step-00000006.aescope");
    flip(&newest, 700);
    let found = newest_valid(&run).unwrap();
    assert_eq!(found.checkpoint.progress.step, 3);
    assert_eq!(found.damaged.len(), 1);
    assert_eq!(found.damaged[0].0, newest);
    let fault = match read(&newest).unwrap_err() {
        CheckpointError::Damaged { fault, .. } => *fault,
        error => panic!("{error}"),
    };
    let Fault::Checksum { section } = fault else { panic!("{fault}") };
    assert_eq!(
        read(&newest).unwrap_err().to_string(),
        format!(
            "{}: checksum of section `{section}` does not match (file damaged?); \
             the newest intact checkpoint of this run is step 3: aescope resume {}",
            newest.display(),
            run.display()
        )
    );
    // The run comes past that step again and mends it.
    store.save(&at_epoch(2, 0.2)).unwrap();
    assert!(newest_valid(&run).unwrap().damaged.is_empty());
}

#[test]
fn going_back_loses_neither_the_past_nor_the_future() {
    let (_temp, run) = folder();
    let mut store = RunFolder::create(&run, POLICY).unwrap();
    for epoch in [10, 11, 12] {
        store.save(&at_epoch(epoch, 0.2)).unwrap();
    }
    drop(store);
    let mut store = RunFolder::open(&run, POLICY).unwrap();
    store.save(&at_epoch(5, 0.2)).unwrap();
    assert!(run.join("step-00000015.aescope").exists());
    assert!(run.join("step-00000036.aescope").exists());
}

#[test]
fn missing_empty_and_ruined_folders_are_told_apart() {
    let (temp, run) = folder();
    assert!(matches!(newest_valid(&run), Err(CheckpointError::NoFolder { .. })));
    assert!(newest_run(run.parent().unwrap()).unwrap().is_none());
    drop(RunFolder::create(&run, POLICY).unwrap());
    assert!(matches!(newest_valid(&run), Err(CheckpointError::NoCheckpoints { .. })));
    fs::write(run.join("step-00000003.aescope"), b"").unwrap();
    fs::create_dir(run.join("step-00000006.aescope")).unwrap();
    let error = newest_valid(&run).unwrap_err();
    assert!(matches!(&error, CheckpointError::AllDamaged { damaged, .. } if damaged.len() == 2), "{error}");
    assert!(newest_run(run.parent().unwrap()).unwrap().is_none());
    let file = temp.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(newest_valid(&file), Err(CheckpointError::NotAFolder { .. })));
    assert!(matches!(RunFolder::create(&file, POLICY), Err(CheckpointError::NotAFolder { .. })));
    assert!(matches!(RunFolder::create(&file.join("run"), POLICY), Err(CheckpointError::NotAFolder { .. })));
    assert!(matches!(read(&run.join("none.aescope")), Err(CheckpointError::Missing { .. })));
}

#[test]
fn the_newest_run_is_the_one_saved_last_with_something_intact() {
    let (_temp, run) = folder();
    let checkpoints = run.parent().unwrap();
    for (name, saved_at_ms) in [("a", 100), ("b", 300), ("c", 200)] {
        let mut store = RunFolder::create(&checkpoints.join(name), POLICY).unwrap();
        store.save(&Checkpoint { saved_at_ms: 1, ..at_epoch(1, 0.2) }).unwrap();
        store.save(&Checkpoint { saved_at_ms, ..at_epoch(2, 0.2) }).unwrap();
    }
    fs::write(checkpoints.join("shipped.aescope"), small().encode()).unwrap();
    assert_eq!(newest_run(checkpoints).unwrap().unwrap(), checkpoints.join("b"));
    flip(&checkpoints.join("b/step-00000006.aescope"), 1);
    assert_eq!(newest_run(checkpoints).unwrap().unwrap(), checkpoints.join("c"));
}

#[cfg(unix)]
#[test]
fn files_and_folders_belong_to_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    // The mask belongs to the process, so it is set in a child that runs only this test.
    if std::env::var_os("AESCOPE_TEST_UMASK").is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "checkpoint::tests::folder::files_and_folders_belong_to_their_owner_alone"])
            .env("AESCOPE_TEST_UMASK", "000")
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        return;
    }
    rustix::process::umask(rustix::fs::Mode::empty());
    let (_temp, run) = folder();
    RunFolder::create(&run, POLICY).unwrap().save(&small()).unwrap();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(run.parent().unwrap()), 0o700);
    assert_eq!(mode(&run), 0o700);
    assert_eq!(mode(&run.join(".lock")), 0o600);
    assert_eq!(mode(&run.join("step-00000007.aescope")), 0o600);
}
