//! One request to the receiver, and what its answer means.

use std::time::Duration;

use flagstone_events::otlp::{Encoding, decode_answer};
use reqwest::header::CONTENT_TYPE;

use crate::limits;
use crate::sync::{plain, retry_after};

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The receiver has it.
    Accepted {
        /// Events that it already had.
        duplicates: u64,
        /// Events that it will never take, though it took the others (OTLP's partial success).
        rejected: u64,
        /// What it said about those.
        problem: String,
    },
    /// Not now: network, time, overload, a server's fault, or a setting that somebody will put right.
    Retry {
        /// What happened.
        problem: String,
        /// What the server asked for.
        after: Option<Duration>,
    },
    /// Never: the batch itself is refused.
    Poison {
        /// What the receiver said.
        problem: String,
    },
}

/// What is posted.
pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    /// The id that the answer must name.
    pub(super) batch: &'a str,
}

/// Posts events.
pub(super) async fn send(client: &reqwest::Client, request: Request<'_>) -> Answer {
    match tokio::time::timeout(limits::REQUEST_TIME, post(client, request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::Retry { problem: plain(&error).message, after: None },
        Err(_) => {
            let seconds = limits::REQUEST_TIME.as_secs();
            Answer::Retry { problem: format!("no whole answer within {seconds} s"), after: None }
        }
    }
}

async fn post(client: &reqwest::Client, request: Request<'_>) -> Result<Answer, reqwest::Error> {
    let is_otlp = request.content_type == Encoding::Protobuf.content_type();
    let mut post = client.post(request.url).header(CONTENT_TYPE, request.content_type).body(request.body);
    if let Some(token) = request.token {
        post = post.bearer_auth(token);
    }
    let mut answer = post.send().await?;
    let status = answer.status().as_u16();
    let after = retry_after(answer.headers());
    // A receiver of OTLP answers in the encoding of the request.
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let spoken = kind.starts_with(request.content_type);
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > limits::REPORT_ANSWER_BYTES {
            break; // long enough to say what it has to say
        }
    }
    let said = || String::from_utf8_lossy(body.get(..body.len().min(300)).unwrap_or_default()).into_owned();
    Ok(match meaning(status) {
        Meaning::Accepted if is_otlp => {
            if !spoken {
                let problem = format!("the receiver answered {status}, but not in OTLP");
                return Ok(Answer::Retry { problem, after });
            }
            let (rejected, problem) = decode_answer(&body);
            Answer::Accepted { duplicates: 0, rejected, problem }
        }
        Meaning::Accepted => {
            let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            // Portals, proxies and strangers answer 200 to anything. Only the batch's own name is a receipt.
            if said.get("batch").and_then(serde_json::Value::as_str) != Some(request.batch) {
                let problem = format!("the receiver answered {status} without naming the batch as `batch`");
                return Ok(Answer::Retry { problem, after });
            }
            let duplicates = said.get("duplicates").and_then(serde_json::Value::as_u64).unwrap_or(0);
            Answer::Accepted { duplicates, rejected: 0, problem: String::new() }
        }
        Meaning::Retry => {
            Answer::Retry { problem: format!("the receiver answered {status}: {}", said()), after }
        }
        Meaning::Poison => Answer::Poison { problem: format!("the receiver answered {status}: {}", said()) },
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Accepted,
    Retry,
    Poison,
}

/// Of the 4xx answers those about the sender, its address or its pace say nothing against the batch.
fn meaning(status: u16) -> Meaning {
    match status {
        200..=299 => Meaning::Accepted,
        401 | 403 | 404 | 405 | 408 | 421 | 423 | 425 | 429 => Meaning::Retry,
        400..=499 => Meaning::Poison,
        _ => Meaning::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_of_the_batch_itself_is_final() {
        for status in [200, 202, 204] {
            assert_eq!(meaning(status), Meaning::Accepted, "{status}");
        }
        for status in [301, 401, 403, 404, 408, 429, 500, 502, 503, 504, 100, 999] {
            assert_eq!(meaning(status), Meaning::Retry, "{status}");
        }
        for status in [400, 409, 413, 415, 422] {
            assert_eq!(meaning(status), Meaning::Poison, "{status}");
        }
    }
}
