//! The dashboard in a real browser: it shows what the governor says, follows it without a reload, and stops a rollout.

#[path = "common/browser.rs"]
mod browser;
mod common;

use browser::Browser;
use common::{Release, Traffic, World, planned, set};
use flagstone_govern::Govern;

const FLAGS: [(&str, &str); 3] =
    [("answer-behaviour", "answer"), ("email-drafts", "draft"), ("search-summaries", "summary")];

fn definition() -> String {
    let flags: Vec<_> =
        FLAGS.iter().map(|(key, event)| planned(key, event, "20%", &format!("{event}@15"))).collect();
    let slices = "
      slices:
        - { metric: answer-wrong, by: language, role: deterioration, share: 20% }
        - { metric: answer-slow, by: language }
      fairness: { by: language, disparity: 0.8 }
      guardrails:";
    let watched = set(&flags).replacen("\n      guardrails:", slices, 1);
    let watched = watched.replacen("share: 60%", "share: 40%", 1);
    watched.replace("metrics:\n", "slices: { language: [en, de, fr, it] }\nmetrics:\n")
}

/// Three rollouts: one that is better, by language as well, one that is worse, one with little traffic.
async fn rollouts(world: &World) -> (Govern, Release, Vec<Traffic>) {
    let govern = world.start().await;
    let release = world.release(1, &definition());
    world.publish(&govern, &release).await;
    let rates = [(1_800, 700), (900, 4_200), (1_000, 1_000)];
    let mut traffic = Vec::new();
    for ((flag, event), (today, concise)) in FLAGS.into_iter().zip(rates) {
        world.order(&govern, flag, "start").await;
        let mut one = Traffic::of(flag, event, &format!("edge-{event}"), today, concise);
        one.languages = &["en", "en", "en", "en", "en", "de", "de", "fr", "fr", "it", "da"];
        traffic.push(one);
    }
    for round in 0..10 {
        for (one, units) in traffic.iter_mut().zip([2_000, 1_000, 300]) {
            one.round(world, &govern, &release, round * units..(round + 1) * units).await;
        }
    }
    (govern, release, traffic)
}

#[tokio::test]
async fn the_page_shows_follows_and_stops() {
    let Some(browser) = Browser::open().await else {
        println!("skipped: no chromedriver on this machine (Debian: chromium-driver)");
        return;
    };
    let world = World::new();
    let (govern, release, mut traffic) = rollouts(&world).await;
    browser.look(1280, "light").await;
    browser.go(&govern.dashboard()).await;
    browser.until("document.querySelectorAll('article.flag').length === 3").await;
    browser.run("window.loadedOnce = true").await;
    browser.shot("1280-light").await;

    let text = |selector: &str| {
        format!("return document.querySelector('[data-key=\"{selector}\"] .sentence').innerText")
    };
    for flag in world.status(&govern).await["flags"].as_array().expect("flags") {
        let shown = browser.run(&text(flag["flag"].as_str().expect("a key"))).await;
        let shown = shown.as_str().expect("text").replace('\u{a0}', " ");
        assert_eq!(shown, flag["sentence"].as_str().expect("text").replace('`', ""), "names are set apart");
    }
    browser
        .until(
            "document.querySelector('[data-key=\"email-drafts\"] .badge').innerText.includes('taken back')",
        )
        .await;
    browser.until("!document.querySelector('[data-key=\"email-drafts\"] button[data-ask]')").await;

    // Parts of the population: a matrix for the flag whose plan watches them, and none for the others.
    browser.until("document.querySelectorAll('.matrix').length === 1").await;
    let matrix = browser
        .run("return document.querySelector('[data-key=\"answer-behaviour\"] .matrix').innerText")
        .await;
    let matrix = matrix.as_str().expect("text");
    for word in ["language", "en", "(other)", "answer-wrong", "unable to assess", "split between the arms"] {
        assert!(matrix.contains(word), "no `{word}` in {matrix}");
    }

    // New events change the page by themselves.
    let count = "document.querySelector('[data-key=\"search-summaries\"] .arm.treatment .count').innerText";
    let before = browser.run(&format!("return {count}")).await;
    if let Some(one) = traffic.last_mut() {
        one.round(&world, &govern, &release, 90_000..92_000).await;
    }
    browser.until(&format!("{count} !== {before}")).await;

    // Halting: two fields, one click, and the governor has published it.
    browser
        .run("document.querySelector('[data-key=\"answer-behaviour\"] button[data-ask=halt]').click()")
        .await;
    browser.until("document.querySelector('#order').open").await;
    browser.shot("1280-halt").await;
    browser
        .run(
            "document.querySelector('#order-by').value = 'ana';
             document.querySelector('#order-reason').value = 'support sees <b>odd</b> answers';
             document.querySelector('#order-go').click()",
        )
        .await;
    browser.until("!document.querySelector('#order').open").await;
    let sentence = "document.querySelector('[data-key=\"answer-behaviour\"] .sentence').innerText";
    browser.until(&format!("{sentence} === 'Halted by ana: support sees <b>odd</b> answers.'")).await;
    assert!(world.pulse(&govern).await.halts.contains(&"answer-behaviour".to_owned()));
    assert_eq!(browser.run("return window.loadedOnce").await, true, "it was never reloaded");

    for (width, scheme) in [(1280, "dark"), (390, "light"), (390, "dark")] {
        browser.look(width, scheme).await;
        browser.until(&format!("innerWidth === {width}")).await;
        let wide = browser.run("return document.documentElement.scrollWidth").await;
        assert_eq!(wide, width, "no sideways scrolling at {width}");
        browser.shot(&format!("{width}-{scheme}")).await;
    }
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");

    // A governor that is gone is said to be gone.
    govern.shutdown().await;
    browser.until("!document.querySelector('#offline').hidden").await;
}

