//! A checkout in miniature, with a registry of its own in a folder: nothing is downloaded, and nothing of this machine shows.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest as _, Sha256};

/// What every checkout here allows, unless it is told otherwise.
pub(crate) const POLICY: &str = r#"
[licences]
allow = ["MIT", "Apache-2.0"]
[sandbox]
crate = "wasmtime"
long-term-every = 12
supported-until = "2028-08-20"
features = []
"#;

/// The day on which everything here happens.
pub(crate) const TODAY: &str = "2026-11-27";

pub(crate) struct Checkout {
    folder: tempfile::TempDir,
}

impl Checkout {
    /// A workspace of one crate of ours, `own`, with these lines below `[dependencies]`.
    pub(crate) fn new(dependencies: &str) -> Self {
        let checkout = Self { folder: tempfile::tempdir().unwrap() };
        let registry = checkout.folder.path().join("registry");
        std::fs::create_dir_all(&registry).unwrap();
        checkout.write("../home/.keep", "");
        checkout.write("supply.toml", POLICY);
        checkout.write(
            ".cargo/config.toml",
            &format!(
                "[source.crates-io]\nreplace-with = \"folder\"\n[source.folder]\ndirectory = '{}'\n",
                registry.display()
            ),
        );
        checkout.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\nexclude = [\"lab\"]\n",
        );
        checkout.own("crates/own", "own", dependencies);
        checkout
    }

    /// A file of the checkout.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("checkout").join(path)
    }

    /// A crate in a folder.
    pub(crate) fn own(&self, folder: &str, name: &str, dependencies: &str) {
        self.package(&self.path(folder), name, "0.1.0", Some("MIT"), dependencies);
    }

    /// A package of the registry; `more` are further lines of its manifest.
    pub(crate) fn registry(&self, name: &str, version: &str, licence: Option<&str>, more: &str) {
        let folder = self.folder.path().join(format!("registry/{name}-{version}"));
        self.package(&folder, name, version, licence, more);
        let checksum = serde_json::json!({ "files": {}, "package": checksum(name, version) });
        std::fs::write(folder.join(".cargo-checksum.json"), checksum.to_string()).unwrap();
    }

    fn package(&self, folder: &Path, name: &str, version: &str, licence: Option<&str>, more: &str) {
        let licence = licence.map(|licence| format!("license = \"{licence}\"\n")).unwrap_or_default();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2024\"\n{licence}\n[dependencies]\n{more}"
        );
        std::fs::create_dir_all(folder.join("src")).unwrap();
        std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        std::fs::write(folder.join("src/lib.rs"), "").unwrap();
    }

    /// An advisory of the copy in the checkout's folder `advisories`; `head` are lines of its first table, `patched` what its
    /// second one says.
    pub(crate) fn advisory(&self, id: &str, package: &str, head: &str, patched: &str) {
        let text = format!(
            "```toml\n[advisory]\nid = \"{id}\"\npackage = \"{package}\"\ndate = \"2026-11-20\"\n{head}\n\
             [versions]\npatched = {patched}\n```\n\n# {package} does what it should not\n\nText.\n"
        );
        self.write(&format!("advisories/crates/{package}/{id}.md"), &text);
    }

    /// Has cargo write the lock file of a folder.
    pub(crate) fn lock(&self, folder: &str) {
        let done =
            self.cargo().arg("generate-lockfile").arg("--offline").current_dir(self.path(folder)).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The lock file with one text in place of another.
    pub(crate) fn change_lock(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("Cargo.lock")).unwrap();
        assert!(text.contains(from), "no {from} in\n{text}");
        self.write("Cargo.lock", &text.replace(from, to));
    }

    fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.env("CARGO_HOME", self.path("../home"));
        command
    }

    /// `cargo xtask supply`, as of [`TODAY`].
    pub(crate) fn supply(&self, arguments: &[&str]) -> Answer {
        self.run(&[&["--today", TODAY], arguments].concat())
    }

    /// `cargo xtask supply` with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("supply")
            .args(arguments)
            .current_dir(self.path(""))
            .env("CARGO_HOME", self.path("../home"))
            .env("CARGO_MANIFEST_DIR", self.path("crates/xtask"))
            .env_remove("FLAGSTONE_ADVISORIES")
            .output()
            .unwrap();
        Answer { output }
    }
}

/// A checksum that nothing is compared with, since the files are listed nowhere.
pub(crate) fn checksum(name: &str, version: &str) -> String {
    Sha256::digest(format!("{name} {version}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the command said.
pub(crate) struct Answer {
    output: Output,
}

impl Answer {
    /// Standard output.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    /// Exit code, standard output and standard error.
    pub(crate) fn whole(&self) -> String {
        let error = String::from_utf8_lossy(&self.output.stderr);
        format!("exit {}\n{}{error}", self.output.status.code().unwrap(), self.text())
    }

    /// It passed.
    #[track_caller]
    pub(crate) fn passed(&self) -> &Self {
        assert!(self.output.status.success(), "{}", self.whole());
        self
    }

    /// It failed, and its only failure has all these words.
    #[track_caller]
    pub(crate) fn wrong(&self, words: &[&str]) {
        assert_eq!(self.output.status.code(), Some(1), "{}", self.whole());
        let text = self.text();
        let wrong: Vec<&str> = text.lines().filter(|line| line.starts_with("WRONG: ")).collect();
        assert_eq!(wrong.len(), 1, "{}", self.whole());
        for word in words {
            assert!(wrong.concat().contains(word), "no {word} in {}", self.whole());
        }
    }

    /// The last line, as an object.
    pub(crate) fn object(&self) -> serde_json::Value {
        serde_json::from_str(self.text().lines().last().unwrap()).unwrap()
    }
}
