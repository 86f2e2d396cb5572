package import MeterProtocol
package import Traces

/// What a hub tells its consumer, in the order in which it happened for each meter.
package enum AcquisitionEvent: Sendable, Equatable {
    /// Samples as received.
    case block(SampleBlock)
    /// Samples known to be missing before the next block of that meter.
    case gap(Gap)
    /// Something a technician must be able to read later.
    case event(RunEvent)
    /// A slow reading beside the stream: averages of the meter's own, temperature. Host CLOCK_MONOTONIC, ns.
    case reading(meter: String, ADCReading, atNanoseconds: Int64)
    /// Model and firmware as the meter's own memory names them, where its profile reads them.
    case identity(meter: String, hardware: IdentityText?, firmware: IdentityText?)
    /// A meter's link changed.
    case link(meter: String, MeterLink, atNanoseconds: Int64)
    /// The last element: nothing follows.
    case finished(HubTotals)
}

/// How a meter is doing, in one word.
package enum MeterLink: String, Sendable, Equatable {
    /// Not plugged in, or not to be had (forbidden, busy): tried again with back-off.
    case absent
    /// Open, authenticating, starting.
    case opening
    case streaming
    /// Open, but the session must be mended first.
    case recovering
    /// Stopped on request.
    case stopped
    /// Given up for this run; the event before says why.
    case failed
}
