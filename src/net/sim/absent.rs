//! The place of `sim` in builds without a simulated world: the same names, and nothing behind them.
//!
//! Worlds and connections have no values here, so that the compiler leaves out every branch that has one.

/// A type without values, with methods that nothing can call.
macro_rules! absent {
    ($type:ident { $($method:ident($($argument:ty),*) -> $output:ty;)* }) => {
        #[derive(Clone)]
        pub(crate) struct $type(core::convert::Infallible);

        impl $type {
            $(pub(in crate::net) fn $method(&self $(, _: $argument)*) -> $output {
                match self.0 {}
            })*
        }
    };
}

pub(in crate::net) mod task {
    pub(in crate::net) use monoio::{spawn, task::JoinHandle};
}

pub(in crate::net) mod time {
    pub(in crate::net) use crate::net::runtime::alarm::{Sleep, sleep_until};
}

pub(in crate::net) mod world {
    absent!(SimWorld { now() -> u64; });

    impl SimWorld {
        pub(in crate::net) fn random_bytes<const N: usize>(&self) -> [u8; N] {
            match self.0 {}
        }
    }

    pub(in crate::net) const fn current() -> Option<SimWorld> {
        None
    }
}

pub(in crate::net) mod injected_failure {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "it fails where there is a simulation"
    )]
    pub(in crate::net) const fn fails() -> std::io::Result<()> {
        Ok(())
    }
}

pub(in crate::net) mod listeners {
    use std::io;
    use std::net::SocketAddr;

    use crate::net::sim::socket::SimHandle;

    pub(in crate::net) async fn connect(_: SocketAddr) -> Option<io::Result<SimHandle>> {
        None
    }
}

pub(in crate::net) mod socket {
    use core::future::Ready;
    use std::io;

    use monoio::buf::SliceMut;

    absent!(SimHandle {
        has_something() -> bool;
        has_peer_ended() -> bool;
        acknowledged() -> u64;
        receive_into(&mut Vec<u8>, usize) -> io::Result<usize>;
        send(&[u8]) -> ();
        shutdown_write() -> io::Result<()>;
        shutdown() -> ();
        reset() -> ();
        recall() -> ();
        readable() -> Ready<()>;
        read_into(SliceMut<Vec<u8>>) -> Ready<(io::Result<usize>, SliceMut<Vec<u8>>)>;
    });

    impl SimHandle {
        pub(in crate::net) fn write<'s>(
            &self,
            _: impl Iterator<Item = &'s [u8]>,
        ) -> Ready<io::Result<usize>> {
            match self.0 {}
        }
    }
}
