//! Every way a file can be wrong, and the right ones read whole.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::data::tests::{gzip, idx_file};

const IMAGES: Content = Content::Images { at_least: 1 };

fn read_all(bytes: &[u8], content: Content) -> Result<Array, DataError> {
    read("some file", bytes, bytes.len() as u64, content)
}

fn refusal(bytes: &[u8], content: Content) -> String {
    read_all(bytes, content).expect_err("must be refused").to_string()
}

fn three_images() -> Vec<u8> {
    idx_file(&[3, 2, 4], &(0..24).collect::<Vec<u8>>())
}

#[test]
fn plain_and_gzipped_files_read_the_same() {
    let expected = Array { count: 3, rows: 2, cols: 4, bytes: (0..24).collect() };
    assert_eq!(read_all(&three_images(), IMAGES).unwrap(), expected);
    assert_eq!(read_all(&gzip(&three_images()), IMAGES).unwrap(), expected);
    let labels = Content::Labels { images: 2 };
    let expected = Array { count: 2, rows: 1, cols: 1, bytes: vec![7, 9] };
    assert_eq!(read_all(&idx_file(&[2], &[7, 9]), labels).unwrap(), expected);
}

#[test]
fn a_gzip_stream_may_have_several_members() {
    let file = three_images();
    let (one, two) = file.split_at(19);
    let packed = [gzip(one), gzip(two), gzip(&[])].concat();
    assert_eq!(read_all(&packed, IMAGES).unwrap().bytes.len(), 24);
}

#[test]
fn each_field_is_checked_and_named() {
    let with = |place: usize, byte: u8| {
        let mut file = three_images();
        file[place] = byte;
        refusal(&file, IMAGES)
    };
    assert_eq!(with(0, 80), "some file: magic number: expected 0x00000803, found 0x50000803");
    assert_eq!(with(2, 13), "some file: element type: expected 0x08 (unsigned byte), found 0x0d");
    assert_eq!(with(3, 1), "some file: number of dimensions: expected 3 (images), found 1");
    assert_eq!(with(7, 0), "some file: count: expected at least 1, found 0");
    assert_eq!(with(7, 4), "some file: body: expected 32 bytes, found 24");
    assert_eq!(with(11, 0), "some file: rows: expected 1 to 256, found 0");
    assert_eq!(with(14, 2), "some file: columns: expected 1 to 256, found 516");
    let labels = refusal(&idx_file(&[2], &[1, 2]), Content::Labels { images: 3 });
    assert_eq!(labels, "some file: count: expected 3 (one for each image), found 2");
    let few = refusal(&three_images(), Content::Images { at_least: 6 });
    assert_eq!(few, "some file: count: expected at least 6, found 3");
    let empty = refusal(&[], IMAGES);
    assert_eq!(empty, "some file: magic number: expected 4 bytes, found the end of the file after 0 bytes");
}

#[test]
fn every_truncation_and_any_extension_is_refused() {
    for file in [three_images(), gzip(&three_images())] {
        for length in 0..file.len() {
            assert!(read_all(&file[..length], IMAGES).is_err(), "{length} of {}", file.len());
        }
        for extension in [&[0][..], &[0; 512], &GZIP_MAGIC, b"trailing"] {
            assert!(read_all(&[&file, extension].concat(), IMAGES).is_err(), "{extension:?}");
        }
    }
    let longer = idx_file(&[3, 2, 4], &[0; 25]);
    assert_eq!(refusal(&longer, IMAGES), "some file: body: expected 24 bytes, found 25");
    assert_eq!(refusal(&gzip(&longer), IMAGES), "some file: body: expected 24 bytes, found more");
    let shorter = idx_file(&[3, 2, 4], &[0; 23]);
    assert_eq!(refusal(&gzip(&shorter), IMAGES), "some file: body: expected 24 bytes, found 23");
}

#[test]
fn every_flipped_bit_of_a_header_is_refused() {
    let file = three_images();
    for bit in 0..16 * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(read_all(&damaged, IMAGES).is_err(), "bit {bit}");
        assert!(read_all(&gzip(&damaged), IMAGES).is_err(), "bit {bit}, gzipped");
    }
}

#[test]
fn a_gzip_stream_with_any_flipped_bit_is_refused_or_unpacks_to_the_same() {
    let file = gzip(&three_images());
    let whole = read_all(&file, IMAGES).unwrap();
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(array) = read_all(&damaged, IMAGES) {
            // Such as the time stamp in the gzip header, or the padding after the last block.
            assert_eq!(array, whole, "bit {bit}");
        }
    }
    let mut wrong_checksum = file.clone();
    let place = file.len() - 8;
    wrong_checksum[place] ^= 1;
    let message = refusal(&wrong_checksum, IMAGES);
    assert!(message.starts_with("some file: gzip stream is damaged after 40 unpacked bytes: "), "{message}");
}

