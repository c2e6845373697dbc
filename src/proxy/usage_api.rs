//! What clients ask about their own usage: one record by its id.
//!
//! Foreign and absent records look alike, in time too: see `server::ledger`.

use crate::chat::error::ErrorKind;
use crate::govern::record::id_of;
use crate::limits::USAGE_ANSWER_TIMEOUT;
use crate::net::timer;
use crate::proxy::client::Client;
use crate::proxy::inbound::Inbound;
use crate::proxy::ledger::Owner;
use crate::proxy::relay::Next;
use crate::proxy::reply::{self, Refused, Voice};
use crate::proxy::worker::Worker;
use crate::telemetry::exchange::Exchange;

/// `GET /api/usage/custody/{request_id}`: the whole record of one exchange.
pub async fn custody(
    client: &mut Client<'_>,
    worker: &Worker,
    inbound: &Inbound,
    id: &[u8],
    voice: &Voice<'_>,
    exchange: &mut Exchange,
) -> Next {
    let owner = Owner::Tenant(inbound.key.as_ref().map(|key| key.tenant.name.clone()));
    let asked = match id_of(id) {
        Some(id) => worker.ask_record(id, owner),
        None => return reply::refuse(client, exchange, voice, &ABSENT).await,
    };
    let Some(answer) = asked else {
        return reply::refuse(client, exchange, voice, &BUSY).await;
    };
    let waited = u64::try_from(USAGE_ANSWER_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
    match timer::within(waited, answer).await {
        Some(Ok(Some(record))) => {
            reply::send(client, exchange, voice, (200, reply::JSON, b""), &record).await
        }
        Some(Ok(None)) => reply::refuse(client, exchange, voice, &ABSENT).await,
        Some(Err(_)) | None => reply::refuse(client, exchange, voice, &BUSY).await,
    }
}

const ABSENT: Refused<'static> = Refused::new(
    ErrorKind::NotFound,
    "no record with this id; it is the request id that the head of an answer tells",
    "no_record",
);
const BUSY: Refused<'static> = Refused::new(
    ErrorKind::Overloaded,
    "usage records cannot be looked up now; ask again",
    "ledger_busy",
)
.fields(b"retry-after: 1\r\n");
