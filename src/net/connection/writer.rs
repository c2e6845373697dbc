//! The writing half of a connection, plain or TLS.
//!
//! A write takes all of what it is given, in as many steps as the kernel wants. In steady state a
//! write on a plain connection allocates nothing.

use core::cell::RefCell;
use core::ops::Range;
use std::io;
use std::rc::Rc;

use monoio::buf::{IoBuf, Slice};

use crate::limits::{BUSY_READ_BYTES, SEAL_BYTES_MAX};
use crate::net::connection::socket::WriteHalf;
use crate::net::connection::tls::{SharedTlsSession, TlsSession};
use crate::net::connection::vectored_write::{VectoredWrite, WritePiece};
use crate::net::error::{NetError, NetErrorKind, NetOperation};
use crate::net::runtime::buffers::{self, Class};
use crate::net::runtime::recycled_future::boxed;

/// The writing half.
pub struct ConnectionWriter {
    half: WriteHalf,
    session: Option<SharedTlsSession>,
    /// A write was begun and has not succeeded.
    is_unfinished: bool,
    /// Bytes of all writes that were begun, as they are on the wire.
    begun_bytes: u64,
}

impl ConnectionWriter {
    pub(in crate::net) const fn new(half: WriteHalf) -> Self {
        Self {
            half,
            session: None,
            is_unfinished: false,
            begun_bytes: 0,
        }
    }

    /// Whether a write was dropped or failed: the peer has a part of it at most.
    pub(in crate::net) const fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// Bytes of all writes that were begun, as they are on the wire.
    pub(in crate::net) const fn begun_bytes(&self) -> u64 {
        self.begun_bytes
    }

    /// From here on what goes out is sealed by `session`.
    pub(in crate::net) fn secure(&mut self, session: SharedTlsSession) {
        self.session = Some(session);
    }

    /// Writes all of `buffer[range]` and gives the buffer back.
    ///
    /// Dropped early, an unknown part was written: the connection is reset when it is dropped.
    ///
    /// # Errors
    ///
    /// When the connection broke; how much was written is unknown then.
    pub async fn write(
        &mut self,
        buffer: Vec<u8>,
        range: Range<usize>,
    ) -> (Result<(), NetError>, Vec<u8>) {
        debug_assert!(
            range.start <= range.end && range.end <= buffer.len(),
            "range in buffer"
        );
        match self.session.clone() {
            None => self.write_bytes(buffer, range).await,
            Some(session) => {
                let plain = buffer.get(range).unwrap_or_default();
                let sealing = self.write_sealed(&session, [plain].into_iter());
                (boxed(|| sealing).await, buffer)
            }
        }
    }

    /// Writes all of the pieces, in order and in one go where the kernel takes them, without copying
    /// them. A piece that lies outside of its buffer is left out.
    ///
    /// Dropped early, an unknown part was written: the connection is reset when it is dropped.
    ///
    /// # Errors
    ///
    /// Those of [`ConnectionWriter::write`].
    pub async fn write_pieces(&mut self, pieces: Vec<WritePiece>) -> Result<(), NetError> {
        if let [WritePiece { buffer, range }] = pieces.as_slice() {
            // One piece goes the short way: a vectored write costs the kernel more.
            return self.write_shared(Rc::clone(buffer), range.clone()).await;
        }
        let mut pieces = VectoredWrite::new(pieces);
        if let Some(session) = self.session.clone() {
            return boxed(|| self.write_sealed(&session, pieces.slices())).await;
        }
        let total: usize = pieces.slices().map(<[u8]>::len).sum();
        self.begun_bytes += total as u64;
        self.is_unfinished = true;
        while !pieces.is_done() {
            let (result, back) = self.half.write_pieces(pieces).await;
            pieces = back;
            match result {
                Ok(0) => return Err(NetError::new(NetOperation::Write, NetErrorKind::Closed)),
                Ok(count) => pieces.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(NetError::from_io(NetOperation::Write, &error)),
            }
        }
        self.is_unfinished = false;
        Ok(())
    }

    /// Writes all of `buffer[range]`, which others may go on reading.
    ///
    /// Dropped early, an unknown part was written: the connection is reset when it is dropped.
    ///
    /// # Errors
    ///
    /// When the connection broke; how much was written is unknown then.
    pub async fn write_shared(
        &mut self,
        buffer: Rc<Vec<u8>>,
        range: Range<usize>,
    ) -> Result<(), NetError> {
        debug_assert!(
            range.start <= range.end && range.end <= buffer.len(),
            "range in buffer"
        );
        match self.session.clone() {
            None => self.write_bytes(buffer, range).await.0,
            Some(session) => {
                let plain = buffer.get(range).unwrap_or_default();
                boxed(|| self.write_sealed(&session, [plain].into_iter())).await
            }
        }
    }

    /// Bytes as they are on the wire.
    pub(in crate::net) async fn write_bytes<B: IoBuf>(
        &mut self,
        mut buffer: B,
        range: Range<usize>,
    ) -> (Result<(), NetError>, B) {
        let Range { mut start, end } = range;
        self.begun_bytes += end.saturating_sub(start) as u64;
        self.is_unfinished = true;
        while start < end {
            let (result, slice) = self.half.write(Slice::new(buffer, start, end)).await;
            buffer = slice.into_inner();
            match result {
                Ok(0) => {
                    return (
                        Err(NetError::new(NetOperation::Write, NetErrorKind::Closed)),
                        buffer,
                    );
                }
                Ok(count) => start += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (Err(NetError::from_io(NetOperation::Write, &error)), buffer),
            }
        }
        self.is_unfinished = false;
        (Ok(()), buffer)
    }

    /// Seals the pieces together and writes a buffer whenever it is full.
    async fn write_sealed<'a>(
        &mut self,
        session: &RefCell<TlsSession>,
        pieces: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<(), NetError> {
        let total: usize = pieces
            .clone()
            .map(|piece| piece.len() + SEAL_OVERHEAD_BYTES)
            .sum();
        let class = Class::fitting(total);
        let mut sealed = buffers::take(class);
        for piece in pieces.flat_map(|piece| piece.chunks(SEAL_BYTES_MAX)) {
            if sealed.len() + piece.len() + SEAL_OVERHEAD_BYTES > class.bytes() {
                self.flush(sealed).await?;
                sealed = buffers::take(class);
            }
            let fault = session.borrow_mut().seal(piece, &mut sealed);
            fault.map_err(|fault| NetError::new(NetOperation::Write, NetErrorKind::Tls(fault)))?;
        }
        self.flush(sealed).await
    }

    /// The TLS close message, where there is TLS.
    pub(in crate::net) async fn say_goodbye(&mut self) -> Result<(), NetError> {
        let Some(session) = self.session.clone() else {
            return Ok(());
        };
        let mut sealed = buffers::take(Class::Quiet);
        session.borrow_mut().close(&mut sealed);
        self.flush(sealed).await
    }

    /// Writes a buffer of our own and gives it to the free list.
    pub(in crate::net) async fn flush(&mut self, sealed: Vec<u8>) -> Result<(), NetError> {
        let length = sealed.len();
        let (result, sealed) = self.write_bytes(sealed, 0..length).await;
        buffers::give(sealed);
        result
    }
}

/// Header and tag of three records, and a key update.
const SEAL_OVERHEAD_BYTES: usize = 256;

const _: () = assert!(SEAL_BYTES_MAX + SEAL_OVERHEAD_BYTES <= BUSY_READ_BYTES);
