//! What is asked, over and over: the bytes of a request, and what its answer must be.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::load::judge::Expect;
use crate::mock::ask::HEADER;
use crate::mock::script::Script;
use crate::wire::Wire;

/// How a request is made.
#[derive(Clone, Debug)]
pub struct Request {
    /// The client's wire.
    pub wire: Wire,
    /// The model that is asked for.
    pub model: String,
    /// Whether a stream is wanted.
    pub stream: bool,
    /// Bytes of text in the question.
    pub body_bytes: usize,
    /// What the mock shall do, beside its own flags.
    pub script: String,
    /// Where the script is told.
    pub told: Told,
    /// Whether the gateway changes the wire.
    pub translated: bool,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Where a script is told to the mock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// In a header of the request.
    Header,
    /// In the model's name, for gateways that keep headers to themselves.
    Model,
}

/// A request, ready to be sent.
#[derive(Debug)]
pub struct Job {
    /// Its bytes.
    pub bytes: Rc<Vec<u8>>,
    /// What the answer must be.
    pub expect: Expect,
    /// How long it may take.
    pub timeout: Duration,
    /// The last whole answer that was right.
    pub good: RefCell<Vec<u8>>,
}

impl Request {
    /// Makes the request.
    ///
    /// # Errors
    /// A script that cannot be read.
    pub fn job(&self) -> Result<Job, String> {
        let script = Script::default().with(&self.script)?;
        let input = match script.count {
            true => self.body_bytes as u64,
            false => script.input,
        };
        Ok(Job {
            bytes: Rc::new(self.bytes()),
            expect: Expect {
                wire: self.wire,
                stream: self.stream,
                script,
                translated: self.translated,
                input,
            },
            timeout: self.timeout,
            good: RefCell::default(),
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let text = "~".repeat(self.body_bytes);
        let stream = self.stream;
        let (members, fields) = match self.wire {
            Wire::Openai if stream => (
                "\"stream\":true,\"stream_options\":{\"include_usage\":true}",
                "",
            ),
            Wire::Openai => ("\"stream\":false", ""),
            Wire::Anthropic if stream => ("\"stream\":true,\"max_tokens\":1024", VERSION),
            Wire::Anthropic => ("\"max_tokens\":1024", VERSION),
        };
        let (model, script) = match self.told {
            Told::Header if self.script.is_empty() => (self.model.clone(), String::new()),
            Told::Header => (self.model.clone(), format!("{HEADER}: {}\r\n", self.script)),
            Told::Model => (format!("mock:{}", self.script), String::new()),
        };
        let body = format!(
            "{{\"model\":\"{model}\",{members},\
             \"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}"
        );
        let (path, length) = (self.wire.path(), body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\
             content-type: application/json\r\naccept: application/json\r\n\
             user-agent: ringway-load\r\n{fields}{script}content-length: {length}\r\n\r\n"
        );
        (head + &body).into_bytes()
    }
}

impl Job {
    /// The same request with another key.
    #[must_use]
    pub fn with_key(self, key: &str) -> Self {
        let bytes = String::from_utf8_lossy(&self.bytes);
        let bytes = bytes.replacen(
            &format!(": Bearer {KEY}\r"),
            &format!(": Bearer {key}\r"),
            1,
        );
        Self {
            bytes: Rc::new(bytes.into_bytes()),
            ..self
        }
    }
}

/// The key that the load shows.
pub const KEY: &str = "load-test-key";
const VERSION: &str = "anthropic-version: 2023-06-01\r\n";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringway_test_support::http::head;

    use super::{KEY, Request, Told};
    use crate::mock::ask::{Ends, script_of};
    use crate::mock::script::Script;
    use crate::wire::Wire;

    #[test]
    fn request_tells_the_mock_what_is_expected_of_it() {
        for wire in [Wire::Openai, Wire::Anthropic] {
            for (stream, told) in [(true, Told::Header), (false, Told::Model)] {
                let request = Request {
                    wire,
                    model: "fast".to_owned(),
                    stream,
                    body_bytes: 300,
                    script: "deltas=7,count=on".to_owned(),
                    told,
                    translated: false,
                    timeout: Duration::from_secs(1),
                };
                let job = request.job().unwrap();
                let found = head(&job.bytes).unwrap().unwrap();
                let body = &job.bytes[found.len..];
                assert!(job.bytes.windows(KEY.len()).any(|it| it == KEY.as_bytes()));
                let mut ends = Ends::default();
                ends.push(body);
                assert_eq!(ends.stream(), stream);
                assert_eq!(ends.tildes, job.expect.input);
                let script = script_of(&found, &ends, &Script::default()).unwrap();
                assert_eq!(script, job.expect.script);
                let json: serde_json::Value = serde_json::from_slice(body).unwrap();
                assert!(json["messages"].is_array());
                let other = job.with_key("rw_another");
                let other = String::from_utf8(other.bytes.to_vec()).unwrap();
                assert!(other.contains("authorization: Bearer rw_another\r\n"));
                assert!(!other.contains(KEY));
            }
        }
    }

    #[test]
    fn request_with_a_wrong_script_is_not_made() {
        let request = Request {
            wire: Wire::Openai,
            model: String::new(),
            stream: true,
            body_bytes: 0,
            script: "deltas".to_owned(),
            told: Told::Header,
            translated: false,
            timeout: Duration::from_secs(1),
        };
        assert!(request.job().is_err());
    }
}