/// Status, type and policy of a path, and what it says.
#[allow(clippy::expect_used, reason = "a test that cannot go on stops")]
async fn fetched(world: &World, govern: &Govern, path: &str) -> (u16, String, String, String) {
    let answer = world.client.get(format!("{}{path}", govern.dashboard())).send().await.expect("an answer");
    let head = |name: &str| {
        answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (status, kind, policy) =
        (answer.status().as_u16(), head("content-type"), head("content-security-policy"));
    (status, kind, policy, answer.text().await.expect("text"))
}

#[tokio::test]
async fn the_playground_is_there_when_its_folder_is() {
    const LINK: &str = "href=\"/playground/\"";
    let world = World::new();
    let govern = world.start().await;
    assert_eq!(fetched(&world, &govern, "playground/").await.0, 404);
    let (status, _, policy, page) = fetched(&world, &govern, "").await;
    assert_eq!((status, page.contains(LINK), page.contains("{playground}")), (200, false, false));
    assert!(!policy.contains("wasm"), "{policy}");
    assert_eq!(govern.playground(), None);
    govern.shutdown().await;

    let folder = tempfile::tempdir().expect("a folder");
    let with_folder = || {
        let mut config = world.config();
        config.playground = Some(folder.path().to_owned());
        Govern::start(config)
    };
    let refused = with_folder().await.err().expect("refused: there is no page").to_string();
    assert!(refused.contains("there is no `index.html` in it") && refused.contains("hint: "), "{refused}");

    std::fs::write(folder.path().join("index.html"), "<p>play <!-- dashboard -->").expect("written");
    std::fs::write(folder.path().join("engine.wasm"), "\0asm").expect("written");
    std::fs::write(folder.path().join("release.key"), "secret").expect("written");
    let govern = with_folder().await.expect("a governor");
    assert!(fetched(&world, &govern, "").await.3.contains(LINK));
    let (status, kind, policy, page) = fetched(&world, &govern, "playground").await; // and on to its folder
    assert_eq!(
        (status, kind.as_str(), page.as_str()),
        (200, "text/html; charset=utf-8", "<p>play <a href=\"/\">Dashboard</a>")
    );
    assert!(policy.contains("'wasm-unsafe-eval'") && policy.contains("default-src 'none'"), "{policy}");
    let (status, kind, ..) = fetched(&world, &govern, "playground/engine.wasm").await;
    assert_eq!((status, kind.as_str()), (200, "application/wasm"));
    for other in ["release.key", "none.js", "..%2Frelease.key", "%2Fetc%2Fpasswd"] {
        assert_eq!(fetched(&world, &govern, &format!("playground/{other}")).await.0, 404, "{other}");
    }
    govern.shutdown().await;
}
