//! What is done to the body of an answer on its way to the client: payload in, payload out.
//!
//! A chain: a provider's credentials are taken out first, then the body takes the way of its
//! [`Mode`]: as it is, watched, or translated. Nothing here knows where the payload comes from, how
//! it is framed, or to whom it goes.
//!
//! Invariants:
//! - any cut of a body gives the same bytes, end and facts as the whole;
//! - an end is reported only for one that came;
//! - an event costs no allocation and no copy beside what its mode appends.
//!
//! # Examples
//!
//! ```
//! use core::cell::RefCell;
//! use ringway::chat::usage::End;
//! use ringway::json::tape::Tape;
//! use ringway::translate::transforms::Transforms;
//! use ringway::translate::transforms::mode::Mode;
//! use ringway::translate::transforms::scrub::Scrubber;
//!
//! let mut transforms = Transforms::new(Scrubber::owned(b"sk-secret"), Mode::Plain);
//! let (mut out, tape) = (Vec::new(), RefCell::new(Tape::new()));
//! transforms.push(b"no key: sk-se", &mut out, &tape);
//! transforms.push(b"cret!", &mut out, &tape);
//! transforms.flush(&mut out, &tape);
//! assert_eq!(transforms.finish(true, &mut out, &tape).end, End::Complete);
//! assert_eq!(out, b"no key: *********!");
//! ```

use core::cell::RefCell;

use crate::chat::error::ErrorFacts;
use crate::chat::usage::End;
use crate::json::tape::Tape;
use crate::translate::progress::Progress;
use crate::translate::response::AnswerFacts;
use crate::translate::transforms::mode::Mode;
use crate::translate::transforms::scrub::Scrubber;

pub mod escaped;
pub mod mode;
pub mod scrub;

/// The transforms of one body, in their order.
pub struct Transforms<'k> {
    scrubber: Option<Scrubber<'k>>,
    /// The last of them; what is not about bytes is asked of it.
    pub mode: Mode,
}

impl<'k> Transforms<'k> {
    /// The chain for one body.
    #[must_use]
    pub const fn new(scrubber: Option<Scrubber<'k>>, mode: Mode) -> Self {
        Self { scrubber, mode }
    }

    /// Takes payload in and appends what the client gets of it.
    #[inline]
    pub fn push(&mut self, payload: &[u8], out: &mut Vec<u8>, tape: &RefCell<Tape>) -> Progress {
        let mode = &mut self.mode;
        let progress = match &mut self.scrubber {
            Some(scrubber) => scrubber.pass(payload, |text| mode.push(text, out, tape)),
            None => mode.push(payload, out, tape),
        };
        self.blank_error(progress.end, out);
        progress
    }

    /// Hands on, at the end of the body, what was held back because it may have been the beginning
    /// of a credential. [`Transforms::finish`] follows.
    pub fn flush(&mut self, out: &mut Vec<u8>, tape: &RefCell<Tape>) -> Option<Progress> {
        let rest = self.scrubber.as_mut().and_then(Scrubber::finish)?;
        let progress = self.mode.push(&rest, out, tape);
        self.blank_error(progress.end, out);
        Some(progress)
    }

    /// Ends the body; `clean` when it ended by its own framing.
    pub fn finish(&mut self, clean: bool, out: &mut Vec<u8>, tape: &RefCell<Tape>) -> Progress {
        let progress = self.mode.finish(clean, out, tape);
        self.blank_error(progress.end, out);
        progress
    }

    /// A provider's error is decoded and written anew: in its words escapes hide nothing any more.
    #[inline]
    fn blank_error(&self, end: End, out: &mut [u8]) {
        if end == End::UpstreamError
            && let (Mode::Translated(translator), Some(scrubber)) = (&self.mode, &self.scrubber)
        {
            let written = out.get_mut(translator.error_at()..);
            scrubber.blank(written.unwrap_or_default());
        }
    }

    /// The error that the provider sent within the body, less credentials.
    #[must_use]
    pub fn upstream_error(&self) -> Option<ErrorFacts> {
        let mut said = self.mode.upstream_error()?.clone();
        if let Some(scrubber) = &self.scrubber {
            scrubber.clean_error(&mut said);
        }
        Some(said)
    }

    /// Token counts, stop reason and model at the end, the model's name less credentials.
    #[must_use]
    pub fn facts(&mut self) -> AnswerFacts {
        let mut facts = self.mode.facts();
        if let Some(scrubber) = &self.scrubber {
            scrubber.clean_model(&mut facts.model);
        }
        facts
    }
}

#[cfg(test)]
mod tests;
