//! The real program, where signals, exit codes, memory or descriptors are the matter.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tempfile::TempDir;

use super::client::Client;
use super::http;
use super::wait::{self, DEADLINE};

/// A running program. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    address: SocketAddr,
    admin: SocketAddr,
    _folder: TempDir,
}

impl Program {
    /// `ringway serve` with this configuration; it must listen on TCP and have an admin listener.
    pub(crate) fn serve(config: &str) -> Self {
        Self::serve_with(config, Stdio::null())
    }

    pub(crate) fn serve_with(config: &str, stdout: Stdio) -> Self {
        let command = program();
        Self::start(command, Some(config), &[], stdout)
    }

    /// The same with these variables in its environment.
    pub(crate) fn serve_variables(config: &str, variables: &[(&str, String)]) -> Self {
        let command = program();
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        Self::start(command, Some(config), &variables, Stdio::null())
    }

    /// The same with so many descriptors at most.
    pub(crate) fn serve_narrow(config: &str, descriptors: usize) -> Self {
        let mut command = Command::new("/bin/sh");
        command.stdin(Stdio::null());
        let limited = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_ringway")]);
        Self::start(command, Some(config), &[], Stdio::null())
    }

    /// The same with these listening sockets in the place of the first ones of a service manager.
    pub(crate) fn serve_inheriting(config: &str, [first, second]: [OwnedFd; 2]) -> Self {
        let mut command = Command::new("/bin/sh");
        let script = "exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_PID=$$ exec \"$0\" \"$@\"";
        command.args(["-c", script, env!("CARGO_BIN_EXE_ringway")]);
        command.stdin(first);
        let variables = [("LISTEN_FDS", "2")];
        Self::start(command, Some(config), &variables, Stdio::from(second))
    }

    /// `ringway serve` without a configuration, on what these variables say.
    pub(crate) fn serve_environment(variables: &[(&str, &str)]) -> Self {
        let command = program();
        Self::start(command, None, variables, Stdio::null())
    }

    fn start(
        mut command: Command,
        config: Option<&str>,
        variables: &[(&str, &str)],
        stdout: Stdio,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command.arg("serve").env_clear();
        match config {
            Some(text) => {
                let path = folder.path().join("ringway.toml");
                fs::write(&path, text).unwrap();
                command.arg("--config").arg(&path);
                command.env("UPSTREAM_KEY", super::gateway::UPSTREAM_KEY);
            }
            None => {
                command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
            }
        }
        command.envs(variables.iter().copied());
        let command = command.stdout(stdout);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut program = Self {
            child,
            lines: channel().1,
            address: nowhere,
            admin: nowhere,
            _folder: folder,
        };
        program.lines = lines_of(program.child.stderr.take().unwrap());
        program.wait_start();
        program
    }

    /// Reads the addresses from what it says.
    fn wait_start(&mut self) {
        let mut seen = Vec::new();
        loop {
            let line = self
                .lines
                .recv_timeout(DEADLINE)
                .unwrap_or_else(|_| panic!("did not start: {seen:?}"));
            if let Some(text) = line.strip_prefix("ringway: listening on ")
                && let Ok(found) = text.parse()
            {
                self.address = found;
            }
            if let Some(text) = line.strip_prefix("ringway: admin on ") {
                self.admin = text.parse().unwrap();
                assert_ne!(
                    self.address.port(),
                    0,
                    "listens before the admin listener does"
                );
                return;
            }
            seen.push(line);
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// What its standard output gives.
    pub(crate) fn stdout(&mut self) -> Receiver<String> {
        lines_of(self.child.stdout.take().unwrap())
    }

    /// Closes the reading end of its standard output.
    pub(crate) fn close_stdout(&mut self) {
        drop(self.child.stdout.take());
    }

    /// The admin listener's answer.
    pub(crate) fn admin(&self, path: &str) -> (u16, String) {
        let mut client = Client::connect(self.admin);
        let answer = client.ask(http::request("GET", path, "connection: close\r\n", ""));
        (answer.status, answer.text().to_owned())
    }

    /// Waits until it has said a line that holds `text`.
    pub(crate) fn wait_line(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let line = self
                .lines
                .recv_timeout(DEADLINE)
                .unwrap_or_else(|_| panic!("never said {text:?}, but {seen:?}"));
            if line.contains(text) {
                return line;
            }
            seen.push(line);
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill` is everywhere; the program of that name is not.
        let kill = format!("kill -{name} {}", self.child.id());
        let done = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(done.success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        wait::until("the program's end", || self.child.try_wait().unwrap())
    }

    /// The environment as the kernel shows it, if it shows it to this user.
    pub(crate) fn environment(&self) -> Option<Vec<u8>> {
        fs::read(format!("/proc/{}/environ", self.child.id())).ok()
    }

    /// Resident memory in KiB, of its own kind: no shared files.
    pub(crate) fn resident_kib(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let text = line.unwrap().trim().strip_suffix(" kB").unwrap();
        text.trim().parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended already needs no more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    command.stdin(Stdio::null());
    command
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
