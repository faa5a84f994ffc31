//! Files that stay open between samples.
//!
//! Reading a file of `/proc` again from its start costs a quarter of opening it anew. It is also safer: an open file stays
//! with its process or cgroup, and fails when that is gone, even if somebody else has its pid or its name by then. Open
//! files are bounded; beyond the bound each read opens and closes. If the kernel has no more to give, the read fails as
//! [`Fault::Starved`], and the sampler gives back what it holds.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most that is read of one file. A `cgroup.procs` of this size has 100,000 processes.
const LARGEST: usize = 1 << 20;
/// The buffer to begin with: more than any file of a process or cgroup but lists.
const BUFFER: usize = 1 << 14;

/// Of the smallest page that there is.
const HALF_PAGE: usize = 2048;

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not there, or not any more.
    Gone,
    /// Not for this user.
    Denied,
    /// No more files can be opened.
    Starved,
    /// Anything else, or a text that makes no sense.
    Broken,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        use rustix::io::Errno;
        match Errno::from_io_error(&error) {
            // ESRCH: the process of an open file ended. ENODEV: its cgroup was removed.
            Some(Errno::NOENT | Errno::SRCH | Errno::NODEV | Errno::NOTDIR) => Self::Gone,
            Some(Errno::ACCESS | Errno::PERM) => Self::Denied,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Self::Starved,
            _ => Self::Broken,
        }
    }
}

/// A place for one file, open or not.
#[derive(Debug, Default)]
pub(crate) struct Slot(Option<Kept>);

#[derive(Debug)]
struct Kept {
    file: File,
    /// Gives the place back when it is closed.
    _lease: Lease,
}

impl Slot {
    /// Closes the file, if it is open.
    pub(crate) fn close(&mut self) {
        self.0 = None;
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.0.is_some()
    }
}

#[derive(Debug)]
struct Lease(Arc<AtomicUsize>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads files into one buffer and keeps a bounded number of them open.
#[derive(Debug)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    open: Arc<AtomicUsize>,
    most: usize,
    starved: bool,
}

impl Reader {
    /// Keeps at most `most` files open.
    pub(crate) fn new(most: usize) -> Self {
        Self { buffer: vec![0; BUFFER], open: Arc::default(), most, starved: false }
    }

    /// How many files are kept open.
    pub(crate) fn open_files(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// True once after a file could not be opened for want of descriptors. Half of what is open is given up for good:
    /// somebody else needs it more.
    pub(crate) fn take_starved(&mut self) -> bool {
        if std::mem::take(&mut self.starved) {
            self.most = self.open_files() / 2;
            return true;
        }
        false
    }

    /// Reads a file that the kernel gives in one piece.
    pub(crate) fn read(&mut self, slot: &mut Slot, path: impl FnOnce() -> PathBuf) -> Result<&[u8], Fault> {
        let read = self.with(slot, path, |file, buffer| file.read_at(buffer, 0))?;
        // A full buffer may have cut a number in two.
        if read == self.buffer.len() { Err(Fault::Broken) } else { self.buffer.get(..read).ok_or(Fault::Broken) }
    }

    /// Reads a file of many pieces to its end. A file that is too long is broken, not cut.
    pub(crate) fn read_long(&mut self, slot: &mut Slot, path: impl FnOnce() -> PathBuf) -> Result<&[u8], Fault> {
        self.read_pieces(slot, path, 1)
    }

    /// The same for a file of short lines. The kernel ends a piece before its page is full only if nothing comes after it
    /// (`seq_read_iter`, `fs/seq_file.c`), so there is no need to read on to hear that it was all.
    pub(crate) fn read_list(&mut self, slot: &mut Slot, path: impl FnOnce() -> PathBuf) -> Result<&[u8], Fault> {
        self.read_pieces(slot, path, HALF_PAGE)
    }

    /// A piece shorter than `last` is the last one.
    fn read_pieces(&mut self, slot: &mut Slot, path: impl FnOnce() -> PathBuf, last: usize) -> Result<&[u8], Fault> {
        let length = self.with(slot, path, |file, buffer| {
            let mut length = 0;
            loop {
                // A full buffer would look like the end.
                if length + HALF_PAGE > buffer.len() {
                    if length >= LARGEST {
                        return Err(ErrorKind::FileTooLarge.into());
                    }
                    buffer.resize(buffer.len() * 2, 0);
                }
                let read = file.read_at(&mut buffer[length..], length as u64)?;
                length += read;
                if read < last {
                    return Ok(length);
                }
            }
        })?;
        self.buffer.get(..length).ok_or(Fault::Broken)
    }

    /// As [`Reader::read`], for a file that is read more rarely: it stays open only while there is plenty of room.
    pub(crate) fn read_rarely(&mut self, slot: &mut Slot, path: impl FnOnce() -> PathBuf) -> Result<&[u8], Fault> {
        if slot.is_open() || self.open_files() < self.most / 4 * 3 {
            return self.read(slot, path);
        }
        let most = std::mem::take(&mut self.most);
        let length = self.read(slot, path).map(<[u8]>::len);
        self.most = most;
        self.buffer.get(..length?).ok_or(Fault::Broken)
    }

    /// The file's metadata, through the open file.
    pub(crate) fn metadata(
        &mut self,
        slot: &mut Slot,
        path: impl FnOnce() -> PathBuf,
    ) -> Result<std::fs::Metadata, Fault> {
        self.with(slot, path, |file, _| file.metadata())
    }

    fn with<T>(
        &mut self,
        slot: &mut Slot,
        path: impl FnOnce() -> PathBuf,
        look: impl FnOnce(&File, &mut Vec<u8>) -> io::Result<T>,
    ) -> Result<T, Fault> {
        if let Some(kept) = &slot.0 {
            return look(&kept.file, &mut self.buffer).map_err(Fault::from);
        }
        let file = File::open(path()).map_err(|error| {
            let fault = Fault::from(error);
            self.starved |= fault == Fault::Starved;
            fault
        })?;
        let seen = look(&file, &mut self.buffer)?;
        if self.open_files() < self.most {
            self.open.fetch_add(1, Ordering::Relaxed);
            slot.0 = Some(Kept { file, _lease: Lease(Arc::clone(&self.open)) });
        }
        Ok(seen)
    }
}
