//! Listening sockets that a service manager hands to the program, as systemd does.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Command;

use ringway::wire::kind::Wire;

use crate::support::client::Client;
use crate::support::directions::drivers;
use crate::support::http::{json, post};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::script::always;
use crate::support::wires::{chat, path, whole};

const WIRE: Wire = Wire::OpenAiChat;

fn config(driver: &str, listen: &str, admin: SocketAddr, provider: &Provider) -> String {
    format!(
        "[server]\nlisten = [\"{listen}\"]\nadmin = \"{admin}\"\nworkers = 2\ndriver = \"{driver}\"\n\
         [[provider]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"http://{}/v1\"\n\
         key_env = \"UPSTREAM_KEY\"\n[[model]]\nid = \"m0\"\ntargets = [\"up/m0\"]\n",
        provider.address()
    )
}

fn request() -> Vec<u8> {
    post(path(WIRE), "connection: close\r\n", chat(WIRE, "m0", false))
}

fn fd(socket: impl Into<OwnedFd>) -> OwnedFd {
    socket.into()
}

#[test]
fn sockets_that_are_handed_in_serve_and_keep_their_clients_from_one_program_to_the_next() {
    for &driver in drivers() {
        let provider = Provider::all(always(json(whole(WIRE))));
        let clients = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [clients.local_addr().unwrap(), admin.local_addr().unwrap()];
        let listen = addresses[0].to_string();
        let text = config(driver.name(), &listen, addresses[1], &provider);
        let start = || {
            let sockets = [clients.try_clone().unwrap(), admin.try_clone().unwrap()];
            Program::serve_inheriting(&text, sockets.map(fd))
        };
        let mut program = start();
        assert_eq!(program.address(), addresses[0]);
        for _ in 0..20 {
            assert_eq!(program.client().ask(request()).status, 200);
        }
        assert_eq!(program.admin("/readyz").0, 200);
        program.signal("TERM");
        assert_eq!(program.exit().code(), Some(0));
        let mut waiting = Client::connect(addresses[0]);
        waiting.send(request());
        let _next = start();
        assert_eq!(waiting.answer().status, 200);
    }
}

#[test]
fn the_file_of_a_unix_socket_that_was_handed_in_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("socket");
    let clients = UnixListener::bind(&file).unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = admin.local_addr().unwrap();
    let provider = Provider::all(always(json(whole(WIRE))));
    let listen = format!("127.0.0.1:0\", \"unix:{}", file.display());
    let text = config("auto", &listen, address, &provider);
    let mut program = Program::serve_inheriting(&text, [fd(clients), fd(admin)]);
    assert_eq!(Client::connect_unix(&file).ask(request()).status, 200);
    program.signal("TERM");
    assert_eq!(program.exit().code(), Some(0));
    assert!(file.exists());
}

#[test]
fn sockets_that_no_listener_can_use_are_named_at_start() {
    let stray = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stray.local_addr().unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let cases = [
        (
            fd(stray),
            "1",
            format!(
                "ringway: descriptor 3 of LISTEN_FDS (web) is bound to {address}, which is no \
                 configured address: add it to listen or admin in [server]\n"
            ),
        ),
        (
            fd(datagrams),
            "1",
            "ringway: descriptor 3 of LISTEN_FDS (web) is no listening stream socket\n".to_owned(),
        ),
        (
            fd(TcpListener::bind("127.0.0.1:0").unwrap()),
            "many",
            "ringway: LISTEN_FDS: expected a number of descriptors up to 64, found \"many\"\n"
                .to_owned(),
        ),
    ];
    for (socket, count, expected) in cases {
        let mut command = Command::new("/bin/sh");
        let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ exec \"$0\" serve \"$@\"";
        command.args(["-c", script, env!("CARGO_BIN_EXE_ringway")]);
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.env_clear().env("OPENAI_API_KEY", "sk-test");
        command.envs([("LISTEN_FDS", count), ("LISTEN_FDNAMES", "web")]);
        let output = command.stdin(socket).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.ends_with(&expected), "{told}");
        assert_eq!(output.status.code(), Some(1), "{told}");
    }
}
