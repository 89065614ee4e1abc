//! libFuzzer asks what `targets::batch` says must hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    flashsale_fuzz::targets::batch(bytes);
});
