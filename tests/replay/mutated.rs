//! A flow of the same type that does something else: no history may replay with it.

use std::time::Duration;
use temporalio_common::data_converters::RawValue;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::{WorkflowContext, WorkflowResult};

/// Sleeps, and then it is done.
#[workflow]
#[derive(Default)]
pub(crate) struct MutatedWatchWorkflow;

#[workflow_methods]
impl MutatedWatchWorkflow {
    /// Not what a history holds.
    #[run(name = "ServiceWatchWorkflow")]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, _input: RawValue) -> WorkflowResult<()> {
        ctx.timer(Duration::from_secs(3600)).await;
        Ok(())
    }
}
