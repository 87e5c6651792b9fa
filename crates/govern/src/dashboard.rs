//! The dashboard: one page, its style and its scripts, built into the program. They load nothing from anywhere else.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::http::Shared;

const PAGE: &str = include_str!("../assets/dashboard.html");
const STYLE: &str = include_str!("../assets/dashboard.css");
const SCRIPTS: [(&str, &str); 7] = [
    ("/dashboard.js", include_str!("../assets/dashboard.js")),
    ("/flag.js", include_str!("../assets/flag.js")),
    ("/charts.js", include_str!("../assets/charts.js")),
    ("/slices.js", include_str!("../assets/slices.js")),
    ("/ledger.js", include_str!("../assets/ledger.js")),
    ("/words.js", include_str!("../assets/words.js")),
    ("/dom.js", include_str!("../assets/dom.js")),
];

/// The link, where there is one.
const PLAYGROUND: &str = "<a class=\"small\" href=\"/playground/\">Playground</a>";

/// The page and its files.
pub(crate) fn routes() -> Router<Shared> {
    let page = Router::new()
        .route("/", get(page))
        .route("/dashboard.css", get(|| async { file("text/css; charset=utf-8", STYLE) }));
    SCRIPTS.into_iter().fold(page, |routes, (path, text)| {
        routes.route(path, get(move || async move { file("text/javascript; charset=utf-8", text) }))
    })
}

/// The page, told which environment it shows and whether there is a playground.
async fn page(axum::extract::State(shared): axum::extract::State<Shared>) -> Response {
    let config = &shared.governor.config;
    let page = PAGE.replace("{playground}", if config.playground.is_some() { PLAYGROUND } else { "" });
    let page = page.replace("{environment}", &escape(&config.environment));
    file("text/html; charset=utf-8", page)
}

/// No script, style or connection but our own: a flag's words cannot become code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(content_type: &'static str, body: impl IntoResponse) -> Response {
    let head = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (head, body).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
