//! The files of the spool: `<number>.spool`, append-only, oldest first. Blocking; called from blocking threads only.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use ports::bus::Envelope;

use super::record;

/// One segment on disk.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Bytes up to the last whole record.
    pub(super) bytes: u64,
    /// Whole records.
    pub(super) records: u64,
    /// Something that cannot be read stands after them. Nothing is appended to it, and it is kept when it is done.
    pub(super) torn: bool,
}

/// The path of segment `number`.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.spool"))
}

/// The segments that a former run left, oldest first. Each is read up to the first record that is not whole: a
/// torn tail of a crash, which was never acknowledged, or damage, after which acknowledged records may stand.
pub(super) fn scan(folder: &Path) -> io::Result<Vec<Segment>> {
    fs::create_dir_all(folder)?;
    let mut numbers: Vec<u64> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_suffix(".spool")?.parse().ok()
        })
        .collect();
    numbers.sort_unstable();
    let mut segments = Vec::with_capacity(numbers.len());
    for number in numbers {
        let (mut bytes, mut records) = (0, 0);
        loop {
            let read = read(folder, number, bytes, u64::MAX, 1024)?;
            if read.envelopes.is_empty() {
                break;
            }
            records += read.envelopes.len() as u64;
            bytes = read.next;
        }
        let torn = fs::metadata(path(folder, number))?.len() > bytes;
        segments.push(Segment { number, bytes, records, torn });
    }
    Ok(segments)
}

/// A few records and the place after them.
pub(super) struct Read {
    pub(super) envelopes: Vec<Envelope>,
    pub(super) next: u64,
}

/// At most `limit` records from `from` up to `until`. Stops at the first one that is not whole.
pub(super) fn read(folder: &Path, number: u64, from: u64, until: u64, limit: usize) -> io::Result<Read> {
    let mut file = match File::open(path(folder, number)) {
        // Somebody took it away: the rest of the spool does not wait for it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Read { envelopes: Vec::new(), next: from }),
        opened => opened?,
    };
    let size = file.metadata()?.len().min(until);
    file.seek(SeekFrom::Start(from))?;
    let mut source = io::BufReader::new(file);
    let mut read = Read { envelopes: Vec::new(), next: from };
    let mut head = [0; record::HEADER];
    while read.envelopes.len() < limit && read.next + record::HEADER as u64 <= size {
        source.read_exact(&mut head)?;
        let Some((len, sum)) = record::header(&head) else { break };
        let end = read.next + record::HEADER as u64 + len as u64;
        if end > size {
            break;
        }
        let mut body = vec![0; len];
        source.read_exact(&mut body)?;
        let Some(envelope) = record::decode(&body, sum) else { break };
        read.envelopes.push(envelope);
        read.next = end;
    }
    Ok(read)
}

/// Writes `bytes` at the end of segment `number` and waits until they are on the disk. After an error the segment is
/// cut back to `len`, so that nothing half-written stands before later records.
pub(super) fn append(folder: &Path, number: u64, len: u64, bytes: &[u8]) -> io::Result<()> {
    let new = len == 0;
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path(folder, number))?;
    let written = file
        .set_len(len)
        .and_then(|()| file.seek(SeekFrom::Start(len)))
        .and_then(|_| file.write_all(bytes))
        .and_then(|()| file.sync_data());
    if let Err(error) = written {
        // Best effort: the reader stops at a torn record anyway, and the next append cuts again.
        let _ = file.set_len(len);
        return Err(error);
    }
    if new { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Removes a segment of which everything up to `confirmed` is with the broker. What could not be read of a torn one may
/// have been accepted: it is kept as `<number>.torn`, never over another, without what went out where that is more.
pub(super) fn finish(folder: &Path, segment: &Segment, confirmed: u64) -> io::Result<()> {
    let from = path(folder, segment.number);
    let finished = if segment.torn { set_aside(&from, confirmed) } else { fs::remove_file(&from) };
    match finished {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn set_aside(from: &Path, confirmed: u64) -> io::Result<()> {
    if let Err(error) = shorten(from, confirmed) {
        // A disk that cannot read or write there: it is kept as it is.
        tracing::warn!(%error, "what is set aside keeps what went out before it");
    }
    fs::rename(from, free_name(from)?)
}

/// Moves the rest to the front of its own file, which takes no room of a full disk, and cuts. A crash before the cut
/// leaves the rest where it was; so it may only go where it does not lie.
fn shorten(from: &Path, confirmed: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(from)?;
    let rest = file.metadata()?.len().saturating_sub(confirmed);
    if rest <= confirmed {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(confirmed))?;
        file.read_to_end(&mut bytes)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        file.set_len(rest)?;
        file.sync_data()?;
    }
    Ok(())
}

fn free_name(from: &Path) -> io::Result<PathBuf> {
    let mut name = from.with_extension("torn");
    let mut count = 0_u32;
    while name.try_exists()? {
        count += 1;
        name = from.with_extension(format!("{count}.torn"));
    }
    Ok(name)
}

/// Whether the disk takes `size` bytes now.
pub(super) fn probe(folder: &Path, size: u64) -> io::Result<()> {
    let path = folder.join("probe");
    let written = File::create(&path).and_then(|mut file| {
        io::copy(&mut io::repeat(0).take(size), &mut file)?;
        file.sync_data()
    });
    let removed = fs::remove_file(&path);
    written.and(removed)
}
