//! Damaged and forged checkpoints and images: refused with an error, never a panic or an abort, in bounded memory.
//! (Every single bit and every length of a small checkpoint is tried in the library's own tests.)

#[path = "../../fuzz/mend.rs"]
mod mend;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use aescope::checkpoint::{self, Checkpoint};
use aescope::config::DataChoice;
use aescope::data;
use aescope::random::Random;

use super::{Campaign, tiny_images};
use mend::{DIGEST, ENTRY, HEADER};

fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn full() -> Vec<u8> {
    fs::read(own("checkpoints/reference.aescope")).expect("the trained model")
}

fn small() -> Vec<u8> {
    fs::read(own("tests/fuzz/corpus/checkpoint/three-epochs")).expect("a small checkpoint")
}

/// A number below `bound`, which may be larger than 32 bits allow.
fn place(random: &mut Random, bound: usize) -> usize {
    random.below(u32::try_from(bound).expect("a small file")) as usize
}

/// Single bits, holes of a sector or a page, exchanged sectors, cuts and extensions of the trained model.
fn of_checkpoints(mut campaign: Campaign) {
    let intact = full();
    let mut bytes = intact.clone();
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        let at = place(&mut random, intact.len());
        let what = if trial % 20 < 17 { 0 } else { 1 + random.below(4) };
        match what {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => {
                let size = if random.below(2) == 0 { 512 } else { 4_096 };
                let start = at / size * size;
                let end = (start + size).min(bytes.len());
                bytes[start..end].fill(0);
            }
            2 => {
                let sectors = (intact.len() / 512) as u32;
                let (a, b) = (random.below(sectors) as usize * 512, random.below(sectors) as usize * 512);
                bytes.copy_within(a..a + 512, b);
                bytes[a..a + 512].copy_from_slice(&intact[b..b + 512]);
            }
            3 => bytes.truncate(at),
            _ => bytes.extend((0..=random.below(5_000)).map(|_| random.below(256) as u8)),
        }
        let changed = bytes != intact;
        campaign.count(match Checkpoint::decode(&bytes) {
            Ok(_) if changed => Err(format!("damage of kind {what} at {at} was accepted")),
            _ => Ok(()),
        });
        if what == 0 {
            bytes[at] = intact[at];
        } else {
            bytes.clone_from(&intact);
        }
    }
    campaign.end();
}

#[test]
fn of_checkpoints_short() {
    of_checkpoints(Campaign::short("damaged checkpoints", 10_000));
}

#[test]
#[ignore = "the long form"]
fn of_checkpoints_long() {
    of_checkpoints(Campaign::long("damaged checkpoints", 1_000_000));
}

/// A checkpoint whose checksums are right and whose contents are not what a sound program writes.
fn forged(intact: &[u8], random: &mut Random) -> Vec<u8> {
    const TELLING: [u8; 10] = [0, 1, 2, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xff];
    let mut bytes = intact.to_vec();
    let count = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
    for _ in 0..=random.below(4) {
        let entry = HEADER + random.below(count) as usize * ENTRY;
        let field = |at: usize| {
            let bytes: [u8; 8] = bytes[at..at + 8].try_into().expect("eight bytes");
            u64::from_le_bytes(bytes) as usize
        };
        let (start, length) = (field(entry + 16), field(entry + 24));
        let value =
            if random.below(2) == 0 { TELLING[random.below(10) as usize] } else { random.below(256) as u8 };
        match random.below(12) {
            // The name of a section, its length, the number of sections.
            0 => bytes[entry + place(random, 16)] = value,
            1 => bytes[entry + 24] = value,
            2 => bytes[12] = value,
            3 => {
                let cut = place(random, bytes.len());
                bytes.truncate(cut.max(HEADER + DIGEST));
                break;
            }
            // A run of bytes, such as a length of 64 bits.
            4..=6 => {
                let at = start + place(random, length.clamp(9, 400) - 8);
                if let Some(run) = bytes.get_mut(at..at + 8) {
                    run.fill(value);
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(start + place(random, length.clamp(1, 2_000))) {
                    *byte = value;
                }
            }
        }
    }
    let _ = mend::mend(&mut bytes);
    bytes
}

/// Whatever is accepted can be trained on and written again.
fn sound_or_refused(bytes: &[u8]) -> Result<(), String> {
    let Ok(checkpoint) = Checkpoint::decode(bytes) else { return Ok(()) };
    checkpoint.check().map_err(|fault| format!("accepted, but {fault}"))?;
    let written = checkpoint.encode();
    let again =
        Checkpoint::decode(&written).map_err(|fault| format!("accepted, but not writable: {fault}"))?;
    if again.encode() == written { Ok(()) } else { Err("does not read back as written".into()) }
}

fn of_contents(mut campaign: Campaign) {
    let (small, full) = (small(), full());
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        let bytes = forged(if trial % 20 == 0 { &full } else { &small }, &mut random);
        campaign.count(sound_or_refused(&bytes));
    }
    campaign.end();
}

