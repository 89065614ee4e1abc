//! libFuzzer asks what `targets::apply_sequence` says must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    flashsale_fuzz::targets::apply_sequence(bytes);
});
