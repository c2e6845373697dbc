//! Processes that are started here and ended here.
//!
//! Each is pinned and told to end with its parent by a launch in between (`ringway-load launch`),
//! which then becomes the program: the process id stays. [`Started`] ends it when it is dropped, a
//! panic included; the list of what runs lets a signal's handler do the same.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::account;

/// What is to run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What it is called in messages.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables beside those that are inherited.
    pub env: Vec<(String, String)>,
    /// The core that it is pinned to.
    pub core: Option<usize>,
    /// Where its output goes.
    pub log: PathBuf,
}

/// A process that runs.
#[derive(Debug)]
pub struct Started {
    child: Child,
    name: String,
    log: PathBuf,
}

/// Ids of all that runs, for the end by a signal.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Folders that are removed at the end, also at one by a signal.
static SCRATCH: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A folder for configurations and logs, gone when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new folder below the system's own for temporary files.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn new(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("ringway-{name}-{}", std::process::id()));
        fs::create_dir(&path)?;
        if let Ok(mut scratch) = SCRATCH.lock() {
            scratch.push(path.clone());
        }
        Ok(Self(path))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Launch {
    /// Starts it by way of `launcher`, the load program itself.
    ///
    /// # Errors
    /// A program that cannot be started.
    pub fn start(&self, launcher: &Path) -> io::Result<Started> {
        let log = File::create(&self.log)?;
        let mut command = Command::new(launcher);
        command.arg("launch");
        if let Some(core) = self.core {
            command.args(["--core", &core.to_string()]);
        }
        command.arg("--").arg(&self.program).args(&self.args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().map_err(|fault| self.told(&fault))?;
        enlist(child.id());
        Ok(Started {
            child,
            name: self.name.clone(),
            log: self.log.clone(),
        })
    }

    fn told(&self, fault: &io::Error) -> io::Error {
        io::Error::other(format!(
            "{}: {}: {fault}",
            self.name,
            self.program.display()
        ))
    }
}

impl Started {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its process and all below it.
    #[must_use]
    pub fn tree(&self) -> Vec<u32> {
        account::tree(self.id())
    }

    /// An error with the end of its output if it has ended by itself.
    ///
    /// # Errors
    /// That it has ended.
    pub fn check(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(io::Error::other(format!(
                "{} ended with {status}: {}",
                self.name,
                self.said()
            ))),
        }
    }

    /// The end of its output.
    #[must_use]
    pub fn said(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(TOLD_BYTES);
        let end = text.get(from..).unwrap_or_default();
        String::from_utf8_lossy(end).trim().to_owned()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Asks it to end and waits for it; its exit code.
    ///
    /// # Errors
    /// That it does not end within ten seconds, or was ended by a signal.
    pub async fn stop(mut self) -> io::Result<i32> {
        self.signal(Signal::TERM);
        for _ in 0..10 * PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                let code = status.code();
                return code.ok_or_else(|| io::Error::other(format!("{status}: {}", self.said())));
            }
            monoio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(io::Error::other("it still runs ten seconds after TERM"))
    }

    /// Asks it to end, waits a second, then insists.
    pub async fn end(mut self) {
        let tree = self.tree();
        self.signal(Signal::TERM);
        for _ in 0..PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            monoio::time::sleep(Duration::from_millis(10)).await;
        }
        // What is left of the tree is ended by the drop below; children first.
        for pid in tree.into_iter().skip(1) {
            if is_child_of_ours(pid) {
                send(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let tree = self.tree();
            for pid in tree.into_iter().rev() {
                send(pid, Signal::KILL);
            }
            // Only the kernel's own bookkeeping is left to wait for.
            let _ = self.child.wait();
        }
        dismiss(self.child.id());
    }
}

/// Whether a process that was in a tree of ours has been left to us or to init by its parent's end:
/// an id that the kernel has given to another parent's child since is not touched.
fn is_child_of_ours(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let parent = parent.and_then(|id| id.trim().parse::<u32>().ok());
    parent == Some(1) || parent == Some(std::process::id())
}

/// Ends everything that runs; for a signal's handler, which leaves afterwards.
pub fn end_all() {
    let running = RUNNING.lock();
    let running = running.map(|list| list.clone()).unwrap_or_default();
    for &pid in &running {
        for pid in account::tree(pid).into_iter().rev() {
            send(pid, Signal::KILL);
        }
    }
    let scratch = SCRATCH.lock();
    for path in scratch.map(|list| list.clone()).unwrap_or_default() {
        let _ = fs::remove_dir_all(path);
    }
}

fn enlist(pid: u32) {
    if let Ok(mut running) = RUNNING.lock() {
        running.push(pid);
    }
}

fn dismiss(pid: u32) {
    if let Ok(mut running) = RUNNING.lock() {
        running.retain(|one| *one != pid);
    }
}

/// Sends a signal to a process; one that is gone needs none.
pub fn send(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}

/// Becomes `command`, pinned to `core`, bound to end with the process that started this one.
///
/// # Errors
/// Only if it cannot become that program.
pub fn become_program(core: Option<usize>, command: &[String]) -> io::Error {
    let Some((program, args)) = command.split_first() else {
        return io::Error::other("nothing to launch");
    };
    let prepared = set_parent_process_death_signal(Some(Signal::TERM));
    let prepared = prepared
        .map_err(io::Error::from)
        .and_then(|()| core.map_or(Ok(()), pin));
    match prepared {
        Ok(()) => Command::new(program).args(args).exec(),
        Err(fault) => fault,
    }
}

/// Pins the calling thread, and what it starts later, to a core.
///
/// # Errors
/// A core that is not there.
pub fn pin(core: usize) -> io::Result<()> {
    if core >= CpuSet::MAX_CPU {
        return Err(io::Error::other(format!("no core {core}")));
    }
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Cores that this process may use.
#[must_use]
pub fn cores() -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU)
        .filter(|core| set.is_set(*core))
        .collect()
}

/// Lets this process, and what it starts, open as many descriptors as the host allows.
pub fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: Some(DESCRIPTORS),
        maximum: Some(now.maximum.unwrap_or(DESCRIPTORS).max(DESCRIPTORS)),
    };
    if setrlimit(Resource::Nofile, wanted).is_err() {
        // Without the right to raise the hard limit, all of it must do.
        let all = Rlimit {
            current: now.maximum,
            maximum: now.maximum,
        };
        let _ = setrlimit(Resource::Nofile, all);
    }
}

/// Descriptors that this process, and what it starts, may open.
#[must_use]
pub fn descriptors() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(DESCRIPTORS).min(DESCRIPTORS)
}

/// A program in the folders of `PATH`.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Looks 10 ms apart after a process was asked to end.
const PATIENCE: usize = 100;
/// Output of a failed process that is repeated.
const TOLD_BYTES: usize = 800;
/// Descriptors that ten thousand streams need at a gateway.
const DESCRIPTORS: u64 = 65_536;

#[cfg(test)]
mod tests {
    use super::{Scratch, find};

    #[test]
    fn programs_are_found_or_not() {
        assert!(find("sh").is_some());
        assert!(find("no-program-has-this-name").is_none());
    }

    #[test]
    fn scratch_is_gone_when_it_is_dropped() {
        let scratch = Scratch::new("test").unwrap();
        let path = scratch.path().to_owned();
        std::fs::write(path.join("a"), "b").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
