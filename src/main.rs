//! The program: allocator, arguments, exit code.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_int, c_long, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::env;
use std::ffi::CString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use mimalloc::MiMalloc;
use ringway::cli::{self, Command, DemoArgs, Exit, KeyArgs, KeysArgs, ServeArgs};
use ringway::command::{check, key, keys, prepare, tenants, usage};
use ringway::demo::run as run_demo;
use ringway::govern::key::generation::{KEY_RANDOM_BYTES, Randomness};
use ringway::net::runtime::{clock, task};
use ringway::route::compile::plan::Compiled;
use ringway::server::control::Ended;
use ringway::server::run::{self, StartOptions};
use ringway::server::thread::host;

#[global_allocator]
static ALLOCATOR: Heaps = Heaps;

fn main() -> ExitCode {
    purge_soon();
    let arguments = match cli::parse(env::args_os()) {
        Ok(arguments) => arguments,
        Err(answer) => return shown(&answer),
    };
    let done = match arguments.command {
        Command::Serve(args) => serve(&args),
        Command::Check(args) => {
            let colour = io::stdout().is_terminal();
            check::run(
                &args,
                (&variable, clock::unix_millis()),
                colour,
                &mut io::stdout(),
                &mut Errors,
            )
        }
        Command::Key(args) => make_key(&args),
        Command::Usage(args) => {
            let (mut out, mut errors) = (io::stdout(), Errors);
            let now = clock::unix_millis();
            usage::run(&args, now, &variable, &mut out, &mut errors)
        }
        Command::Keys(args) => manage_keys(&args),
        Command::Tenants(args) => {
            let (mut out, mut errors) = (io::stdout(), Errors);
            let now = clock::unix_millis();
            tenants::run(&args, &variable, now, &mut out, &mut errors)
        }
        Command::Demo(args) => demo(&args),
    };
    let exit = done.unwrap_or_else(|error| {
        // A reader that left early (`ringway demo | head`) has what it wanted.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Exit::Done;
        }
        let _ = writeln!(Errors, "ringway: {error}");
        Exit::Failed
    });
    ExitCode::from(exit.code())
}

/// Help and version on standard output, wrong arguments on standard error.
fn shown(answer: &clap::Error) -> ExitCode {
    let printed = answer.print();
    let exit = match (printed, answer.use_stderr()) {
        (_, true) => Exit::Refused,
        (Err(_), false) => Exit::Failed,
        (Ok(()), false) => Exit::Done,
    };
    ExitCode::from(exit.code())
}

fn serve(args: &ServeArgs) -> io::Result<Exit> {
    let compiled = match prepare::prepare(args, &variable, clock::unix_millis()) {
        Ok(compiled) => compiled,
        Err(faults) => {
            let _ = writeln!(Errors, "{faults}");
            return Ok(Exit::Refused);
        }
    };
    forget(&compiled);
    for line in &compiled.warnings {
        let _ = writeln!(Errors, "warning: {line}");
    }
    host::harden();
    // The standard message would print the payload, which may quote a prompt.
    task::report_panics(|file, line| {
        let _ = writeln!(Errors, "ringway: panic at {file}:{line}");
    });
    let options = StartOptions {
        signals: true,
        inherits_sockets: true,
        announce: true,
        panic_model: None,
        started: Some(part),
        give_back: Some(give_back),
    };
    let ended = run::start(compiled.plan, &options)?.wait()?;
    Ok(match ended {
        Ended::Stopped => Exit::Done,
        Ended::WorkerLost => Exit::Failed,
    })
}

fn demo(args: &DemoArgs) -> io::Result<Exit> {
    let colour = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
    run_demo::run(args, colour, &mut io::stdout())
}

