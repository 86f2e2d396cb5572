/// Names one time line. Times of two clocks never meet in one expression without a `ClockFit` between them.
package struct ClockName: Sendable, Hashable, CustomStringConvertible {
    /// `host`, `utc`, `meter/SERIAL/EPOCH` or `node/NAME/BOOT`.
    package let description: String

    private init(_ description: String) { self.description = description }

    /// The bench host's CLOCK_MONOTONIC.
    package static let host = ClockName("host")
    /// Coordinated universal time, ns since 1970.
    package static let utc = ClockName("utc")

    /// A meter's uptime since one of its power-ups, ns (ms counter times 1 000 000).
    package static func meter(_ serial: String, epoch: Int) -> ClockName { ClockName("meter/\(serial)/\(epoch)") }

    /// A node's CLOCK_MONOTONIC in one of its boots.
    package static func node(_ name: String, boot: String) -> ClockName { ClockName("node/\(name)/\(boot)") }
}
