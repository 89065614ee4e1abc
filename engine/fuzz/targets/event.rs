//! libFuzzer asks what `targets::event` says must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    flashsale_fuzz::targets::event(bytes);
});