#[test]
fn headers_that_ask_for_terabytes_are_refused_at_once() {
    let began = Instant::now();
    for sizes in [[u32::MAX, 256, 256], [u32::MAX; 3], [u32::MAX, 65_535, 65_535], [1 << 31, 1, 256]] {
        let file = idx_file(&sizes, &[0; 1000]);
        assert!(read_all(&file, IMAGES).is_err());
        assert!(read_all(&gzip(&file), IMAGES).is_err());
    }
    let message = refusal(&gzip(&idx_file(&[u32::MAX, 256, 256], &[])), IMAGES);
    assert!(message.contains("body: expected 281474976645120 bytes, found a gzip stream of"), "{message}");
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_sparse_file_larger_than_memory_is_refused_at_once() {
    let header = idx_file(&[u32::MAX, 256, 256], &[]);
    let length = header.len() as u64 + u64::from(u32::MAX) * 65_536;
    let source = BufReader::new(header.chain(io::repeat(0)));
    let message = read("some file", source, length, IMAGES).unwrap_err().to_string();
    assert_eq!(message, "some file: 281474976645120 bytes do not fit into memory");
}

#[test]
#[cfg(target_os = "linux")]
fn a_gzip_bomb_takes_no_memory() {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    // 256 MiB of zeros behind a header that declares one image, and behind none at all.
    let zeros = vec![0; 1 << 20];
    let bombs = [idx_file(&[1, 28, 28], &[]), Vec::new()].map(|header| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&header).unwrap();
        (0..256).for_each(|_| packer.write_all(&zeros).unwrap());
        packer.finish().unwrap()
    });
    let peak = crate::data::tests::peak_memory("data::idx::tests::a_gzip_bomb_takes_no_memory", || {
        for bomb in &bombs {
            assert!(read_all(bomb, IMAGES).is_err());
        }
    });
    if let Some(peak) = peak {
        assert!(peak < 32 << 20, "{peak} bytes");
    }
}

#[test]
fn memory_is_reserved_for_what_the_body_holds() {
    let body = vec![7; 3 * 1000 * 1000];
    let array = read_all(&gzip(&idx_file(&[300, 100, 100], &body)), IMAGES).unwrap();
    assert_eq!((array.bytes.len(), array.bytes.capacity()), (body.len(), body.len()));
}

#[test]
#[cfg(target_os = "linux")]
fn only_regular_files_are_read() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe\u{1b}[2J");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    for path in [&pipe, &link, Path::new("/dev/zero"), folder.path()] {
        let error = read_file(path, IMAGES).unwrap_err();
        assert!(matches!(error, DataError::NotRegular { .. }), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    let error = read_file(&folder.path().join("nothing"), IMAGES).unwrap_err();
    assert!(matches!(error, DataError::Read { .. }), "{error}");
}

/// A pipe that takes a file's place after the look at it.
#[test]
#[cfg(target_os = "linux")]
fn opening_does_not_wait_for_the_other_end_of_a_pipe() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("images-idx3-ubyte");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let metadata = super::open(&pipe).unwrap().metadata().unwrap();
    assert!(super::regular("images", &metadata).is_err());
}

#[test]
fn an_error_of_the_system_is_not_taken_for_damage() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    for file in [three_images(), gzip(&three_images())] {
        for length in 0..file.len() {
            let source = BufReader::new(file[..length].chain(Failing));
            let error = read("some file", source, file.len() as u64, IMAGES).unwrap_err();
            assert!(matches!(error, DataError::Read { .. }), "{length}: {error}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        (count, rows, cols) in (1u32..20, 1u32..=256, 1u32..=256),
        seed in any::<u8>(),
        packed in any::<bool>(),
    ) {
        let length = (count * rows * cols) as usize;
        let body: Vec<u8> = (0..length).map(|i| (i * 31 / 7) as u8 ^ seed).collect();
        let file = idx_file(&[count, rows, cols], &body);
        let array = read_all(&if packed { gzip(&file) } else { file }, IMAGES).unwrap();
        prop_assert_eq!(array, Array { count, rows, cols, bytes: body });
    }

    #[test]
    fn any_bytes_are_refused_or_consistent(
        start in prop::sample::select(vec![vec![], vec![0, 0, 8, 3], vec![0, 0, 8, 1, 0, 0], vec![31, 139, 8]]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
        labels in prop::option::of(any::<u32>()),
    ) {
        let content = labels.map_or(IMAGES, |images| Content::Labels { images });
        let bytes = [start, rest].concat();
        for file in [gzip(&bytes), bytes] {
            if let Ok(array) = read_all(&file, content) {
                let declared = u64::from(array.count) * u64::from(array.rows) * u64::from(array.cols);
                prop_assert_eq!(array.bytes.len() as u64, declared);
            }
        }
    }

    #[test]
    fn damaged_files_never_panic(
        packed in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = if packed { gzip(&three_images()) } else { three_images() };
        for (place, byte) in damage {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if let Ok(array) = read_all(&file, IMAGES) {
            prop_assert_eq!(array.bytes.len(), (array.count * array.rows * array.cols) as usize);
        }
    }
}
