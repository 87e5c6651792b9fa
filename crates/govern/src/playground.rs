//! The playground: a page of files that another build makes (`docs/playground.md`), read from a folder at the start and
//! served beneath the dashboard. Without the folder there is neither page nor link.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::http::Shared;
use crate::{GovernError, limits};

/// The page that must be in the folder, and where it says that the dashboard's link goes.
const PAGE: &str = "index.html";
const LINK_PLACE: &str = "<!-- dashboard -->";
const LINK: &str = "<a href=\"/\">Dashboard</a>";

/// As the dashboard's, and WebAssembly: the page asks nothing of any server but for its own files.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is served of the folder, and as what.
const TYPES: [(&str, &str); 4] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("wasm", "application/wasm"),
];

/// The files, by name.
pub(crate) struct Playground(BTreeMap<String, (&'static str, Bytes)>);

impl Playground {
    /// Reads the page's files; others in the folder, and folders in it, are left alone.
    pub(crate) fn read(folder: &Path) -> Result<Self, GovernError> {
        let wrong = |fault: String| GovernError::Setting {
            setting: "playground",
            fault: format!(
                "is `{}`: {fault}\nhint: `cargo xtask build --browser` makes it as target/guest/playground",
                folder.display()
            ),
        };
        let (mut files, mut total) = (BTreeMap::new(), 0);
        for entry in std::fs::read_dir(folder).map_err(|error| wrong(error.to_string()))? {
            let path = entry.map_err(|error| wrong(error.to_string()))?.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let known = TYPES.iter().find(|(known, _)| *known == ending);
            let (Some((_, kind)), Some(name)) = (known, path.file_name().and_then(|name| name.to_str()))
            else {
                continue;
            };
            if !path.is_file() {
                continue;
            }
            let mut bytes = std::fs::read(&path).map_err(|error| wrong(format!("`{name}`: {error}")))?;
            total += bytes.len();
            if total > limits::MAX_PLAYGROUND {
                return Err(wrong(format!("its files have more than {} bytes", limits::MAX_PLAYGROUND)));
            }
            if name == PAGE {
                bytes = String::from_utf8_lossy(&bytes).replace(LINK_PLACE, LINK).into_bytes();
            }
            files.insert(name.to_owned(), (*kind, Bytes::from(bytes)));
        }
        if !files.contains_key(PAGE) {
            return Err(wrong(format!("there is no `{PAGE}` in it")));
        }
        Ok(Self(files))
    }

    /// The page at `/playground/`, and its files beside it.
    pub(crate) fn routes(self) -> Router<Shared> {
        let (playground, files) = (Arc::new(self), "/playground/{file}");
        let page = Arc::clone(&playground);
        Router::new()
            .route("/playground", get(|| async { Redirect::permanent("/playground/") }))
            .route("/playground/", get(move || async move { page.file(PAGE) }))
            .route(
                files,
                get(move |extract::Path(name): extract::Path<String>| async move { playground.file(&name) }),
            )
    }

    fn file(&self, name: &str) -> Response {
        let Some((kind, bytes)) = self.0.get(name) else { return StatusCode::NOT_FOUND.into_response() };
        let head = [
            (header::CONTENT_TYPE, *kind),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        (head, bytes.clone()).into_response()
    }
}
