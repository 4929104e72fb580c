//! How fast the screen is, and what it costs, in the real program on a pseudo-terminal.

use std::path::Path;
use std::time::{Duration, Instant};

use aescope::checkpoint;

use super::Campaign;
use crate::program::{PATIENCE, Terminal, run};

/// The value below which `part` of the sorted values are.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Milliseconds from each key to the screen that shows it, while training takes all cores.
fn keys(campaign: &mut Campaign) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    let args = "train --data mnist-5k --epochs 1000000 --save-every 20 --run r";
    let mut terminal = Terminal::start(folder.path(), args, (120, 40));
    terminal.wait_for("step ");
    terminal.read_for(Duration::from_secs(1));
    let mut random = campaign.random(0);
    let mut waits = Vec::new();
    while campaign.goes_on() {
        terminal.read_for(Duration::from_millis(u64::from(20 + random.below(180))));
        let image = waits.len() + 1;
        let begun = Instant::now();
        terminal.press("\u{1b}[C");
        let wished = format!("sample {image} of");
        while !terminal.text().contains(&wished) {
            assert!(begun.elapsed() < PATIENCE, "never shown: {wished}");
            terminal.read_once(Duration::from_millis(5));
        }
        waits.push(begun.elapsed().as_secs_f64() * 1e3);
        campaign.count(Ok(()));
    }
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(0));
    waits
}

/// Milliseconds from the start to the first frame.
fn start() -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let mut terminal = Terminal::start(folder.path(), "train --data mnist-5k --run r", (120, 40));
    while !terminal.text().contains("aescope") {
        assert!(begun.elapsed() < PATIENCE, "no frame came");
        terminal.read_once(Duration::from_millis(5));
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    terminal.press("\u{3}");
    terminal.end();
    took
}

/// Seconds of training in a finished run, validation and saving apart.
fn trained(folder: &Path) -> f64 {
    let found = checkpoint::newest_valid(&folder.join("r")).expect("a checkpoint");
    found.checkpoint.history.iter().map(|record| record.seconds).sum()
}

/// What training with the screen takes over what it takes without.
fn ratio(screen_first: bool, epochs: u32) -> f64 {
    let args = format!("train --data mnist-5k --epochs {epochs} --save-every 1000000 --run r");
    let with = || {
        let folder = tempfile::tempdir().expect("a folder");
        let mut terminal = Terminal::start(folder.path(), &args, (120, 40));
        terminal.wait_for("finished");
        terminal.press("q");
        terminal.end();
        trained(folder.path())
    };
    let without = || {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(run(folder.path(), &format!("{args} --headless")).status.success());
        trained(folder.path())
    };
    if screen_first {
        let with = with();
        with / without()
    } else {
        let without = without();
        with() / without
    }
}

#[test]
fn keys_are_shown() {
    let mut campaign = Campaign::short("keys", 20);
    let mut waits = keys(&mut campaign);
    campaign.end();
    // On a machine that does other things too.
    assert!(quantile(&mut waits, 0.5) < 500.0, "{waits:?}");
}

#[test]
#[ignore = "the long form: needs a machine of its own"]
fn keys_are_shown_within_30_ms() {
    let mut campaign = Campaign::long("keys", 400);
    let mut waits = keys(&mut campaign);
    campaign.end();
    let [half, most, all] = [0.5, 0.99, 1.0].map(|part| quantile(&mut waits, part));
    println!("key to screen: median {half:.1} ms, 99 % {most:.1} ms, most {all:.1} ms");
    assert!(most <= 30.0);
}

#[test]
#[ignore = "the long form: needs a machine of its own"]
fn the_first_frame_stands_within_100_ms() {
    let mut campaign = Campaign::long("start", 20);
    let mut waits = Vec::new();
    while campaign.goes_on() {
        waits.push(start());
        campaign.count(Ok(()));
    }
    campaign.end();
    let [half, all] = [0.5, 1.0].map(|part| quantile(&mut waits, part));
    println!("start to first frame: median {half:.1} ms, most {all:.1} ms");
    assert!(half <= 100.0);
}

#[test]
#[ignore = "the long form: needs a machine of its own"]
fn the_screen_costs_a_hundredth() {
    let mut campaign = Campaign::long("cost", 15);
    let mut ratios = Vec::new();
    while campaign.goes_on() {
        let ratio = ratio(ratios.len() % 2 == 0, 300);
        println!("with the screen over without: {ratio:.4}");
        ratios.push(ratio);
        campaign.count(Ok(()));
    }
    campaign.end();
    let [low, half, high] = [0.25, 0.5, 0.75].map(|part| quantile(&mut ratios, part));
    println!("training with the screen over without: median {half:.4}, quartiles {low:.4} and {high:.4}");
    assert!(half <= 1.01);
}
