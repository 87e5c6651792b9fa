//! Addresses, files and objects as sources.

use super::*;

const LARGE: u64 = 1 << 20;

fn at(address: &str) -> Result<Arc<dyn Source>, HostError> {
    source(address, "production", &Access::default())
}

#[test]
fn addresses_that_are_no_source_are_refused_with_a_hint() {
    for wrong in ["ftp://flags.example", "gs://bucket", "nonsense://"] {
        assert!(at(wrong).unwrap_err().to_string().contains("hint: `https://host`"), "{wrong}");
    }
    assert_eq!(
        at("https://flags.example/").unwrap().events().unwrap(),
        "https://flags.example/v1/environments/production/events"
    );
    assert_eq!(at("file:/nowhere").unwrap().events(), None);
    let access = Access { root_certificates: Some(b"nonsense".to_vec()), ..Access::default() };
    assert!(source("https://x", "e", &access).unwrap_err().to_string().contains("hint: PEM"));
}

#[tokio::test]
async fn a_file_is_read_as_far_as_its_cap_and_tagged_by_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let source = at(&format!("file:{}", folder.path().display())).unwrap();
    assert_eq!(source.fetch(Item::Pulse, None, LARGE).await, Ok(Fetched::Missing));
    std::fs::write(folder.path().join("pulse"), b"12345").unwrap();
    std::fs::write(folder.path().join("trust"), b"newest").unwrap();
    std::fs::write(folder.path().join("trust.2"), b"second").unwrap();
    let Fetched::Body(bytes, Some(tag)) = source.fetch(Item::Pulse, None, 5).await.unwrap() else { panic!() };
    assert_eq!(bytes, b"12345");
    assert_eq!(source.fetch(Item::Pulse, Some(&tag), 5).await, Ok(Fetched::NotModified));
    assert!(source.fetch(Item::Pulse, None, 4).await.unwrap_err().message.contains("longer than 4 bytes"));
    let second = source.fetch(Item::TrustVersion(2), None, LARGE).await.unwrap();
    assert!(matches!(second, Fetched::Body(bytes, _) if bytes == b"second"));
}

#[cfg(feature = "object-store")]
mod objects {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    #[tokio::test]
    async fn objects_are_tagged_capped_and_missed_like_files() {
        let store = Arc::new(InMemory::new());
        let objects = object::Objects::new(
            Arc::<InMemory>::clone(&store),
            Path::from("flags/production"),
            limits::REQUEST_TIME,
            Default::default(),
        );
        assert_eq!(objects.fetch(Item::Pulse, None, LARGE).await, Ok(Fetched::Missing));
        store.put(&Path::from("flags/production/pulse"), "12345".into()).await.unwrap();
        let Fetched::Body(bytes, Some(tag)) = objects.fetch(Item::Pulse, None, 5).await.unwrap() else {
            panic!()
        };
        assert_eq!(bytes, b"12345");
        assert_eq!(objects.fetch(Item::Pulse, Some(&tag), 5).await, Ok(Fetched::NotModified));
        store.put(&Path::from("flags/production/pulse"), "123456".into()).await.unwrap();
        let longer = objects.fetch(Item::Pulse, Some(&tag), 5).await.unwrap_err();
        assert!(longer.message.contains("longer than 5 bytes"), "{longer}");
    }

    #[test]
    fn settings_of_a_store_are_checked_at_the_start() {
        let options = |name: &str| Access {
            store_options: [(name.to_owned(), "x".to_owned())].into(),
            ..Access::default()
        };
        assert!(source("s3://bucket/flags", "production", &options("region")).is_ok());
        let wrong = source("s3://bucket/flags", "production", &options("colour")).unwrap_err().to_string();
        assert!(wrong.contains("`colour` is no option"), "{wrong}");
        assert!(at("s3://").unwrap_err().to_string().contains("no bucket"));
    }
}
