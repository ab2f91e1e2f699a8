#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bitquilt_fuzz::listed(bytes));
