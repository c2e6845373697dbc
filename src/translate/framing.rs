//! A provider's body cut into frames, whichever way its wire frames them.
//!
//! A frame is the name of an event, which may be empty, and its data. A wire's decoder sees nothing else
//! of the framing; what a client is sent, frames included, is written by the encoder of its wire.

use crate::sse::decode::{FrameTooLong, SseDecoder, SseFrame, SseItem};
use crate::wire::common::conventions::Framing;

/// One event as it was framed.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its name; empty where it has none.
    pub event: &'a [u8],
    /// What it says.
    pub data: &'a [u8],
}

/// Finds the frames of one body that arrives in pieces.
#[derive(Debug)]
pub enum FrameDecoder {
    /// `text/event-stream`
    ServerSentEvents(SseDecoder),
}

impl FrameDecoder {
    /// For one body, framed as `framing` says; a frame has at most `frame_bytes_max` bytes.
    #[must_use]
    pub fn new(framing: Framing, frame_bytes_max: usize) -> Self {
        match framing {
            Framing::ServerSentEvents => Self::ServerSentEvents(SseDecoder::new(frame_bytes_max)),
        }
    }

    /// Hands each frame that ends in `input` to `take`, or that one is too long, as long as `take` says
    /// that it goes on. Signs of life are passed over.
    pub fn push(
        &mut self,
        input: &[u8],
        mut take: impl FnMut(Result<Frame<'_>, FrameTooLong>) -> bool,
    ) {
        match self {
            Self::ServerSentEvents(decoder) => {
                let mut frames = decoder.push(input);
                while let Some(item) = frames.next() {
                    let goes_on = match item {
                        Ok(SseItem::Comment) => true,
                        Ok(SseItem::Frame(frame)) => take(Ok(frame.into())),
                        Err(error) => take(Err(error)),
                    };
                    if !goes_on {
                        break;
                    }
                }
            }
        }
    }

    /// The body has ended: the frame that nothing has ended, if one is under way.
    ///
    /// # Errors
    /// [`FrameTooLong`]
    pub fn finish(&mut self) -> Result<Option<Frame<'_>>, FrameTooLong> {
        match self {
            Self::ServerSentEvents(decoder) => Ok(decoder.finish()?.map(Frame::from)),
        }
    }

    /// Whether no frame is under way.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        match self {
            Self::ServerSentEvents(decoder) => decoder.is_between_frames(),
        }
    }

    /// Bytes of memory held for the frame at hand.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::ServerSentEvents(decoder) => decoder.held_bytes(),
        }
    }
}

impl<'a> From<SseFrame<'a>> for Frame<'a> {
    fn from(frame: SseFrame<'a>) -> Self {
        Self {
            event: frame.event,
            data: frame.data,
        }
    }
}
