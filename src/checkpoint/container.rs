//! The file around a checkpoint: named sections behind checksums.
//!
//! It knows bytes and their checksums, not what they mean.
//!
//! ```text
//! offset  size   what (integers are little-endian)
//!      0     8   magic: 0x89 "AESCOP" 0x0a (a transfer as text destroys it)
//!      8     4   version of the format
//!     12     4   number of sections n
//!     16     8   length of the whole file
//!     24     4   CRC-32 of the header (without this field) and of the table
//!     28     4   zero
//!     32  40 n   table; an entry is name (16 bytes, padded with zeros), offset (8), length (8),
//!                CRC-32 of the section (4), zero (4)
//!      …     …   the sections, in the table's order, without gaps
//!    end-32  32  SHA-256 of everything before
//! ```
//!
//! Every byte is covered, and no section is handed out before all checksums are verified. A reader
//! skips sections whose names it does not know, so a later version can add some; it raises the version
//! of the format only where an older reader would misunderstand the known ones. Header and table keep
//! their layout in every version.

use sha2::{Digest, Sha256};

use crate::error::Fault;

const MAGIC: [u8; 8] = *b"\x89AESCOP\n";
/// Newest version of the format that is read, and the one that is written.
const VERSION: u32 = 1;
const HEADER: usize = 32;
const ENTRY: usize = 40;
const NAME: usize = 16;
const DIGEST: usize = 32;
/// More sections than any version has; bounds what a table can ask for.
const MAX_SECTIONS: usize = 64;

/// Bytes from the start of a file that hold header and table, whatever the number of sections.
pub(super) const MAX_HEAD: usize = HEADER + MAX_SECTIONS * ENTRY;

/// Writes a container section by section.
pub(super) struct Sealer {
    bytes: Vec<u8>,
    count: usize,
    next: usize,
    start: usize,
}

impl Sealer {
    /// A container of `count` sections in `bytes`, whose old content is dropped and whose space is used
    /// again.
    pub(super) fn new(mut bytes: Vec<u8>, count: usize) -> Self {
        assert!(count <= MAX_SECTIONS, "a container has at most {MAX_SECTIONS} sections");
        bytes.clear();
        bytes.resize(HEADER + count * ENTRY, 0);
        Self { bytes, count, next: 0, start: 0 }
    }

    /// Adds the next section: `write` appends its bytes.
    pub(super) fn section(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        assert!(name.len() <= NAME && self.next < self.count, "sections are announced, their names short");
        self.start = self.bytes.len();
        write(&mut self.bytes);
        let (start, end) = (self.start, self.bytes.len());
        let crc = crc32fast::hash(&self.bytes[start..]);
        let entry = &mut self.bytes[HEADER + self.next * ENTRY..][..ENTRY];
        entry[..name.len()].copy_from_slice(name.as_bytes());
        entry[16..24].copy_from_slice(&(start as u64).to_le_bytes());
        entry[24..32].copy_from_slice(&((end - start) as u64).to_le_bytes());
        entry[32..36].copy_from_slice(&crc.to_le_bytes());
        self.next += 1;
    }

    /// Fills in the header and the digest.
    pub(super) fn seal(mut self) -> Vec<u8> {
        assert_eq!(self.next, self.count, "every announced section is written");
        let total = (self.bytes.len() + DIGEST) as u64;
        self.bytes[..8].copy_from_slice(&MAGIC);
        self.bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        self.bytes[12..16].copy_from_slice(&(self.count as u32).to_le_bytes());
        self.bytes[16..24].copy_from_slice(&total.to_le_bytes());
        let crc = head_checksum(&self.bytes, HEADER + self.count * ENTRY);
        self.bytes[24..28].copy_from_slice(&crc.to_le_bytes());
        let digest = Sha256::digest(&self.bytes);
        self.bytes.extend_from_slice(&digest);
        self.bytes
    }
}

/// One line of the section table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    name: String,
    offset: usize,
    length: usize,
    crc: u32,
}

/// A verified header with its section table.
#[derive(Debug)]
pub(super) struct Head {
    entries: Vec<Entry>,
}

