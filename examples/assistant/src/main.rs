//! A question-answering service rolled out by Flagstone.
use assistant::{service, model::Model, prompt::Behaviour, traffic::Surface, trial};
fn main() -> anyhow::Result<()> {
    let parts = service::Parts::load()?;
    let model = Model::train(&parts.passages);
    println!("{} passages, {} words, {} histories", parts.passages.len(), model.vocabulary_size(), model.histories());
    let args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.iter().any(|a| a == "-v");
    for a in args.iter().filter(|a| *a != "-v") {
        let p: Vec<&str> = a.split(',').collect();
        let b = Behaviour { model: "m".into(), prompt_template: p[0].into(), order: p[1].parse()?, temperature: p[2].parse()?, retrieval_depth: p[3].parse()?, max_tokens: 60 };
        let t = trial::run(&parts, &model, &b, if p[0].starts_with("a") { Surface::Chat } else { Surface::Email }, 3000, 1)?;
        let f = |t: &trial::Tally| format!("uns {:4.1} miss {:4.1} ref {:4.1}", t.percent(t.unsupported), t.percent(t.missing), t.percent(t.refused));
        println!("{a}: {} {}us", f(&t.all), t.mean_microseconds);
        for (s, y) in &t.slices { println!("    {s:24} {}", f(y)); }
        if verbose { for (q, w) in &t.samples { println!("  Q {q}\n  A {w}"); } }
    }
    Ok(())
}
