//! Shows what an input of a fuzz target stands for: `cargo run --example recipe -- request FILE`.

use std::io::Write as _;

use ringway_properties::recipe;

fn main() {
    let mut args = std::env::args().skip(1);
    let (kind, path) = (args.next(), args.next());
    let input = std::fs::read(path.expect("usage: recipe request|answer|stream FILE"));
    let input = input.expect("the file can be read");
    let bodies = match kind.as_deref() {
        Some("request") => recipe::requests(&input),
        Some("answer") => recipe::answers(&input),
        _ => recipe::streams(&input),
    };
    for (wire, body) in bodies {
        println!("{wire:?}:");
        let mut out = std::io::stdout();
        out.write_all(&body).expect("the output can be written");
        println!();
    }
}
