//! One answer as it comes from a socket: head, framing, body, judge.

use ringway_test_support::http::{Body, Head, head};

use crate::load::job::Job;
use crate::load::judge::{Judge, Verdict};

/// Reads one answer.
#[derive(Debug)]
pub struct Reader<'j> {
    job: &'j Job,
    judge: Judge<'j>,
    carry: Vec<u8>,
    body: Option<Body>,
    /// Status of the answer; 0 before its head.
    pub status: u16,
    /// Whether anything came.
    pub begun: bool,
    /// Whether the connection ends after this answer.
    pub closes: bool,
}

impl<'j> Reader<'j> {
    /// A reader of an answer to this job's request.
    #[must_use]
    pub fn new(job: &'j Job) -> Self {
        Self {
            job,
            judge: Judge::new(&job.expect),
            carry: Vec::new(),
            body: None,
            status: 0,
            begun: false,
            closes: false,
        }
    }

    /// Takes what was read; true when the answer is over. Appends the moments of its deltas.
    ///
    /// # Errors
    /// What cannot be the answer.
    pub fn push(&mut self, input: &[u8], stamps: &mut Vec<u64>) -> Result<bool, String> {
        self.begun |= !input.is_empty();
        // Nearly always nothing is left over: then the input is read where it lies.
        if self.carry.is_empty() {
            let used = self.take(input, stamps)?;
            self.carry
                .extend_from_slice(input.get(used..).unwrap_or_default());
        } else {
            let mut carry = std::mem::take(&mut self.carry);
            carry.extend_from_slice(input);
            let used = self.take(&carry, stamps)?;
            carry.drain(..used);
            self.carry = carry;
        }
        let done = self.body.is_some_and(Body::is_done);
        match done && !self.carry.is_empty() {
            true => Err(format!("{} bytes past the answer's end", self.carry.len())),
            false => Ok(done),
        }
    }

    fn take(&mut self, input: &[u8], stamps: &mut Vec<u64>) -> Result<usize, String> {
        let mut at = 0;
        while self.body.is_none() {
            let rest = input.get(at..).unwrap_or_default();
            let Some(head) = head(rest)? else {
                return Ok(at);
            };
            at += head.len;
            self.status = head.status()?;
            if self.status >= 200 {
                self.body = Some(head.body(false)?);
                let connection = head.field("connection").unwrap_or_default();
                self.closes = connection.eq_ignore_ascii_case("close");
                self.check_type(&head)?;
            }
        }
        let Some(body) = &mut self.body else {
            return Ok(at);
        };
        while !body.is_done() {
            let (used, payload) = body.step(input.get(at..).unwrap_or_default())?;
            if used == 0 {
                break;
            }
            // Of an answer that is no success only its beginning is kept, for the message.
            if !payload.is_empty() && (self.status == 200 || !self.job.expect.stream) {
                self.judge.push(payload, stamps)?;
            }
            at += used;
        }
        Ok(at)
    }

    /// What a client takes the answer for.
    fn check_type(&self, head: &Head<'_>) -> Result<(), String> {
        let due = match self.job.expect.stream {
            true => "text/event-stream",
            false => "application/json",
        };
        let found = head.field("content-type").unwrap_or_default();
        match self.status != 200 || found.starts_with(due) {
            true => Ok(()),
            false => Err(format!("content-type {found:?}, {due} was due")),
        }
    }

    /// The verdict: at the answer's end, or at that of the connection.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub fn finish(self) -> Result<(), String> {
        let is_whole = match self.body {
            Some(Body::UntilClose) => true,
            Some(body) => body.is_done(),
            None => false,
        };
        let verdict = match self.begun {
            false => Verdict::Broken("the connection ended before any answer".to_owned()),
            true => self
                .judge
                .finish(self.status, is_whole, &mut self.job.good.borrow_mut()),
        };
        self.job.expect.judge(verdict)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Reader;
    use crate::load::job::{Job, Request, Told};
    use crate::mock::answer::answer;
    use crate::wire::Wire;

    fn job(wire: Wire, stream: bool) -> Job {
        let request = Request {
            wire,
            model: "fast".to_owned(),
            stream,
            body_bytes: 1,
            script: "deltas=3,answer_bytes=30,comments=1".to_owned(),
            told: Told::Header,
            translated: false,
            timeout: Duration::from_secs(1),
        };
        request.job().unwrap()
    }

    fn bytes(job: &Job) -> Vec<u8> {
        let answer = answer(&job.expect.script, job.expect.wire);
        if !job.expect.stream {
            return answer.whole;
        }
        let mut bytes = answer.head;
        for section in &answer.sections {
            bytes.extend_from_slice(&section.open);
            for number in 0..section.count {
                section.delta.write(number, 9, &mut bytes);
            }
            bytes.extend_from_slice(&section.close);
        }
        bytes
    }

    fn read(job: &Job, bytes: &[u8], cut: usize) -> Result<usize, String> {
        let mut reader = Reader::new(job);
        let mut stamps = Vec::new();
        for part in bytes.chunks(cut) {
            reader.push(part, &mut stamps)?;
        }
        reader.finish().map(|()| stamps.len())
    }

    #[test]
    fn answers_cut_anywhere_are_right() {
        for wire in [Wire::Openai, Wire::Anthropic] {
            for stream in [true, false] {
                let job = job(wire, stream);
                let bytes = bytes(&job);
                let tokens = if stream { 3 } else { 0 };
                for cut in [1, 2, 5, 77, bytes.len()] {
                    assert_eq!(
                        read(&job, &bytes, cut),
                        Ok(tokens),
                        "{wire:?} {stream} {cut}"
                    );
                }
            }
        }
    }

    #[test]
    fn answers_cut_short_anywhere_are_wrong() {
        for stream in [true, false] {
            let job = job(Wire::Openai, stream);
            let bytes = bytes(&job);
            for end in 0..bytes.len() {
                assert!(read(&job, &bytes[..end], 4096).is_err(), "{stream} {end}");
            }
        }
    }

    #[test]
    fn answer_of_another_type_is_wrong() {
        for (stream, from, to) in [
            (true, "text/event-stream", "application/json"),
            (false, "application/json", "text/event-stream"),
        ] {
            let job = job(Wire::Openai, stream);
            let text = String::from_utf8(bytes(&job)).unwrap();
            assert!(read(&job, text.replacen(from, to, 1).as_bytes(), 4096).is_err());
            let refused = text.replacen("200", "503", 1).replacen(from, to, 1);
            let why = read(&job, refused.as_bytes(), 4096).unwrap_err();
            assert!(why.contains("status 503"), "{why}");
        }
    }

    #[test]
    fn bytes_past_the_end_are_wrong() {
        for stream in [true, false] {
            let job = job(Wire::Openai, stream);
            let mut bytes = bytes(&job);
            bytes.push(b'x');
            assert!(read(&job, &bytes, 4096).is_err());
        }
    }

    #[test]
    fn interim_answers_are_skipped() {
        let job = job(Wire::Openai, false);
        let mut all = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
        all.extend_from_slice(&bytes(&job));
        assert_eq!(read(&job, &all, 7), Ok(0));
    }
}
