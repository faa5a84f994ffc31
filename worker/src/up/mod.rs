//! `dixmgr up`: an embedded Temporal server and the worker in one go.
//!
//! The server is a child that cannot outlive us, with its data in the state folder: after any end of both, the next `up`
//! finds everything as it was.

mod find;
mod server;

use crate::cli::RunFlags;
use crate::exit::Failure;
use crate::runtime::runtime;
use crate::serve;
use crate::settings::{Mode, Settings};
use crate::state_dir::StateDir;
use server::Server;

/// Starts the server, then runs as with `-exec` or `-watch`, then stops the server.
///
/// # Errors
/// What keeps either from starting.
pub(crate) fn run(flags: &RunFlags, mode: Mode) -> Result<(), Failure> {
    let mut settings = Settings::new(flags, mode)?;
    let state = StateDir::open(settings.state_dir.clone())?;
    let runtime = runtime()?;
    let executable = runtime.block_on(find::temporal()).map_err(|error| Failure::Unavailable(format!("{error:#}")))?;
    // Started from the main thread, which lives as long as the process: the kernel ends the child with that thread.
    let mut server = Server::start(&executable, &settings, &state)?;
    runtime.block_on(server.ready())?;
    settings.endpoint.address = server.address();
    settings.endpoint.create_namespace = true;
    tracing::info!("Temporal UI on {}", server.ui());
    let ui = server.ui();
    runtime.complete(async {
        let result = tokio::select! {
            result = serve::run(settings, state, Some(ui)) => result,
            failure = server.watch() => Err(failure),
        };
        server.stop().await;
        result
    })
}
