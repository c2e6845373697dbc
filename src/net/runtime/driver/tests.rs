use std::io;

use super::{
    DriverChoice, DriverError, DriverKind, DriverReport, current, first_available, run_worker,
};
use crate::net::runtime::timer::sleep;

/// Asks for a driver where the first kinds fail with the numbers given, in order.
fn climb(
    choice: DriverChoice,
    errnos: &[i32],
) -> (Result<DriverReport, DriverError>, Vec<DriverKind>) {
    let mut tried = Vec::new();
    let result = first_available(choice, |kind| {
        let errno = errnos.get(tried.len());
        tried.push(kind);
        errno.map_or(Ok(()), |&errno| Err(io::Error::from_raw_os_error(errno)))
    });
    (result.map(|((), report)| report), tried)
}

#[test]
fn driver_where_all_holds_takes_the_first_rung() {
    let (report, tried) = climb(DriverChoice::Auto, &[]);
    assert_eq!(
        report,
        Ok(DriverReport {
            kind: DriverKind::Uring,
            errno: None,
            hint: None
        })
    );
    assert_eq!(tried, [DriverKind::Uring]);
}

#[test]
fn driver_with_old_flags_refused_takes_kernel_defaults() {
    let (report, _) = climb(DriverChoice::Auto, &[libc::EINVAL]);
    let report = report.expect("holds");
    assert_eq!(
        (report.kind, report.errno),
        (DriverKind::UringPlain, Some(libc::EINVAL))
    );
    assert_eq!(report.kind.as_str(), "io_uring");
}

#[test]
fn driver_with_little_locked_memory_takes_few_entries() {
    let (report, _) = climb(DriverChoice::Auto, &[libc::ENOMEM, libc::ENOMEM]);
    let report = report.expect("holds");
    assert_eq!(report.kind, DriverKind::UringSmall);
    assert!(report.to_string().contains("memlock"), "{report}");
}

#[test]
fn driver_with_uring_denied_falls_to_epoll_and_says_what_to_do() {
    for errno in [libc::EPERM, libc::ENOSYS, libc::ENOMEM] {
        let (report, tried) = climb(DriverChoice::Auto, &[errno; 3]);
        let report = report.expect("epoll holds");
        assert_eq!(
            (report.kind, report.errno),
            (DriverKind::Epoll, Some(errno))
        );
        assert_eq!(tried.len(), 4);
        assert!(report.hint.is_some());
        assert!(
            report.to_string().starts_with("epoll; before it: "),
            "{report}"
        );
    }
}

#[test]
fn driver_of_uring_alone_fails_rather_than_falls() {
    let (result, tried) = climb(DriverChoice::Uring, &[libc::EPERM; 3]);
    assert!(matches!(
        result,
        Err(DriverError::Unavailable(DriverReport {
            errno: Some(1),
            ..
        }))
    ));
    assert_eq!(
        tried,
        [
            DriverKind::Uring,
            DriverKind::UringPlain,
            DriverKind::UringSmall
        ]
    );
    let (report, tried) = climb(DriverChoice::Epoll, &[]);
    assert_eq!(report.map(|report| report.kind), Ok(DriverKind::Epoll));
    assert_eq!(tried, [DriverKind::Epoll]);
}

#[test]
fn worker_on_any_choice_runs_timers_and_knows_its_driver() {
    for choice in [DriverChoice::Auto, DriverChoice::Epoll] {
        let ran = std::thread::spawn(move || {
            let mut told = None;
            let seen = run_worker(
                choice,
                |report| told = Some(report.kind),
                || async {
                    sleep(1).await;
                    current()
                },
            );
            assert_eq!(current(), None);
            (seen, told)
        });
        let (seen, told) = ran.join().expect("no panic");
        assert!(told.is_some());
        assert_eq!(seen, Ok(told));
        if choice == DriverChoice::Epoll {
            assert_eq!(told, Some(DriverKind::Epoll));
        }
    }
}

#[test]
fn worker_whose_main_task_panics_ends_with_an_error() {
    let ran = std::thread::spawn(|| {
        run_worker(
            DriverChoice::Epoll,
            |_| (),
            || async {
                sleep(1).await;
                panic!("injected");
            },
        )
    });
    assert_eq!(
        ran.join().expect("contained"),
        Err::<(), _>(DriverError::Panicked)
    );
}

#[test]
fn choice_words_of_the_configuration_parse() {
    let words = ["auto", "uring", "epoll", "io_uring"].map(DriverChoice::parse);
    assert_eq!(
        words,
        [
            Some(DriverChoice::Auto),
            Some(DriverChoice::Uring),
            Some(DriverChoice::Epoll),
            None
        ]
    );
}
