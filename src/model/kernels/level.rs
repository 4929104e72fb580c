//! Which vector instructions there are, and which of them are used.

use std::sync::OnceLock;

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best that the processor has, or less if `AESCOPE_KERNELS` names less (`avx2`, `portable`); looked
/// up once.
pub(super) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let wish = std::env::var("AESCOPE_KERNELS");
        let most = match wish.as_deref() {
            Ok("portable") => return Level::Portable,
            #[cfg(target_arch = "x86_64")]
            Ok("avx2") => Level::Avx2,
            #[cfg(target_arch = "x86_64")]
            _ => Level::Avx512,
            #[cfg(not(target_arch = "x86_64"))]
            _ => Level::Portable,
        };
        detected().min(most)
    })
}

fn detected() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        if !avx2 {
            Level::Portable
        } else if is_x86_feature_detected!("avx512f") {
            Level::Avx512
        } else {
            Level::Avx2
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    Level::Portable
}

/// The vector instructions in use: `avx512`, `avx2` or `portable`.
pub fn instruction_set() -> &'static str {
    match level() {
        Level::Portable => "portable",
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => "avx2",
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => "avx512",
    }
}
