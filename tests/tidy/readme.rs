//! The reference in the README is written by the program.

const BEGIN: &str = "<!-- reference:begin -->";
const END: &str = "<!-- reference:end -->";

/// The README with the reference of today between its markers.
pub(crate) fn with_reference(readme: &str) -> Result<String, String> {
    let reference = format!("{}\n{}", dixmgr_model::reference(), dixmgr_telemetry::catalogue::metrics_reference());
    between(readme, reference.trim())
}

fn between(readme: &str, reference: &str) -> Result<String, String> {
    let missing = || format!("README.md needs one line {BEGIN} and, below it, one line {END}");
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}\n{reference}\n{END}{after}"))
}

#[test]
fn what_is_between_the_markers_is_replaced_and_nothing_else() {
    let readme = format!("# A\n{BEGIN}\nold\n{END}\n# B\n");
    assert_eq!(between(&readme, "new").unwrap(), format!("# A\n{BEGIN}\nnew\n{END}\n# B\n"));
    assert!(between("# A\n", "new").unwrap_err().contains("README.md needs"));
}
