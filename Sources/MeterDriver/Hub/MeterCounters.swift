/// Live counters of one meter. `received + missing = expected` holds at every moment.
package struct MeterCounters: Sendable, Equatable {
    package var serial: String
    package var portPath: String
    /// Product string the meter gave.
    package var product: String
    package var isVirtual: Bool
    package var link: MeterLink = .absent
    /// Power-ups of the meter seen since the start, from 0.
    package var epoch: Int = 0
    /// Samples handed to the consumer.
    package var received: Int = 0
    /// Samples that the meter's clock says were taken and that the consumer did not get.
    package var missing: Int = 0
    /// Samples that came twice and were dropped.
    package var repeated: Int = 0
    /// Replies or samples that failed their checks.
    package var rejected: Int = 0
    /// Of `missing`: dropped here because the consumer was too slow.
    package var droppedByQueue: Int = 0
    /// Holes whose length no clock tells (across a reboot of the meter).
    package var unknownGaps: Int = 0
    /// Replies with a full ring: the poll came at the last moment or too late.
    package var fullReplies: Int = 0
    /// Replies without a sample.
    package var emptyReplies: Int = 0
    /// Sessions opened again after the first.
    package var reconnects: Int = 0
    package var firstUptimeMilliseconds: Int64?
    package var lastUptimeMilliseconds: Int64?
    /// Newest raw reading, for live views.
    package var newestMicrovolts: Int32?
    package var newestMicroamperes: Int32?
    /// Host CLOCK_MONOTONIC, ns, of the newest block.
    package var newestBlockAtNanoseconds: Int64?
    /// Longest time between two polls since the start, ns: over 63 ms the ring overruns at 1 kHz.
    package var longestPollGapNanoseconds: Int64 = 0

    package init(serial: String, portPath: String, product: String, isVirtual: Bool) {
        self.serial = serial
        self.portPath = portPath
        self.product = product
        self.isVirtual = isVirtual
    }

    /// Samples the meter took between its first and last delivered one, summed over its epochs.
    package var expected: Int { received + missing }
}

/// The books at the end of a recording.
package struct HubTotals: Sendable, Equatable {
    package var meters: [MeterCounters]
    /// Sentences, one per meter whose books do not balance; empty when all is well.
    package var imbalances: [String]
    /// CPU time of the bus thread, ns.
    package var busThreadCPUNanoseconds: Int64

    package init(meters: [MeterCounters], imbalances: [String], busThreadCPUNanoseconds: Int64) {
        self.meters = meters
        self.imbalances = imbalances
        self.busThreadCPUNanoseconds = busThreadCPUNanoseconds
    }
}
