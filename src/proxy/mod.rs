//! The life of one exchange: from the client's first byte to the answer's last.
//!
//! `connection` is the keep-alive loop, `exchange` the flow of one request, with a stage each in
//! `ingress` (request in), `prepare` (bytes for a target), `upstream` (one attempt), `answer` and
//! `relay` (answer out), `reply` (answers of our own). `failure` holds the one table from what
//! went wrong to what follows.

pub mod admission;
pub mod admitted;
pub mod answer;
pub mod answer_head;
pub mod auth;
pub mod body_label;
pub mod body_mode;
pub mod budget;
pub mod candidates;
pub mod catalogue;
pub mod chat;
pub mod choice;
pub mod client;
pub mod connection;
pub mod content;
pub mod cors;
pub mod custody;
pub mod dates;
pub mod drain;
pub mod early;
pub mod early_end;
pub mod endpoint;
pub mod escaped;
pub mod exchange;
pub mod expected;
pub mod failure;
pub mod health;
pub mod ids;
pub mod inbound;
pub mod ingress;
pub mod ledger;
pub mod limited;
pub mod local;
pub mod metered;
pub mod missed;
pub mod outbound;
pub mod own_limits;
pub mod patience;
pub mod policy;
pub mod prepare;
pub mod relay;
pub mod relay_gate;
pub mod relay_target;
pub mod relayed;
pub mod reply;
pub mod retries;
pub mod scrub;
pub mod seats;
pub mod standing;
pub mod upload;
pub mod upstream;
pub mod upstream_head;
pub mod usage_api;
pub mod usage_record;
pub mod wishes;
pub mod worker;
