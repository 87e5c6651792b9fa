//! An object store: a real S3 server in this process, with signed requests.

use std::path::Path;
use std::time::Duration;

use host_tests::fault::{Fault, Proxy, Rule};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

use super::common::{World, hex, mark, payload};
use super::{State, config, serving, start, state, wait_until};

/// Serves the folders of a folder as buckets, to whoever signs with this key.
async fn serve(buckets: &Path) -> std::net::SocketAddr {
    let mut builder = S3ServiceBuilder::new(FileSystem::new(buckets).unwrap());
    builder.set_auth(SimpleAuth::from_single("access", "secret"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(client), service.clone()));
        }
    });
    address
}

/// Lays out a release as an upload to a bucket would.
fn put(prefix: &Path, world: &World, number: u64, file: &[u8]) {
    std::fs::create_dir_all(prefix.join("snapshots")).unwrap();
    let named = mark(file);
    std::fs::write(prefix.join("snapshots").join(hex(&named.digest)), file).unwrap();
    // As an object store does: whole or not at all.
    std::fs::write(prefix.join("pulse.part"), world.pulse(number, named, &[], &[])).unwrap();
    std::fs::rename(prefix.join("pulse.part"), prefix.join("pulse")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_a_source() {
    let (world, buckets, folder) = (World::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let prefix = buckets.path().join("flags/acme/production");
    put(&prefix, &world, 1, &world.snapshot(1, &payload("one")));
    std::fs::write(prefix.join("trust"), world.trust()).unwrap();
    let proxy = Proxy::start(serve(buckets.path()).await).unwrap();
    let settings = |secret: &str| {
        let mut settings = config("s3://flags/acme/production", &world, folder.path());
        let options = [
            ("endpoint", proxy.url().as_str()),
            ("region", "us-east-1"),
            ("access_key_id", "access"),
            ("secret_access_key", secret),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        settings.store_options = options.into();
        settings
    };
    let host = start(settings("secret")).await;
    assert_eq!(
        (serving(&host), state(&host)),
        (Some(1), State::Fresh),
        "{:?}",
        host.status().sync.last_error
    );
    let looks = host.status().sync.attempts;
    wait_until("more looks", || host.status().sync.attempts > looks + 3).await;
    assert_eq!(proxy.count("/snapshots/"), 1, "nothing new, nothing fetched");
    put(&prefix, &world, 2, &world.snapshot(2, &payload("two")));
    wait_until("the second", || serving(&host) == Some(2)).await;
    // A fault on the way.
    proxy.add(Rule::new("/pulse", Fault::Status(503, None)));
    put(&prefix, &world, 3, &world.snapshot(3, &payload("three")));
    wait_until("failures", || host.status().sync.failures >= 2).await;
    assert_eq!((serving(&host), state(&host)), (Some(2), State::Fresh));
    proxy.clear();
    wait_until("the third", || serving(&host) == Some(3)).await;
    host.shutdown(Duration::from_millis(100)).await;
    drop(host);
    // Signed with another secret: the store says no, and what the disk kept is served.
    let host = start(settings("guess")).await;
    wait_until("refused", || host.status().sync.failures >= 1).await;
    let error = host.status().sync.last_error.unwrap();
    assert!(error.contains("SignatureDoesNotMatch") || error.contains("403"), "{error}");
    assert_eq!(serving(&host), Some(3));
    host.shutdown(Duration::from_millis(100)).await;
}
