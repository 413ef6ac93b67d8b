#![no_main]

#[path = "../../tests/it/reading.rs"]
#[allow(dead_code)]
mod reading;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reading::master(data));
