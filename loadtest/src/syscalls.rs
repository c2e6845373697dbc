//! System calls of processes over a while, counted by strace where it is installed.
//!
//! Being watched makes a process slower, so this runs in a round of its own whose times are not
//! used.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::process;

/// A count that runs.
pub struct Watch {
    child: Child,
    out: PathBuf,
}

impl Watch {
    /// Begins to count for these processes and all their threads.
    ///
    /// # Errors
    /// No strace, or no right to trace.
    pub fn start(pids: &[u32], out: &Path) -> io::Result<Self> {
        let program = process::find("strace")
            .ok_or_else(|| io::Error::other("strace is not installed: apt-get install strace"))?;
        let mut command = Command::new(program);
        command
            .args(["-f", "-c", "-U", "calls,name", "-o"])
            .arg(out);
        for pid in pids {
            command.args(["-p", &pid.to_string()]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self {
            child: child.spawn()?,
            out: out.to_owned(),
        })
    }

    /// Ends counting; how many calls there were.
    ///
    /// # Errors
    /// A count that did not work.
    pub async fn end(mut self) -> io::Result<u64> {
        process::send(self.child.id(), Signal::INT);
        for _ in 0..200 {
            if self.child.try_wait()?.is_some() {
                break;
            }
            monoio::time::sleep(Duration::from_millis(10)).await;
        }
        let text = std::fs::read_to_string(&self.out)?;
        let counted = parse(&text);
        counted.ok_or_else(|| io::Error::other("strace counted nothing: may it trace here?"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The total of a table with the columns calls and name.
fn parse(text: &str) -> Option<u64> {
    let total = text
        .lines()
        .find(|line| line.trim_end().ends_with(" total"))?;
    total.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn total_of_the_table_is_read() {
        let text = "    calls syscall\n--------- ----------------\n      120 io_uring_enter\n\
                            3 futex\n--------- ----------------\n      123 total\n";
        assert_eq!(parse(text), Some(123));
        assert_eq!(parse("strace: attach: Operation not permitted\n"), None);
    }
}
