//! A file that is written from front to back and read again much later, if at all, by somebody else.
//!
//! What is written lies in the page cache until the kernel brings it to the disk, and stays there after. A book's
//! payloads take more of it than the build takes of memory, push out what is read again, and end in one long flush.
//! Worse, every page of it is new: where a virtual machine gives its free memory back to its host, the first touch of a
//! page costs ten times the copy into it (1.5 GB: 3.4 s into such memory, 0.3 s into memory in use). So the kernel is
//! told, every few megabytes, to begin writing what has just come and to give up what is on the disk: the next bytes
//! go into those pages. Nothing waits for the disk: the kernel is told by a thread of its own, and what a slow disk has
//! not taken yet stays in the cache as it would have.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// After how many bytes the kernel is told. For 1.5 GB into memory given back, 4 and 8 MiB took half a second of its time,
/// 16 MiB three quarters.
const WINDOW: u64 = 8 << 20;
/// How far back pages are given up that were not on the disk before.
const BEHIND: u64 = 4 * WINDOW;

/// A file being written, from its start.
#[derive(Debug)]
pub(crate) struct WriteBehind {
    file: Arc<File>,
    written: u64,
    told: u64,
    /// To the thread that tells the kernel, which ends with this.
    windows: SyncSender<Range<u64>>,
}

impl WriteBehind {
    /// `file` is empty, and open for writing.
    pub(crate) fn new(file: File) -> Self {
        let file = Arc::new(file);
        let (windows, told) = sync_channel(1);
        let of_thread = file.clone();
        // Where there is no thread to be had, the kernel is not told, and the file is written all the same.
        let _ = std::thread::Builder::new().spawn(move || tell(&of_thread, &told));
        Self { file, written: 0, told: 0, windows }
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Write for WriteBehind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = (&*self.file).write(bytes)?;
        self.written += count as u64;
        // While the kernel is still busy with an earlier window, this one grows.
        if self.written - self.told >= WINDOW && self.windows.try_send(self.told..self.written).is_ok() {
            self.told = self.written;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.file).flush()
    }
}

fn tell(file: &File, windows: &Receiver<Range<u64>>) {
    while let Ok(window) = windows.recv() {
        let behind = window.start.saturating_sub(BEHIND);
        give_up(file, window.clone());
        give_up(file, behind..window.start);
    }
}

/// Begins to write those of the bytes that are not on the disk, and gives up the pages of those that are. It is advice:
/// what is no file on a disk (a pipe, a device) can do nothing with it.
#[cfg(target_os = "linux")]
fn give_up(file: &File, bytes: Range<u64>) {
    if let Some(count) = std::num::NonZeroU64::new(bytes.end - bytes.start) {
        let _ = rustix::fs::fadvise(file, bytes.start, Some(count), rustix::fs::Advice::DontNeed);
    }
}

#[cfg(not(target_os = "linux"))]
fn give_up(_: &File, _: Range<u64>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_was_written_over_many_windows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("long");
        let mut file = WriteBehind::new(File::create(&path).unwrap());
        let piece: Vec<u8> = (0..1_000_003_u32).map(|number| (number % 251) as u8).collect();
        let pieces = 2 * BEHIND as usize / piece.len();
        for _ in 0..pieces {
            file.write_all(&piece).unwrap();
        }
        assert!(file.told >= WINDOW, "the kernel was never told");
        file.flush().unwrap();
        let read = std::fs::read(&path).unwrap();
        assert_eq!(read.len(), pieces * piece.len());
        assert!(read.chunks(piece.len()).all(|chunk| chunk == piece));
    }
}