#[test]
fn of_contents_short() {
    of_contents(Campaign::short("forged checkpoints", 10_000));
}

#[test]
#[ignore = "the long form"]
fn of_contents_long() {
    of_contents(Campaign::long("forged checkpoints", 1_000_000));
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packer.write_all(bytes).expect("memory takes it");
    packer.finish().expect("memory takes it")
}

/// Damaged IDX files, plain and packed, in a folder of images.
fn of_images(mut campaign: Campaign) {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_images(folder.path());
    let at = folder.path().join("images-idx3-ubyte");
    let plain = fs::read(&at).expect("images");
    let intact = load(folder.path()).expect("intact images").fingerprint;
    let gzip = packed(&plain);
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        let is_packed = random.below(2) == 0;
        let mut content = plain.clone();
        let forged_header = random.below(3) == 0;
        if forged_header {
            let sizes = [0, 1, 5, 255, 256, 257, 65_535, 65_536, u32::MAX, 1 << 31, (1 << 31) + 60];
            for field in [4, 8, 12].into_iter().filter(|_| random.below(2) == 0).collect::<Vec<_>>() {
                let size: u32 = sizes[random.below(sizes.len() as u32) as usize];
                content[field..field + 4].copy_from_slice(&size.to_be_bytes());
            }
        }
        let same_pixels = content == plain;
        let mut bytes = match (is_packed, random.below(4)) {
            (false, _) => content,
            (true, 0) => {
                let cut = place(&mut random, content.len());
                [packed(&content[..cut]), packed(&content[cut..])].concat()
            }
            (true, _) if same_pixels => gzip.clone(),
            (true, _) => packed(&content),
        };
        for _ in 0..random.below(4) {
            let at = place(&mut random, bytes.len());
            match random.below(8) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.extend_from_slice(&gzip[..place(&mut random, gzip.len())]),
                2..=4 => bytes[at] ^= 1 << random.below(8),
                _ => bytes[at] = random.below(256) as u8,
            }
        }
        // What is at hand decides about packing, not the name.
        fs::write(&at, bytes).expect("images");
        campaign.count(match load(folder.path()) {
            Ok(set)
                if set.rows * set.cols * (set.train.len() + set.validation.len() + set.test.len()) == 0 =>
            {
                Err("an empty set was accepted".into())
            }
            Ok(set) if is_packed && same_pixels && set.fingerprint != intact => {
                Err("damage of a packed file was accepted".into())
            }
            _ => Ok(()),
        });
    }
    campaign.end();
}

fn load(folder: &Path) -> Result<data::Dataset, aescope::error::DataError> {
    data::load(&DataChoice::Folder(folder.into()), folder)
}

#[test]
fn of_images_short() {
    of_images(Campaign::short("damaged images", 5_000));
}

#[test]
#[ignore = "the long form"]
fn of_images_long() {
    of_images(Campaign::long("damaged images", 300_000));
}

