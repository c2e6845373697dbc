//! Inputs that are recipes: requests, answers and streams that are valid in one wire, then damaged
//! in a few places.

use ringway::wire::kind::Wire;

use crate::cook::Cook;
use crate::{recipe_request, recipe_stream};

/// The first byte of a recipe: none of the bodies and streams that are read can begin with it.
pub const MARK: u8 = 1;

/// Both wires.
pub const WIRES: [Wire; 2] = [Wire::OpenAiChat, Wire::AnthropicMessages];

/// The request body that an input stands for, whatever its wire.
pub fn request(input: &[u8]) -> Vec<u8> {
    any(requests(input))
}

/// The stream that an input stands for, whatever its wire.
pub fn stream(input: &[u8]) -> Vec<u8> {
    any(streams(input))
}

fn any(mut bodies: Vec<(Wire, Vec<u8>)>) -> Vec<u8> {
    let last = bodies.pop();
    last.map(|(_, body)| body).unwrap_or_default()
}

/// The request bodies that an input stands for, and the endpoint's wire: three of four as they were made,
/// which translators take, the others damaged.
pub fn requests(input: &[u8]) -> Vec<(Wire, Vec<u8>)> {
    cook(input, |cook, wire| {
        let body = recipe_request::request(cook, wire);
        match cook.rarely(4) {
            true => cook.damaged(body),
            false => serde_json::to_vec(&body).expect("a value has a form in JSON"),
        }
    })
}

/// The answers that an input stands for, and the provider's wire.
pub fn answers(input: &[u8]) -> Vec<(Wire, Vec<u8>)> {
    cook(input, |cook, wire| {
        let body = recipe_request::answer(cook, wire);
        cook.damaged(body)
    })
}

/// The streams that an input stands for, and the provider's wire.
pub fn streams(input: &[u8]) -> Vec<(Wire, Vec<u8>)> {
    cook(input, recipe_stream::stream)
}

/// Bytes mean themselves, in either wire; a recipe says its wire.
fn cook(input: &[u8], make: impl Fn(&mut Cook<'_>, Wire) -> Vec<u8>) -> Vec<(Wire, Vec<u8>)> {
    match input {
        [MARK, choices @ ..] => {
            let mut cook = Cook::new(choices);
            let wire = cook.one(&WIRES);
            vec![(wire, make(&mut cook, wire))]
        }
        _ => WIRES.map(|wire| (wire, input.to_vec())).to_vec(),
    }
}
