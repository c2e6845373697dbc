#![expect(
    unsafe_code,
    reason = "a vector of buffers for the kernel, owned by the write"
)]
//! Vectored writes: pieces of several buffers in one system call, such as a rewritten body, without a copy.
//!
//! ```text
//!   ours      ┌──── head ────┬── "gpt-4o" ──┐     client's  ┌ {"model":"fast","messages":[…]} ┐
//!   pieces     ours[0..h]      ours[h..]                     [0..9]        [15..]
//!   sent       ours[0..h] client's[0..9] ours[h..] client's[15..]
//! ```

use core::ops::Range;
use std::rc::Rc;

use monoio::buf::IoVecBuf;

use crate::net::runtime::buffers;

/// A part of what is written: a range of a buffer that others may go on reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritePiece {
    /// The buffer.
    pub buffer: Rc<Vec<u8>>,
    /// What of it is written.
    pub range: Range<usize>,
}

impl WritePiece {
    /// All of a buffer.
    #[must_use]
    pub fn whole(buffer: Vec<u8>) -> Self {
        let range = 0..buffer.len();
        Self {
            buffer: buffers::share(buffer),
            range,
        }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.range.clone()).unwrap_or_default()
    }
}

/// Pieces and what is left to write of them.
pub(in crate::net) struct VectoredWrite {
    /// Without empty ones.
    pieces: Vec<WritePiece>,
    /// Where `pieces` lie in memory.
    list: Vec<libc::iovec>,
}

impl VectoredWrite {
    /// Pieces that lie outside of their buffers are left out.
    pub(in crate::net) fn new(pieces: Vec<WritePiece>) -> Self {
        let list = Vec::with_capacity(pieces.len());
        let mut write = Self { pieces, list };
        write.point();
        write
    }

    /// Whether all is written.
    pub(in crate::net) fn is_done(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Says that `count` more bytes are written.
    pub(in crate::net) fn advance(&mut self, mut count: usize) {
        for piece in &mut self.pieces {
            let step = count.min(piece.bytes().len());
            piece.range.start += step;
            count -= step;
        }
        self.point();
    }

    /// The bytes of the pieces, in order.
    pub(in crate::net) fn slices(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.pieces.iter().map(WritePiece::bytes)
    }

    fn point(&mut self) {
        self.pieces.retain(|piece| !piece.bytes().is_empty());
        self.list.clear();
        self.list.extend(
            self.pieces
                .iter()
                .map(WritePiece::bytes)
                .map(|bytes| libc::iovec {
                    iov_base: bytes.as_ptr().cast_mut().cast(),
                    iov_len: bytes.len(),
                }),
        );
    }
}

// SAFETY: `list` points into the buffers of `pieces`, which the same value keeps alive, which do
// not move with it, and which nobody can change while they are shared.
unsafe impl IoVecBuf for VectoredWrite {
    fn read_iovec_ptr(&self) -> *const libc::iovec {
        self.list.as_ptr()
    }

    fn read_iovec_len(&self) -> usize {
        self.list.len().min(LIST_MAX)
    }
}

/// The kernel takes no longer list at once; the rest follows.
const LIST_MAX: usize = 1024;