fn make_key(args: &KeyArgs) -> io::Result<Exit> {
    let mut random = [0; KEY_RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    key::run(args, &random, &mut io::stdout(), &mut Errors)
}

fn manage_keys(args: &KeysArgs) -> io::Result<Exit> {
    let mut random = Randomness::default();
    getrandom::fill(&mut random.key).map_err(io::Error::other)?;
    getrandom::fill(&mut random.id).map_err(io::Error::other)?;
    let now_ms = clock::unix_millis();
    keys::run(
        args,
        &variable,
        (&random, now_ms),
        &mut io::stdout(),
        &mut Errors,
    )
}

/// Standard error, as far as it takes anything: a disk that is full or a reader that has left changes
/// neither what is done nor an exit code.
struct Errors;

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A variable of the environment, or one that was taken out of it.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().or_else(|| prepare::RETAINED.get(name))
}

/// The allocator, with a heap for what a start takes and one for what serving takes.
///
/// A page of a heap goes back to the system when nothing on it is in use. What a start takes is in use
/// for good, here and there on pages of every size: load would fill them, and all of them would stay.
struct Heaps;

/// The heap of what serving takes; null while the program starts.
static SERVING: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

#[expect(unsafe_code, reason = "the allocator's own calls, by their C names")]
unsafe extern "C" {
    fn mi_heap_new() -> *mut c_void;
    fn mi_heap_malloc_aligned(heap: *mut c_void, size: usize, align: usize) -> *mut c_void;
    fn mi_heap_zalloc_aligned(heap: *mut c_void, size: usize, align: usize) -> *mut c_void;
    fn mi_heap_realloc_aligned(
        heap: *mut c_void,
        block: *mut c_void,
        size: usize,
        align: usize,
    ) -> *mut c_void;
    fn mi_heap_collect(heap: *mut c_void, force: bool);
    fn mi_collect(force: bool);
}

impl Heaps {
    /// The heap of what serving takes, once there is one.
    fn serving() -> Option<*mut c_void> {
        let heap = SERVING.load(Ordering::Acquire);
        (!heap.is_null()).then_some(heap)
    }
}

#[expect(unsafe_code, reason = "the allocator's own calls, by their C names")]
// SAFETY: every block is one of mimalloc's, of either heap: it frees and moves both alike. A heap is never
// deleted, and any thread may ask it.
unsafe impl GlobalAlloc for Heaps {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(heap) = Self::serving() else {
            // SAFETY: the caller's promises are passed on.
            return unsafe { MiMalloc.alloc(layout) };
        };
        // SAFETY: the heap lives for good.
        let block = unsafe { mi_heap_malloc_aligned(heap, layout.size(), layout.align()) };
        block.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(heap) = Self::serving() else {
            // SAFETY: the caller's promises are passed on.
            return unsafe { MiMalloc.alloc_zeroed(layout) };
        };
        // SAFETY: the heap lives for good.
        let block = unsafe { mi_heap_zalloc_aligned(heap, layout.size(), layout.align()) };
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on; it is mimalloc's, of whichever heap.
        unsafe { MiMalloc.dealloc(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(heap) = Self::serving() else {
            // SAFETY: the caller's promises are passed on.
            return unsafe { MiMalloc.realloc(block, layout, size) };
        };
        let (block, align) = (block.cast(), layout.align());
        // SAFETY: the heap lives for good; a block of the other one is moved.
        let block = unsafe { mi_heap_realloc_aligned(heap, block, size, align) };
        block.cast()
    }
}

/// Ends the start, once: what is taken from here on comes from a heap of its own, where there is room for
/// one.
#[expect(unsafe_code, reason = "the allocator's own call, by its C name")]
fn part() {
    static PARTED: AtomicBool = AtomicBool::new(false);
    if PARTED.swap(true, Ordering::AcqRel) {
        return;
    }
    // SAFETY: this is the program's allocator; the call takes nothing.
    let heap = unsafe { mi_heap_new() };
    SERVING.store(heap, Ordering::Release);
}

/// Gives memory that this thread has freed back to the system: the allocator does so by itself only
/// while it is being asked for more. With `all`, also what it keeps for soon.
#[expect(unsafe_code, reason = "the allocator's own calls, by their C names")]
fn give_back(all: bool) {
    // SAFETY: this is the program's allocator; the call takes one flag, and any thread may make it.
    unsafe { mi_collect(all) };
    if let Some(heap) = Heaps::serving() {
        // SAFETY: as above; the heap lives for good.
        unsafe { mi_heap_collect(heap, all) };
    }
}

/// Lets memory that was freed go back to the system after [`PURGE_DELAY_MS`] instead of a second: many
/// large bodies one after the other would else take twice what they hold. An allocator that was told
/// something else by its own environment variable, or that has moved its options, is left alone.
#[expect(unsafe_code, reason = "the allocator's own options, by their C names")]
fn purge_soon() -> bool {
    unsafe extern "C" {
        fn mi_option_get(option: c_int) -> c_long;
        fn mi_option_set(option: c_int, value: c_long);
    }
    // SAFETY: this is the program's allocator; the call takes and gives a number.
    let before = unsafe { mi_option_get(PURGE_DELAY_OPTION) };
    if before == PURGE_DELAY_DEFAULT_MS {
        // SAFETY: as above.
        unsafe { mi_option_set(PURGE_DELAY_OPTION, PURGE_DELAY_MS) };
    }
    before == PURGE_DELAY_DEFAULT_MS
}

/// Takes variables that held keys out of the environment, so that no child inherits them and
/// `/proc/self/environ`, which shows the memory that the process started with, has noughts instead.
/// They stay in [`prepare::RETAINED`].
#[expect(
    unsafe_code,
    reason = "the environment may be changed while there is one thread"
)]
fn forget(compiled: &Compiled) {
    prepare::RETAINED.retain(&compiled.secret_variables, &variable);
    for name in &compiled.secret_variables {
        let Ok(text) = CString::new(name.as_str()) else {
            continue;
        };
        // SAFETY: `serve` calls this before anything starts a thread; the name ends in a NUL.
        let value = unsafe { libc::getenv(text.as_ptr()) };
        if !value.is_null() {
            // SAFETY: what `getenv` finds is a string that ends in a NUL.
            let len = unsafe { libc::strlen(value) };
            // SAFETY: these bytes are that string's, in memory of this process that may be written,
            // and nobody holds a reference into them: variables are read into copies.
            unsafe { value.write_bytes(0, len) };
        }
        // SAFETY: no thread has been started yet.
        unsafe { env::remove_var(name) };
    }
}