/// The corpus of the fuzz targets through the same readers.
#[test]
fn the_corpus_is_refused_or_read() {
    let mut campaign = Campaign::short("the corpus", 0);
    for path in files(&own("tests/fuzz/corpus/checkpoint")) {
        campaign.count(sound_or_refused(&fs::read(path).expect("a case")));
    }
    for kind in ["idx", "gzip"] {
        for path in files(&own("tests/fuzz/corpus").join(kind)) {
            let folder = tempfile::tempdir().expect("a folder");
            fs::copy(&path, folder.path().join("images-idx3-ubyte")).expect("a copy");
            let accepted = load(folder.path()).is_ok();
            // Three images are too few for a split.
            campaign.count(if accepted { Err(format!("{} was accepted", path.display())) } else { Ok(()) });
        }
    }
    assert!(campaign.made > 40);
    campaign.end();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("a name").path()).collect()
}

/// What a reader may take beyond the size of the file.
#[cfg(target_os = "linux")]
const ALLOWED: u64 = 16 << 20;

/// Bytes of this process: (now, at most since the last call).
#[cfg(target_os = "linux")]
fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").expect("the system tells");
    let field = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    };
    fs::write("/proc/self/clear_refs", "5").expect("the peak is set back");
    (field("VmRSS:"), field("VmHWM:"))
}

/// In a process of its own, where no other test takes memory.
#[cfg(target_os = "linux")]
fn in_bounded_memory(name: &str, trials: u32, seed: u64) {
    const INSIDE: &str = "MEASURED_FOLDER";
    let Some(folder) = std::env::var_os(INSIDE) else {
        let folder = tempfile::tempdir().expect("a folder");
        let test = format!("campaigns::damage::{name}");
        let mut child = std::process::Command::new(std::env::current_exe().expect("itself"));
        child.args(["--exact", &test, "--include-ignored", "--nocapture"]).env(INSIDE, folder.path());
        assert!(child.status().expect("it runs").success());
        return;
    };
    let at = Path::new(&folder).join("images-idx3-ubyte");
    let mut campaign = Campaign::new("memory of readers", seed, trials);
    let (small, full) = (small(), full());
    let mut most = 0;
    let mut measure = |case: &str, size: u64, read: &dyn Fn()| {
        memory();
        let (before, _) = memory();
        read();
        let extra = memory().1.saturating_sub(before).saturating_sub(size);
        most = most.max(extra);
        if extra > ALLOWED { Err(format!("{case}: {extra} bytes beyond its size")) } else { Ok(()) }
    };
    let large = 256_u64 << 20;
    let sparse = |start: &[u8]| {
        let mut file = fs::File::create(&at).expect("a file");
        file.write_all(start).expect("its start");
        file.set_len(large).expect("its length");
    };
    sparse(&full);
    let refused = || assert!(checkpoint::read(&at).is_err());
    campaign.count(measure("a checkpoint with 256 MiB behind it", large, &refused));
    let mut long_section = full.clone();
    long_section[16..24].copy_from_slice(&large.to_le_bytes());
    sparse(&long_section);
    campaign.count(measure("256 MiB announced", large, &refused));
    let header = |sizes: [u32; 3]| [vec![0, 0, 8, 3], sizes.map(u32::to_be_bytes).concat()].concat();
    for sizes in [[3, 65_535, 65_535], [u32::MAX; 3], [1 << 30, 256, 256], [60, 6, 6]] {
        sparse(&header(sizes));
        let read = || assert!(load(Path::new(&folder)).is_err());
        campaign.count(measure("256 MiB of images", large, &read));
        let bomb = packed(&[header(sizes), vec![0; 64 << 20]].concat());
        fs::write(&at, &bomb).expect("a bomb");
        campaign.count(measure("64 MiB in a bomb", bomb.len() as u64, &read));
    }
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        let bytes = forged(if trial % 4 == 0 { &full } else { &small }, &mut random);
        fs::write(&at, &bytes).expect("a file");
        let read = || drop(checkpoint::read(&at));
        campaign.count(measure("a forged checkpoint", bytes.len() as u64, &read));
    }
    println!("memory of readers: at most {most} bytes beyond the size of a file");
    campaign.end();
}

#[cfg(target_os = "linux")]
#[test]
fn in_bounded_memory_short() {
    in_bounded_memory("in_bounded_memory_short", 500, 1);
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "the long form"]
fn in_bounded_memory_long() {
    let campaign = Campaign::long("memory of readers", 50_000);
    in_bounded_memory("in_bounded_memory_long", campaign.trials, campaign.seed);
}
