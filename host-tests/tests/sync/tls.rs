//! `https`: a server with a certificate made here, one that nobody vouches for, and one that is over.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flagstone_host::Report;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::common::{payload, publish};
use super::{State, config, plane, serving, start, state, wait_until};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Acme's own");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a certificate for 127.0.0.1 is worth.
#[derive(Clone, Copy)]
enum Worth {
    /// The authority vouches for it.
    Good,
    /// The authority vouched for it, years ago.
    Over,
    /// It vouches for itself.
    SelfSigned,
}

fn shown(authority: &Authority, worth: Worth) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    if let Worth::Over = worth {
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    }
    let certificate = match worth {
        Worth::SelfSigned => params.self_signed(&key),
        Worth::Good | Worth::Over => params.signed_by(&key, &**authority),
    };
    let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
    let settings = ServerConfig::builder().with_no_client_auth();
    let chain = vec![certificate.unwrap().der().clone()];
    TlsAcceptor::from(Arc::new(settings.with_single_cert(chain, secret.into()).unwrap()))
}

/// Ends TLS before a server. Showing another certificate closes the connections of the one before.
struct Terminator {
    url: String,
    shows: Arc<Mutex<(TlsAcceptor, JoinSet<()>)>>,
}

impl Terminator {
    async fn start(upstream: SocketAddr, first: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let shows = Arc::new(Mutex::new((first, JoinSet::new())));
        let current = Arc::clone(&shows);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut current = current.lock().unwrap();
                let acceptor = current.0.clone();
                current.1.spawn(async move {
                    // A client that does not like the certificate goes away; that is what is tested.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut server = TcpStream::connect(upstream).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { url, shows }
    }

    fn show(&self, acceptor: TlsAcceptor) {
        *self.shows.lock().unwrap() = (acceptor, JoinSet::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_and_a_bad_one_changes_nothing() {
    let (plane, world, upstream) = plane().await;
    let ours = authority();
    let terminator = Terminator::start(upstream, shown(&ours, Worth::Good)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config(&terminator.url, &world, folder.path());
    settings.root_certificates = Some(ours.pem().into_bytes());
    settings.report = Report::Source;
    settings.linger = Duration::from_millis(5);
    let host = start(settings).await;
    assert_eq!((serving(&host), state(&host)), (Some(1), State::Fresh));
    for (sequence, bad, expected) in [(1, Worth::SelfSigned, "UnknownIssuer"), (2, Worth::Over, "expired")] {
        terminator.show(shown(&ours, bad));
        publish(&plane, &world, sequence + 1, &world.snapshot(sequence + 1, &payload(expected)), &[], &[]);
        let said = || host.status().sync.last_error.is_some_and(|error| error.contains(expected));
        wait_until(expected, || host.status().sync.failures >= 2 && said()).await;
        assert_eq!((serving(&host), state(&host)), (Some(sequence), State::Fresh), "{expected}");
        terminator.show(shown(&ours, Worth::Good));
        wait_until("good again", || serving(&host) == Some(sequence + 1) && host.status().sync.failures == 0)
            .await;
    }
    // Reports go the same way.
    let report =
        flagstone_host::OutcomeReport { name: "answer".into(), request: "r".into(), ..Default::default() };
    host.outcome("ana", report);
    wait_until("reported", || host.status().events.delivered == 1).await;
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_counts_only_when_it_is_named() {
    let (_plane, world, upstream) = plane().await;
    let ours = authority();
    let terminator = Terminator::start(upstream, shown(&ours, Worth::Good)).await;
    let folder = tempfile::tempdir().unwrap();
    let host = start(config(&terminator.url, &world, folder.path())).await;
    wait_until("refused", || host.status().sync.failures >= 2).await;
    assert!(host.status().sync.last_error.unwrap().contains("UnknownIssuer"));
    assert_eq!(state(&host), State::Empty);
    host.shutdown(Duration::from_millis(100)).await;
}