impl Head {
    /// Reads the header and the table at the start of `bytes`; `file_length` is what the whole file has.
    /// Verifies that the table describes a file of that length without gap or overlap.
    pub(super) fn parse(bytes: &[u8], file_length: u64) -> Result<Self, Fault> {
        if bytes.len() < MAGIC.len() || bytes[..8] != MAGIC {
            // What is left of a file that was cut off within its first bytes is still recognised as one.
            let cut_off = !bytes.is_empty() && MAGIC.starts_with(bytes);
            return Err(if cut_off { too_short(HEADER, file_length) } else { Fault::NotACheckpoint });
        }
        if bytes.len() < HEADER {
            return Err(too_short(HEADER, file_length));
        }
        let version = u32_at(bytes, 8);
        let count = u32_at(bytes, 12) as usize;
        let total = u64_at(bytes, 16);
        let head = HEADER + count.min(MAX_SECTIONS) * ENTRY;
        if bytes.len() < head && total != file_length {
            return Err(too_short(head, file_length));
        }
        if count > MAX_SECTIONS || bytes.len() < head || head_checksum(bytes, head) != u32_at(bytes, 24) {
            return Err(Fault::Checksum { section: "header".into() });
        }
        if version > VERSION {
            return Err(Fault::NewerFormat { found: version, known: VERSION });
        }
        if version == 0 {
            return Err(Fault::Table { problem: "the version of the format is 0" });
        }
        if u32_at(bytes, 28) != 0 {
            return Err(Fault::Table { problem: "reserved bytes of the header are not zero" });
        }
        if total != file_length {
            return Err(Fault::Length { section: "header", expected: total, found: file_length });
        }
        Ok(Self { entries: entries(&bytes[HEADER..head], head, total)? })
    }

    /// Where the section `name` lies in the file.
    pub(super) fn range(&self, name: &'static str) -> Result<std::ops::Range<usize>, Fault> {
        let entry = self.entry(name)?;
        Ok(entry.offset..entry.offset + entry.length)
    }

    /// Verifies the bytes of one section.
    pub(super) fn verify(&self, name: &'static str, bytes: &[u8]) -> Result<(), Fault> {
        verify(self.entry(name)?, bytes)
    }

    fn entry(&self, name: &'static str) -> Result<&Entry, Fault> {
        self.entries.iter().find(|entry| entry.name == name).ok_or(Fault::NoSection { section: name })
    }
}

/// A container all of whose checksums match.
pub(super) struct Sections<'a> {
    bytes: &'a [u8],
    head: Head,
}

impl<'a> Sections<'a> {
    /// Verifies everything in `bytes`, a whole file. Allocates nothing but the section table.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        let head = Head::parse(bytes, bytes.len() as u64)?;
        for entry in &head.entries {
            verify(entry, &bytes[entry.offset..entry.offset + entry.length])?;
        }
        let (content, digest) = bytes.split_at(bytes.len() - DIGEST);
        if Sha256::digest(content).as_slice() != digest {
            return Err(Fault::Checksum { section: "digest".into() });
        }
        Ok(Self { bytes, head })
    }

    /// The bytes of the section `name`.
    pub(super) fn get(&self, name: &'static str) -> Result<&'a [u8], Fault> {
        Ok(&self.bytes[self.head.range(name)?])
    }
}

fn verify(entry: &Entry, bytes: &[u8]) -> Result<(), Fault> {
    if crc32fast::hash(bytes) == entry.crc {
        Ok(())
    } else {
        Err(Fault::Checksum { section: crate::error::printable(&entry.name) })
    }
}

/// Reads the table and verifies that the sections follow it without gap and end where the digest begins.
fn entries(table: &[u8], head: usize, total: u64) -> Result<Vec<Entry>, Fault> {
    let mut entries: Vec<Entry> = Vec::with_capacity(table.len() / ENTRY);
    let mut next = head as u64;
    for row in table.chunks_exact(ENTRY) {
        let (name, padding) = row[..NAME].split_at(row[..NAME].iter().position(|&b| b == 0).unwrap_or(NAME));
        let name = match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() && padding.iter().all(|&byte| byte == 0) => name.to_owned(),
            _ => return Err(Fault::Table { problem: "a section has no proper name" }),
        };
        let (offset, length) = (u64_at(row, 16), u64_at(row, 24));
        if u32_at(row, 36) != 0 {
            return Err(Fault::Table { problem: "reserved bytes of an entry are not zero" });
        }
        if entries.iter().any(|other| other.name == name) {
            return Err(Fault::Table { problem: "a section is there twice" });
        }
        if offset != next {
            return Err(Fault::Table { problem: "sections overlap or leave a gap" });
        }
        next = match offset.checked_add(length) {
            Some(end) if end <= total => end,
            _ => return Err(Fault::Table { problem: "a section reaches past the end of the file" }),
        };
        entries.push(Entry { name, offset: offset as usize, length: length as usize, crc: u32_at(row, 32) });
    }
    if next.checked_add(DIGEST as u64) != Some(total) {
        return Err(Fault::Table { problem: "the sections do not fill the file" });
    }
    Ok(entries)
}

/// CRC-32 of header and table, without the field that holds it.
fn head_checksum(bytes: &[u8], head: usize) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..24]);
    crc.update(&bytes[28..head]);
    crc.finalize()
}

fn too_short(needed: usize, found: u64) -> Fault {
    Fault::Length { section: "header", expected: needed as u64, found }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}
