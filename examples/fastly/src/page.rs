//! The page: its flag decided here, and a token with which it says that it was seen.

use fastly::http::StatusCode;
use fastly::{Request, Response};
use flagstone::Unit;
use serde_json::{Value, json};

use crate::{Edge, doors, random, report};

const PAGE: &str = include_str!("page.html");
const YEAR: u64 = 31_536_000;

/// Answers `GET /`.
pub fn answer(request: &Request, edge: &Edge, now_ms: u64) -> Response {
    let known = request.get_header_str("cookie").and_then(unit_of);
    let Some(unit) = known.map(str::to_owned).or_else(|| random().ok()) else {
        return Response::from_status(StatusCode::SERVICE_UNAVAILABLE);
    };
    let told = decision(edge, &json!({"targetingKey": unit}), now_ms).to_string().replace('<', "\\u003c");
    let page = Response::from_body(PAGE.replace("{}", &told))
        .with_header("content-type", "text/html; charset=utf-8")
        .with_header("cache-control", "no-store");
    match known {
        Some(_) => page,
        None => page.with_header(
            "set-cookie",
            format!("unit={unit}; Path=/; HttpOnly; SameSite=Lax; Max-Age={YEAR}"),
        ),
    }
}

/// What the page is told of its flag.
fn decision(edge: &Edge, context: &Value, now_ms: u64) -> Value {
    let flag = &edge.settings.flag;
    let Some(of) = edge.keep.flags().and_then(flagstone::Flags::in_force) else {
        return json!({"flag": flag, "value": null, "variant": null, "reason": "ERROR", "token": null});
    };
    let decided = of.decide_key(&mut Unit::json(context.to_string()), flag, now_ms / 1_000);
    let exposure = report::exposure(&of, context, &decided, &edge.settings.pepper, now_ms);
    json!({
        "flag": flag, "value": doors::value(&of, &decided), "variant": of.variant(&decided),
        "reason": decided.reason.as_str(), "token": exposure.and_then(|exposure| doors::seal(edge, &exposure)),
    })
}

/// The unit in a cookie: 32 hexadecimal digits that were drawn here.
fn unit_of(cookie: &str) -> Option<&str> {
    let unit = cookie.split("; ").find_map(|one| one.strip_prefix("unit="))?;
    (unit.len() == 32 && unit.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))).then_some(unit)
}
