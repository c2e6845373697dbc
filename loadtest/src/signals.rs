//! The end by Ctrl-C or TERM: everything that was started is ended before this process is.

use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::process;

/// Watches for both signals on a thread of its own.
///
/// # Errors
/// A thread or a watch that the system refuses.
pub fn watch() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let code = runtime.block_on(async {
                let interrupt = signal(SignalKind::interrupt());
                let terminate = signal(SignalKind::terminate());
                let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
                    return None;
                };
                let interrupted = std::pin::pin!(interrupt.recv());
                let terminated = std::pin::pin!(terminate.recv());
                first_of(interrupted, terminated).await;
                Some(130)
            });
            if let Some(code) = code {
                process::end_all();
                eprintln!("ringway-load: ended by a signal; what it had started is ended too");
                std::process::exit(code);
            }
        })?;
    Ok(())
}

/// Waits for either.
async fn first_of<A: Future + Unpin, B: Future + Unpin>(mut one: A, mut other: B) {
    std::future::poll_fn(|context| {
        let one = std::pin::Pin::new(&mut one).poll(context).is_ready();
        let other = std::pin::Pin::new(&mut other).poll(context).is_ready();
        match one || other {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}
