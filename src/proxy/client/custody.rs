//! The fields of an answer's head that tell where its request went.
//!
//! Written for every answer behind which a target was asked, an error of ours included: then it is
//! the target that was asked last. A refusal that asked nobody names nobody.

use crate::chat::small_str::SmallStr;
use crate::http1::encode;
use crate::route::plan::custody::CustodyFields;
use crate::telemetry::exchange::ExchangeRecord;
use crate::telemetry::log::id_text;

/// Appends the fields, as far as they are known.
pub fn fields(out: &mut Vec<u8>, custody: &CustodyFields, record: &ExchangeRecord) {
    let trace = record.trace.as_ref().map(SmallStr::as_bytes);
    let Some(asked) = &record.target else {
        if let Some(trace) = trace {
            encode::known_field(out, TRACE_ID, trace);
        }
        return;
    };
    out.extend_from_slice(custody.lines(asked.provider, asked.number));
    if let Some(model) = &record.model_sent {
        let [model_name, litellm_name] = custody.models.each_ref().map(|name| name.as_bytes());
        encode::fields(out, [model_name, litellm_name, MODEL], model.as_bytes());
    }
    encode::field_number(out, RETRIES, u64::from(asked.rank));
    encode::field_number(out, OPTION, asked.option as u64);
    let id = id_text(record.id);
    encode::known_field(out, TRACE_ID, trace.unwrap_or(id.as_bytes()));
}

/// The model that served, as its provider knows it.
const MODEL: &[u8] = b"x-ringway-model";
/// Targets that were asked before.
const RETRIES: &str = "x-ringway-retry-attempt-count";
/// The target's place in its model's list.
const OPTION: &str = "x-ringway-last-used-option-index";
/// The client's own id of the trace, or else ours of the exchange.
const TRACE_ID: &[u8] = b"x-ringway-trace-id";

/// The names of the fields that stand under this name whatever the prefix, as browsers are told
/// them.
pub const EXPOSED: &str = "x-ringway-model, x-ringway-retry-attempt-count, \
                           x-ringway-last-used-option-index, x-ringway-trace-id";
