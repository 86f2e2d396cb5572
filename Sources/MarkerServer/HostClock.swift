import Glibc

/// The bench host's clock.
package enum HostClock {
    /// CLOCK_MONOTONIC, ns.
    package static var nowNanoseconds: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}
