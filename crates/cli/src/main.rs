//! The `flagstone` binary: every arrow of the loop as a command, `flagstone up` for all of them at once.

mod canaries;
mod commands;
mod files;
mod key_file;
mod output;
mod passphrase;
mod signer_command;
mod signers;
mod stop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    compile, evaluate, govern, host, keys, ledger, open, operate, plan, publish, replay, report, seal, sign,
    simulate, trust, up,
};

/// Staged rollouts that validate generative-AI behaviour before broad exposure.
///
/// The commands are the arrows of one loop: a definition is compiled, sealed, published, synced to a host,
/// evaluated inside one small WebAssembly engine; exposures and outcomes come back, are judged, and widen or
/// take back the rollout.
#[derive(Parser)]
#[command(
    name = "flagstone",
    version,
    after_help = "Examples:\n  \
        flagstone up flags.yaml                       the whole loop in one process\n  \
        flagstone compile flags.yaml -o flags.snapshot\n  \
        flagstone evaluate new-answers --definition flags.yaml --context '{\"targetingKey\":\"ana\"}' --explain\n\n\
        Exit codes: 0 done, 1 the answer is no (a definition with errors, a file that is refused), 2 it could not be tried."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Compile(compile::Arguments),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Trust(trust::Command),
    Seal(seal::Arguments),
    Sign(sign::Arguments),
    Publish(publish::Arguments),
    Open(open::Arguments),
    Evaluate(evaluate::Arguments),
    Host(host::Arguments),
    Govern(govern::Arguments),
    /// Open a rollout's first stage
    ///
    /// The stage must lie beneath the ceiling that the snapshot's signature approved.
    Start(operate::Arguments),
    /// Serve a flag's baseline to everyone, from the next pulse on
    ///
    /// Anyone may halt, without approval; evaluators obey within one pulse.
    Halt(operate::Arguments),
    /// Lift a halt that a person ordered
    ///
    /// What evidence has latched is not lifted by anyone: it needs a new attempt.
    Resume(operate::Arguments),
    #[command(subcommand)]
    Ledger(ledger::Command),
    Replay(replay::Arguments),
    Report(report::Arguments),
    #[command(subcommand)]
    Plan(plan::Command),
    Simulate(simulate::Arguments),
    Up(up::Arguments),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Compile(arguments) => compile::run(&arguments),
        Command::Keys(command) => keys::run(&command),
        Command::Trust(command) => trust::run(&command),
        Command::Seal(arguments) => seal::run(&arguments),
        Command::Sign(arguments) => sign::run(&arguments),
        Command::Publish(arguments) => publish::run(&arguments),
        Command::Open(arguments) => open::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Host(arguments) => host::run(&arguments),
        Command::Govern(arguments) => govern::run(&arguments),
        Command::Start(arguments) => operate::run("start", &arguments),
        Command::Halt(arguments) => operate::run("halt", &arguments),
        Command::Resume(arguments) => operate::run("resume", &arguments),
        Command::Ledger(command) => ledger::run(&command),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Plan(command) => plan::run(&command),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Up(arguments) => up::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
