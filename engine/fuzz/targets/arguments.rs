//! libFuzzer asks what the module says must hold for the words of any command.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    #[cfg(fuzzing)]
    flashsale::fuzz_arguments(bytes);
    #[cfg(not(fuzzing))]
    let _ = bytes;
});