/// Where the allocator keeps that option.
const PURGE_DELAY_OPTION: c_int = 15;
/// What it says by itself.
const PURGE_DELAY_DEFAULT_MS: c_long = 1_000;
/// At 10 ms a busy gateway asks for the same memory again and again: the CPU of a 5 MB body doubles.
const PURGE_DELAY_MS: c_long = 50;

#[cfg(test)]
mod tests {
    use super::{Heaps, give_back, part, purge_soon};

    #[test]
    fn the_allocators_option_is_where_it_is_looked_for() {
        assert!(purge_soon());
        assert!(!purge_soon(), "it is set");
    }

    #[test]
    fn blocks_of_the_start_and_of_serving_grow_shrink_and_end_on_any_thread() {
        let texts = |from: usize| -> Vec<String> {
            (from..from + 200)
                .map(|n| n.to_string().repeat(n))
                .collect()
        };
        let check = |texts: &mut Vec<String>, from: usize| {
            for (n, text) in (from..).zip(texts.iter_mut()) {
                assert_eq!(*text, n.to_string().repeat(n));
                text.reserve_exact(text.len());
                text.shrink_to_fit();
                assert_eq!(*text, n.to_string().repeat(n));
            }
        };
        let (mut early, before) = (texts(1), Heaps::serving());
        part();
        let heap = Heaps::serving();
        part();
        assert_eq!(Heaps::serving(), heap, "there is one start");
        let mut late = texts(300);
        assert!(before.is_none() && Heaps::serving().is_some());
        check(&mut early, 1);
        let zeroes = vec![0_u64; 100_000];
        let other = std::thread::spawn(move || {
            check(&mut late, 300);
            assert!(zeroes.iter().all(|&it| it == 0));
            let made = texts(500);
            drop((late, zeroes, early));
            give_back(true);
            made
        });
        let mut made = other.join().expect("no panic");
        check(&mut made, 500);
        drop(made);
        give_back(true);
    }
}
