//! The `assistant` command: the service's parts by themselves, and the demonstration.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use assistant::client::{Client, Endpoint};
use assistant::demo::{self, edition::DEFINITION, operator::behaviours, plane};
use assistant::model::Model;
use assistant::service::{self, Parts};
use assistant::traffic::Surface;
use assistant::{server, trial};
use clap::{Parser, Subcommand};

/// A question-answering service over a help centre, rolled out by Flagstone.
#[derive(Parser)]
#[command(name = "assistant", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the model as an OpenAI-shaped endpoint.
    #[command(
        after_help = "Examples:\n  assistant serve\n  assistant serve --listen 127.0.0.1:9000\n  curl \
                            http://127.0.0.1:8321/v1/models"
    )]
    Serve {
        /// Where to listen; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:8321")]
        listen: SocketAddr,
    },
    /// Answers one question and says what was measured about the answer.
    #[command(
        after_help = "Examples:\n  assistant ask \"What is the pickup code length?\"\n  assistant ask \"Abholfrist?\" \
                            --flag email-drafts --variant english-first\n  assistant ask \"How long is a compartment \
                            held?\" --model-url http://127.0.0.1:11434/v1 --model-name llama3.2"
    )]
    Ask {
        /// The question.
        question: String,
        /// The flag whose behaviour answers.
        #[arg(long, default_value = "chat-answers")]
        flag: String,
        /// The variant.
        #[arg(long, default_value = "today")]
        variant: String,
        /// Seed of the model.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        model: ModelArguments,
    },
    /// Runs the whole system on generated traffic: one candidate is promoted, one is taken back.
    #[command(
        after_help = "Examples:\n  assistant demo\n  assistant demo --headless --json --seed 7 | tail -1\n  assistant demo \
                            --headless --kill-control-plane-at 30\n  assistant demo --model-url http://127.0.0.1:11434/v1 \
                            --model-name llama3.2 --rate 2\n\nExit code: 0 when the better candidate reached everyone, the \
                            worse one was halted before a quarter of the people had it and every exposure is accounted \
                            for (stopped by hand: when the sums are right); 1 \
                            when not; 2 when something broke."
    )]
    Demo(DemoArguments),
    /// The control plane of a demonstration, in a process of its own.
    #[command(hide = true)]
    ControlPlane {
        /// Its folder.
        #[arg(long)]
        data: PathBuf,
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Tries every variant on generated questions, without flags or HTTP, and prints the rates by slice.
    #[command(
        after_help = "Examples:\n  assistant trial\n  assistant trial --count 10000 --seed 7 --json | tail -1"
    )]
    Trial {
        /// Questions for each variant.
        #[arg(long, default_value_t = 3_000)]
        count: u32,
        /// Seed of people, questions and model.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// End with one line holding one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct DemoArguments {
    /// End by oneself once both candidates are settled, at the latest after --at-most.
    #[arg(long)]
    headless: bool,
    /// End with one line holding one JSON object (docs/demo.md).
    #[arg(long)]
    json: bool,
    /// Seed of people, questions and model.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Requests a second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// People who ask.
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    people: u32,
    /// Headless: give up after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    at_most: u64,
    /// Kill the control plane (SIGKILL) so many seconds after the start, and bring it back.
    #[arg(long, value_name = "SECONDS")]
    kill_control_plane_at: Option<u64>,
    /// How long it stays down.
    #[arg(long, value_name = "SECONDS", default_value_t = 8, requires = "kill_control_plane_at")]
    down_for: u64,
    /// Port of the control plane and its dashboard; a free one when not given.
    #[arg(long)]
    port: Option<u16>,
    /// Keep all files here instead of in a temporary folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
}

