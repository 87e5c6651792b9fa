//! A headless Chromium, driven through chromedriver's HTTP interface (W3C WebDriver).

#![allow(unreachable_pub, reason = "a module of a test")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops")]

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

pub struct Browser {
    driver: Child,
    client: reqwest::Client,
    session: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A driver that is only killed leaves its browser running.
        let _ = self.end_session();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// Asks the driver to close the browser, and waits for its word; without a runtime, since tests may be unwinding.
    fn end_session(&self) -> std::io::Result<()> {
        let (address, path) = self.session.trim_start_matches("http://").split_once('/').unwrap_or_default();
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "DELETE /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }

    /// None when this machine has no chromedriver.
    pub async fn open() -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let client = reqwest::Client::new();
        let mut browser = Self { driver, client, session: format!("http://127.0.0.1:{port}/session") };
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--hide-scrollbars",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": flags}, "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let Ok(response) = browser.client.post(&browser.session).json(&wanted).send().await else {
                continue;
            };
            let body: Value = response.json().await.expect("json");
            let id = body["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {body}"));
            browser.session = format!("{}/{id}", browser.session);
            return Some(browser);
        }
        panic!("chromedriver does not answer");
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let response = self.client.post(url).json(&body).send().await.expect("an answer");
        let mut body: Value = response.json().await.expect("json");
        assert!(body["value"]["error"].is_null(), "{path}: {body}");
        body["value"].take()
    }

    pub async fn go(&self, url: &str) {
        self.post("/url", json!({"url": url})).await;
    }

    /// Runs a function body in the page and returns what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []})).await
    }

    /// Waits until an expression is true in the page.
    pub async fn until(&self, expression: &str) {
        for _ in 0..100 {
            if self.run(&format!("return Boolean({expression})")).await == json!(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let page = self.run("return document.body.innerText").await;
        panic!("never true: {expression}\n{}", page.as_str().unwrap_or_default());
    }

    /// Makes the page so wide, light or dark.
    pub async fn look(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.command("Emulation.setDeviceMetricsOverride", size).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", features).await;
    }

    async fn command(&self, name: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": name, "params": parameters})).await
    }

    /// Keeps a picture of the whole page when FLAGSTONE_SHOTS names a folder.
    pub async fn shot(&self, name: &str) {
        let Ok(folder) = std::env::var("FLAGSTONE_SHOTS") else { return };
        let shot = self.command("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        let data = shot["data"].as_str().expect("a picture");
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), bytes).expect("written");
    }

    /// What the page complained about.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        let severe = log.as_array().into_iter().flatten().filter(|line| line["level"] == "SEVERE");
        severe.map(|line| line["message"].to_string()).collect()
    }
}
