use super::{panic_count, report_panics, spawn, yield_now};
use crate::net::runtime::driver::{DriverChoice, run_worker};
use crate::net::runtime::timer::sleep;
use crate::net::test_support::{child_word, in_child, on_both_drivers};

#[test]
fn p31_panic_in_a_task_is_counted_and_the_worker_lives_on() {
    on_both_drivers(|| async {
        let before = panic_count();
        let broken = spawn(async {
            yield_now().await;
            panic!("injected");
        });
        let sound = spawn(async {
            sleep(5).await;
            7
        });
        assert_eq!(broken.await, None::<()>);
        assert_eq!(sound.await, Some(7));
        assert!(panic_count() > before);
    });
}

#[test]
fn panic_drops_what_the_task_held() {
    on_both_drivers(|| async {
        let held = std::rc::Rc::new(());
        let inside = std::rc::Rc::clone(&held);
        let broken = spawn(async move {
            let _inside = inside;
            sleep(1).await;
            panic!("injected");
        });
        assert_eq!(broken.await, None::<()>);
        assert_eq!(std::rc::Rc::strong_count(&held), 1);
    });
}

#[test]
fn yield_now_in_a_busy_task_lets_others_run() {
    on_both_drivers(|| async {
        let flag = std::rc::Rc::new(core::cell::Cell::new(false));
        let other = std::rc::Rc::clone(&flag);
        drop(spawn(async move { other.set(true) }));
        let mut rounds = 0;
        while !flag.get() {
            rounds += 1;
            assert!(rounds < 1_000, "the other task never ran");
            yield_now().await;
        }
    });
}

#[test]
fn p31_panic_report_names_the_place_and_never_the_payload() {
    let payload = ["sk-", "ant", "-prompt"].concat();
    if child_word().is_none() {
        let name =
            "net::runtime::task::tests::p31_panic_report_names_the_place_and_never_the_payload";
        let text = in_child(name, "epoll");
        assert!(
            text.contains("panic at src/net/runtime/task/tests.rs:"),
            "{text}"
        );
        assert!(!text.contains(&payload), "{text}");
        return;
    }
    // The hook is the whole process's.
    report_panics(|file, line| println!("panic at {file}:{line}"));
    let ended = run_worker(
        DriverChoice::Epoll,
        |_| (),
        || async move { spawn(async move { panic!("{payload}") }).await },
    );
    assert_eq!(ended, Ok(None::<()>));
}
