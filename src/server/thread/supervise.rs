//! Keeps the tasks of the control thread running: one that panics is reported, and begun again with the
//! state that it had.
//!
//! What a task had in hand at that moment is lost: a question that it was answering gets no answer. A
//! task that panics again and again is begun again at most once in `PAUSE`.

use core::future::poll_fn;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::Arc;

use crate::server::thread::output::Notices;
use crate::server::thread::progress::DrainProgress;

/// A task of the control thread.
pub trait SupervisedTask: Send + 'static {
    /// What it is called where its end is reported.
    const NAME: &'static str;

    /// Runs until there is nothing left to do for good. After a panic it is called again.
    fn run(&mut self) -> impl Future<Output = ()> + Send;
}

/// Runs a task to its end, through whatever panics.
pub async fn supervise(
    mut task: impl SupervisedTask,
    notices: Notices,
    progress: Arc<DrainProgress>,
) {
    while !runs_to_end(&mut task).await {
        progress.count_restart();
        notices.say(format!(
            "{} ended by a panic, which is a fault of this program; it begins again",
            name_of(&task)
        ));
        tokio::time::sleep(PAUSE).await;
    }
}

const fn name_of<T: SupervisedTask>(_: &T) -> &'static str {
    T::NAME
}

/// Runs a task once; whether it came to its own end.
async fn runs_to_end(task: &mut impl SupervisedTask) -> bool {
    let mut running = Box::pin(task.run());
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
            Ok(polled) => polled.map(|()| true),
            Err(_) => core::task::Poll::Ready(false),
        },
    )
    .await
}

/// Between a panic and the next beginning.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use tokio::sync::mpsc;

    use super::{SupervisedTask, supervise};
    use crate::server::thread::output::Notices;
    use crate::server::thread::progress::DrainProgress;

    /// Answers numbers with their double, and panics at nought.
    struct Doubler {
        asked: mpsc::Receiver<u64>,
        answers: mpsc::Sender<u64>,
    }

    impl SupervisedTask for Doubler {
        const NAME: &'static str = "the doubler";

        async fn run(&mut self) {
            while let Some(number) = self.asked.recv().await {
                assert!(number > 0, "nought");
                let _ = self.answers.send(2 * number).await;
            }
        }
    }

    #[tokio::test]
    async fn a_task_that_panics_is_told_and_goes_on_with_what_comes_next() {
        let (ask, asked) = mpsc::channel(8);
        let (answers, mut answered) = mpsc::channel(8);
        let (notices, heard) = Notices::new();
        let progress = Arc::new(DrainProgress::new(Arc::new(AtomicU64::new(0))));
        let kept = supervise(Doubler { asked, answers }, notices, Arc::clone(&progress));
        let kept = tokio::spawn(kept);
        for number in [1, 0, 2, 0, 0, 3] {
            ask.send(number).await.unwrap();
        }
        for double in [2, 4, 6] {
            assert_eq!(answered.recv().await, Some(double));
        }
        drop(ask);
        kept.await.unwrap();
        let lines: Vec<String> = heard.try_iter().collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(
            lines
                .iter()
                .all(|line| line.starts_with("the doubler ended by a panic"))
        );
        assert_eq!(progress.restarts(), 3);
    }
}
