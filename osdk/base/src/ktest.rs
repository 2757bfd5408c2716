//! Runs the kernel's own tests instead of its start, with `--cfg ktest` (`osdk/pollux test --on kernel`).

// Links the library that holds `#[ostd::ktest::main]`.
extern crate osdk_test_kernel;

/// Names the tests to run: all, or those whose path ends in the words of this environment variable at build time.
// SAFETY: OSTD's test framework declares the symbol with this type.
#[unsafe(no_mangle)]
static KTEST_TEST_WHITELIST: Option<&[&str]> = match option_env!("POLLUX_KTEST") {
    Some(name) => Some(&[name]),
    None => None,
};

/// Names the crates whose tests run: OSTD has tests of its own, which do not.
// SAFETY: OSTD's test framework declares the symbol with this type.
#[unsafe(no_mangle)]
static KTEST_CRATE_WHITELIST: Option<&[&str]> = Some(&["kernel"]);
