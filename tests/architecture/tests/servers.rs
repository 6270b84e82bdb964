//! Where everything is tested, tests on real servers may not skip themselves.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

#[test]
fn ci_runs_the_tests_on_real_servers() {
    if std::env::var_os("CI").is_none() {
        eprintln!("skipped: CI is not set");
        return;
    }
    for variable in ["AFLUENTE_TEST_AMQP", "AFLUENTE_TEST_POSTGRES", "AFLUENTE_TEST_REDIS"] {
        assert!(std::env::var_os(variable).is_some(), "{variable} is not set: run scripts/test.sh");
    }
    let required = std::env::var("AFLUENTE_TEST_REQUIRE_SERVERS");
    assert_eq!(required.as_deref(), Ok("1"), "run scripts/test.sh");
}
