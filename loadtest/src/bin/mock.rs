//! A provider of both wires on one core: whole answers and paced streams, fixed bytes.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use ringway::http1::head::RequestHead;

/// Serves OpenAI and Anthropic answers without looking at the question.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Address to listen on; loopback only.
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// Milliseconds between two deltas of a stream.
    #[arg(long, default_value_t = 100)]
    gap_ms: u64,
    /// Deltas of a stream.
    #[arg(long, default_value_t = 100)]
    deltas: usize,
    /// Text bytes of a whole answer.
    #[arg(long, default_value_t = 700)]
    text_bytes: usize,
}

/// Answers made once.
struct Script {
    gap: Duration,
    deltas: usize,
    whole: [Vec<u8>; 2],
    streams: [Stream; 2],
}

struct Stream {
    first: Vec<u8>,
    delta: Vec<u8>,
    last: Vec<u8>,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    if !args.listen.ip().is_loopback() {
        return Err(std::io::Error::other("listen on a loopback address"));
    }
    let listener = StdListener::bind(args.listen)?;
    listener.set_nonblocking(true)?;
    println!("mock provider on {}", listener.local_addr()?);
    let script = Rc::new(script(&args));
    let mut runtime = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .with_entries(4096)
        .enable_timer()
        .build()?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let script = Rc::clone(&script);
            monoio::spawn(async move {
                // A client that leaves ends its connection, nothing else.
                let _ = serve(stream, script).await;
            });
        }
    })
}

async fn serve(mut stream: TcpStream, script: Rc<Script>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = RequestHead::new();
    let mut pending: Vec<u8> = Vec::new();
    let mut buf = Vec::with_capacity(64 * 1024);
    loop {
        while let Some(request) =
            loadtest::http::request(&pending, &mut head).map_err(std::io::Error::other)?
        {
            pending.drain(..request.consumed);
            let wire = usize::from(request.anthropic);
            if request.stream {
                let parts = &script.streams[wire];
                send(&mut stream, parts.first.clone()).await?;
                for _ in 0..script.deltas {
                    if !script.gap.is_zero() {
                        monoio::time::sleep(script.gap).await;
                    }
                    send(&mut stream, parts.delta.clone()).await?;
                }
                send(&mut stream, parts.last.clone()).await?;
            } else {
                send(&mut stream, script.whole[wire].clone()).await?;
            }
        }
        let (read, back) = stream.read(buf).await;
        buf = back;
        if read? == 0 {
            return Ok(());
        }
        pending.extend_from_slice(&buf);
        buf.clear();
    }
}

async fn send(stream: &mut TcpStream, bytes: Vec<u8>) -> std::io::Result<()> {
    stream.write_all(bytes).await.0.map(|_| ())
}

fn script(args: &Args) -> Script {
    let text = "x".repeat(args.text_bytes);
    let openai = format!(
        "{{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":1,\
         \"model\":\"mock\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
         \"content\":\"{text}\",\"refusal\":null}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":30}}}}"
    );
    let anthropic = format!(
        "{{\"id\":\"msg_mock\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock\",\
         \"content\":[{{\"type\":\"text\",\"text\":\"{text}\"}}],\"stop_reason\":\"end_turn\",\
         \"stop_sequence\":null,\"usage\":{{\"input_tokens\":10,\"output_tokens\":20}}}}"
    );
    Script {
        gap: Duration::from_millis(args.gap_ms),
        deltas: args.deltas,
        whole: [whole(&openai), whole(&anthropic)],
        streams: [openai_stream(), anthropic_stream()],
    }
}

fn whole(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                           transfer-encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn openai_stream() -> Stream {
    let event = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\
             \"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\
             \"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\
             \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{finish}}}],\"usage\":null,\"obfuscation\":\"abcdefgh\"}}\n\n"
        )
    };
    let role = event(
        "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}",
        "null",
    );
    let usage = "data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\
                 \"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[],\
                 \"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":30}}\n\n";
    let last = event("{}", "\"stop\"");
    Stream {
        first: format!("{STREAM_HEAD}{}", chunk(&role)).into_bytes(),
        delta: chunk(&event("{\"content\":\" token\"}", "null")).into_bytes(),
        last: format!(
            "{}{}{}0\r\n\r\n",
            chunk(&last),
            chunk(usage),
            chunk("data: [DONE]\n\n")
        )
        .into_bytes(),
    }
}

fn anthropic_stream() -> Stream {
    let event = |name: &str, data: &str| format!("event: {name}\ndata: {data}\n\n");
    let start = event(
        "message_start",
        "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_mock\",\"type\":\"message\",\
         \"role\":\"assistant\",\"model\":\"claude-mock\",\"content\":[],\"stop_reason\":null,\
         \"stop_sequence\":null,\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}",
    ) + &event(
        "content_block_start",
        "{\"type\":\"content_block_start\",\"index\":0,\
         \"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
    );
    let delta = event(
        "content_block_delta",
        "{\"type\":\"content_block_delta\",\"index\":0,\
         \"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}}",
    );
    let end = event(
        "content_block_stop",
        "{\"type\":\"content_block_stop\",\"index\":0}",
    ) + &event(
        "message_delta",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\
             \"stop_sequence\":null},\"usage\":{\"output_tokens\":20}}",
    ) + &event("message_stop", "{\"type\":\"message_stop\"}");
    Stream {
        first: format!("{STREAM_HEAD}{}", chunk(&start)).into_bytes(),
        delta: chunk(&delta).into_bytes(),
        last: format!("{}0\r\n\r\n", chunk(&end)).into_bytes(),
    }
}
