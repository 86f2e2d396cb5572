package import MeterProtocol

/// Live counters of one meter. `received + missing = expected` holds at every moment.
package struct MeterCounters: Sendable, Equatable {
    package var meter: StartedMeter
    package var link: MeterLink = .opening
    /// Firmware text of the meter's own memory, once read.
    package var firmware: String?
    /// The session's own account: samples taken from the meter, and holes by the meter's clock.
    package var account = SampleAccount()
    package var traffic = MeterSession.Traffic()
    /// Samples that the session took and the queue had to drop because the consumer was too slow.
    package var droppedByQueue = 0
    /// Newest raw reading, for live views: µV, µA, and host CLOCK_MONOTONIC, ns.
    package var newestMicrovolts: Int32?
    package var newestMicroamperes: Int32?
    package var newestBlockAtNanoseconds: Int64?

    package init(meter: StartedMeter) { self.meter = meter }

    /// Samples handed to the consumer.
    package var received: Int { account.received - droppedByQueue }
    /// Samples that the meter's clock says were taken and that the consumer did not get.
    package var missing: Int { account.missing + droppedByQueue }
    /// Samples that the meter took between the first and the last one that reached the host, summed over its power-ups.
    package var expected: Int { received + missing }
}

/// The books at the end of a recording.
package struct HubTotals: Sendable, Equatable {
    package var meters: [MeterCounters]
    /// One sentence per meter whose books do not balance; empty when all is well.
    package var imbalances: [String]
    /// CPU time of the bus thread, ns.
    package var busThreadCPUNanoseconds: Int64

    package init(meters: [MeterCounters] = [], imbalances: [String] = [], busThreadCPUNanoseconds: Int64 = 0) {
        self.meters = meters
        self.imbalances = imbalances
        self.busThreadCPUNanoseconds = busThreadCPUNanoseconds
    }
}