/// Which model answers.
#[derive(clap::Args, Clone)]
struct ModelArguments {
    /// Base address of an OpenAI-shaped endpoint to use instead of the built-in model, such as
    /// http://127.0.0.1:11434/v1 (plain http; put a proxy in front of https).
    #[arg(long, env = "ASSISTANT_MODEL_URL")]
    model_url: Option<String>,
    /// Model name to send to it instead of the behaviours' own.
    #[arg(long, env = "ASSISTANT_MODEL_NAME", requires = "model_url")]
    model_name: Option<String>,
    /// Bearer token for it.
    #[arg(long, env = "ASSISTANT_MODEL_TOKEN", hide_env_values = true, requires = "model_url")]
    model_token: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What the parts log goes to people only when it is grave: a killed control plane is part of the show.
    let usual = if matches!(arguments.command, Command::ControlPlane { .. }) { "warn" } else { "error" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| usual.into());
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    match run(arguments.command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve { listen } => serve(listen).await?,
        Command::Demo(arguments) => return run_demo(arguments).await,
        Command::ControlPlane { data, listen } => plane::serve(&data, listen).await?,
        Command::Ask { question, flag, variant, seed, model } => {
            ask(&question, &flag, &variant, seed, model).await?
        }
        Command::Trial { count, seed, json } => try_variants(count, seed, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_demo(arguments: DemoArguments) -> Result<ExitCode> {
    eprintln!(
        "Flagstone's demonstration: a help-centre assistant with two rollouts on generated traffic.\n\
         - chat-answers: `sharper` is really better; on evidence it goes from staff to everyone.\n\
         - email-drafts: `english-first` is really worse for who writes German or French; it is taken back by itself.\n\
         Every outcome is measured from the text that a model produced. {}\n",
        if arguments.headless { "It ends by itself." } else { "Ctrl-C stops it." }
    );
    let model = arguments.model;
    let options = demo::Options {
        headless: arguments.headless,
        seed: arguments.seed,
        rate: arguments.rate,
        people: arguments.people as usize,
        at_most: Duration::from_secs(arguments.at_most),
        kill_at: arguments.kill_control_plane_at.map(Duration::from_secs),
        down_for: Duration::from_secs(arguments.down_for),
        port: arguments.port,
        data: arguments.data,
        model: model.model_url.map(|url| Endpoint { url, model: model.model_name, token: model.model_token }),
    };
    let summary = demo::run(options).await?;
    println!("{}", summary.text());
    if arguments.json {
        println!("{}", serde_json::to_string(&summary)?);
    }
    Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(listen: SocketAddr) -> Result<()> {
    let parts = Parts::load()?;
    let model = Model::train(&parts.passages);
    println!(
        "trained on {} passages: {} words, {} histories of up to 4 words",
        parts.passages.len(),
        model.vocabulary_size(),
        model.histories()
    );
    let (bound, task) = server::serve(Arc::new(model), listen).await?;
    println!("POST http://{bound}/v1/chat/completions   (Ctrl-C stops)");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        ended = task => ended.context("the endpoint stopped"),
    }
}

async fn ask(question: &str, flag: &str, variant: &str, seed: u64, model: ModelArguments) -> Result<()> {
    let all = behaviours(DEFINITION)?;
    let Some((_, _, behaviour)) = all.iter().find(|(key, name, _)| key == flag && name == variant) else {
        let known: Vec<_> = all.iter().map(|(key, name, _)| format!("{key}/{name}")).collect();
        bail!("no variant `{variant}` of `{flag}`\nhint: there are {}", known.join(", "));
    };
    let parts = Parts::load()?;
    let url = match &model.model_url {
        Some(url) => url.clone(),
        None => {
            let trained = Arc::new(Model::train(&parts.passages));
            let (bound, _serving) = server::serve(trained, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            format!("http://{bound}/v1")
        }
    };
    let endpoint = Endpoint { url, model: model.model_name, token: model.model_token };
    let client = Client::new(endpoint, Duration::from_secs(120))?;
    let answer = service::answer(&parts, &client, behaviour, question, None, seed).await?;
    println!("{}", answer.text);
    println!(
        "\nstatements {}, unsupported {}, refused {}, language {}, {:.1} ms",
        answer.measured.statements,
        answer.measured.unsupported,
        answer.measured.refused,
        answer.measured.language.code(),
        answer.latency.as_secs_f64() * 1e3
    );
    Ok(())
}

fn try_variants(count: u32, seed: u64, json: bool) -> Result<()> {
    let parts = Parts::load()?;
    let model = Model::train(&parts.passages);
    let mut results = Vec::new();
    for (flag, variant, behaviour) in behaviours(DEFINITION)? {
        let surface =
            Surface::ALL.into_iter().find(|surface| surface.flag() == flag).context("no such surface")?;
        let trial = trial::run(&parts, &model, &behaviour, surface, count, seed)?;
        println!("{flag} / {variant}: {count} questions, {} us each", trial.mean_microseconds);
        println!("  {:<24}{:>12}{:>12}{:>9}", "", "unsupported", "unanswered", "refused");
        let all = std::iter::once(("all", &trial.all));
        for (name, tally) in all.chain(trial.slices.iter().map(|(name, tally)| (name.as_str(), tally))) {
            println!(
                "  {name:<24}{:>10.1} %{:>10.1} %{:>7.1} %",
                tally.percent(tally.unsupported),
                tally.percent(tally.unanswered),
                tally.percent(tally.refused)
            );
        }
        results.push(serde_json::json!({ "flag": flag, "variant": variant, "trial": trial }));
    }
    if json {
        println!("{}", serde_json::json!({ "seed": seed, "count": count, "variants": results }));
    }
    Ok(())
}
