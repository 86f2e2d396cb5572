import Glibc

/// The host clock of every record: CLOCK_MONOTONIC.
package enum HostTime {
    /// Now, ns.
    package static var nowNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
