//! libFuzzer asks what `rate::snapshot` says must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    flashsale_fuzz::rate::snapshot(bytes);
});
