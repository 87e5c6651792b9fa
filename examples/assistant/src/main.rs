//! The `assistant` command: the service's parts by themselves, and the demonstration.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use assistant::client::{Client, Endpoint};
use assistant::demo::{edition::DEFINITION, operator::behaviours};
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
    #[command(after_help = "Examples:\n  assistant serve\n  assistant serve --listen 127.0.0.1:9000\n  curl \
                            http://127.0.0.1:8321/v1/models")]
    Serve {
        /// Where to listen; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:8321")]
        listen: SocketAddr,
    },
    /// Answers one question and says what was measured about the answer.
    #[command(after_help = "Examples:\n  assistant ask \"What is the pickup code length?\"\n  assistant ask \"Abholfrist?\" \
                            --flag email-drafts --variant english-first\n  assistant ask \"How long is a compartment \
                            held?\" --model-url http://127.0.0.1:11434/v1 --model-name llama3.2")]
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
    /// Tries every variant on generated questions, without flags or HTTP, and prints the rates by slice.
    #[command(after_help = "Examples:\n  assistant trial\n  assistant trial --count 10000 --seed 7 --json | tail -1")]
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
        Command::Ask { question, flag, variant, seed, model } => ask(&question, &flag, &variant, seed, model).await?,
        Command::Trial { count, seed, json } => try_variants(count, seed, json)?,
    }
    Ok(ExitCode::SUCCESS)
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
        let surface = Surface::ALL.into_iter().find(|surface| surface.flag() == flag).context("no such surface")?;
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
