//! One turn of an answer: what is there for the client goes out in one write while the next read is
//! pending.
//!
//! At most one buffer waits in each direction: a client that does not read stops the reads of the
//! source.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use crate::http1::encode::CHUNK_FRAME_BYTES;
use crate::net::connection::stream::NetStream;
use crate::net::error::NetError;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::{buffers, loop_turn};
use crate::proxy::answer::stages::{Answer, Body, Opened};
use crate::proxy::client::downstream::{self, Client, Taking};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::failure::Kind;

impl Answer<'_, Opened<'_>> {
    /// Writes what is there (once committed) while the next read is pending, and takes in how
    /// that went.
    ///
    /// # Errors
    /// The client is lost.
    pub(in crate::proxy::answer) async fn turn(
        &mut self,
        exchange: &mut Exchange<'_, '_>,
        committed: bool,
    ) -> Result<(), Kind> {
        let stall_ms = self.provider.timeouts.stream_stall_ms;
        let stall_at = self.stage.progress.heard.plus_ms(stall_ms);
        if committed {
            self.ping_if_due();
            if !self.stage.out.is_empty() {
                self.stage.progress.told = self.stage.progress.turned;
            }
        }
        let due = self.due(committed);
        let wait_until = due.map_or(stall_at, |due| due.min(stall_at));
        let turn = self.write_and_read(exchange, committed, wait_until).await;
        let progress = &mut self.stage.progress;
        progress.turned = clock::now();
        match turn {
            Turn::Read(Ok(0)) => self.end_of_input(),
            Turn::Read(Ok(_)) => progress.heard = progress.turned,
            Turn::Read(Err(error)) => progress.body = Body::Broken(kind_of(error)),
            // The next turn begins with a ping, or the hold or the wait for the body's end is over.
            Turn::Expired if wait_until < stall_at => {}
            Turn::Expired => progress.body = Body::Broken(Kind::BodyStall),
            Turn::Cut => progress.body = Body::Broken(Kind::DrainCut),
            Turn::ClientLost(kind) => return Err(kind),
        }
        Ok(())
    }

    /// When this turn ends at the latest, short of a silent source.
    fn due(&self, committed: bool) -> Option<Instant> {
        if !committed {
            let waits = [self.wait_end(), self.takeover.patience];
            return waits.into_iter().flatten().min();
        }
        let pings = self.stage.transforms.mode.pings();
        self.ends_by().or_else(|| pings.then(|| self.ping_at()))
    }

    /// When the client has heard nothing for long enough. What comes from the provider meanwhile
    /// and means nothing to the client does not count.
    fn ping_at(&self) -> Instant {
        let interval_ms = self.worker.limits().ping_interval_ms;
        self.stage.progress.told.plus_ms(interval_ms)
    }

    /// Appends a sign of life to a stream that has been quiet towards the client.
    fn ping_if_due(&mut self) {
        let is_due = self.stage.progress.turned >= self.ping_at();
        let stage = &mut self.stage;
        if is_due && stage.out.is_empty() && stage.transforms.mode.pings() {
            let mark = stage.open_chunk();
            stage.transforms.mode.ping(&mut stage.out);
            stage.close_chunk(mark);
        }
    }

    async fn write_and_read(
        &mut self,
        exchange: &mut Exchange<'_, '_>,
        committed: bool,
        wait_until: Instant,
    ) -> Turn {
        let stage = &mut self.stage;
        let bytes = if committed {
            core::mem::take(&mut stage.out)
        } else {
            Vec::new()
        };
        let len = bytes.len();
        let Client {
            stream,
            ahead,
            deadline,
            look,
            drain,
            ..
        } = &mut *exchange.client;
        let NetStream { reader, writer, .. } = stream;
        let mut taking = Taking::new(self.worker.limits().write_stall_timeout_ms);
        if len > 0 {
            deadline.set_at(taking.look_at(stage.progress.turned));
        } else {
            deadline.set_at(wait_until);
        }
        let mut writing = pin!(writer.write(bytes, 0..len));
        stage.progress.written = len == 0;
        let is_written = &mut stage.progress.written;
        let (source, out) = (&mut stage.source, &mut stage.out);
        let read_bytes = stage.transforms.mode.read_bytes() - CHUNK_FRAME_BYTES;
        poll_fn(|cx| {
            if !*is_written && let Poll::Ready((result, mut buffer)) = writing.as_mut().poll(cx) {
                if result.is_err() {
                    return Poll::Ready(Turn::ClientLost(Kind::ClientGone));
                }
                exchange.record.bytes_out += len as u64;
                buffer.clear();
                buffers::give(core::mem::replace(out, buffer));
                *is_written = true;
                deadline.set_at(wait_until);
            }
            if !*is_written {
                if loop_turn::is_awaited(cx) {
                    return Poll::Pending;
                }
                // What it brings waits as it is: a client that does not read costs one buffer.
                source.begin_read(cx);
            } else if let Poll::Ready(result) = source.poll_read(cx, read_bytes) {
                return Poll::Ready(Turn::Read(result));
            }
            if downstream::poll_gone(reader, ahead, look, cx).is_ready() {
                return Poll::Ready(Turn::ClientLost(Kind::ClientGone));
            }
            // A write under way is finished first: last words must not overtake it.
            if *is_written && drain.phase() == Phase::Cut {
                return Poll::Ready(Turn::Cut);
            }
            if !*is_written {
                let stalled = taking.poll_stalled(reader, deadline, cx);
                return stalled.map(|()| Turn::ClientLost(Kind::ClientStalled));
            }
            match deadline.poll_expired(cx) {
                Poll::Ready(()) => Poll::Ready(Turn::Expired),
                Poll::Pending => {
                    // A stream that waits holds no buffer but those of its two pending reads.
                    if out.is_empty() {
                        buffers::give(core::mem::take(out));
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// What a turn came to.
enum Turn {
    Read(Result<usize, NetError>),
    Expired,
    Cut,
    ClientLost(Kind),
}

fn kind_of(error: NetError) -> Kind {
    if error.is_timeout() {
        Kind::BodyStall
    } else {
        Kind::BodyCut
    }
}
