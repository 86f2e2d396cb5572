package import MeterProtocol

/// What a hub is asked to do, and its limits.
package struct HubSettings: Sendable, Equatable {
    /// Session settings of every meter; the poll phase and the clock of the auth request are set by the hub.
    package var session = MeterSession.Settings()
    /// Elements that may wait for the consumer before blocks are dropped (and told): about 40 s of eleven meters.
    package var queueCapacity = 16_384
    /// `.wait` only for buses with a clock of their own.
    package var overflow: AcquisitionQueue.Overflow = .count
    /// SCHED_FIFO priority (1 to 99) of the bus thread, if the system permits; nil: ordinary scheduling.
    package var realtimePriority: Int32? = 20
    /// The hub stops by itself this long after every meter has brought its first samples (or failed to within
    /// `startGraceNanoseconds`); nil: only when asked. On the bus's own clock, so exact on a virtual one too.
    package var durationNanoseconds: Int64?
    package var startGraceNanoseconds: Int64 = 10_000_000_000
    /// Seed of the random bytes in auth requests.
    package var nonceSeed: UInt64 = .random(in: 0 ... .max)

    package init() {}
}

/// Which meters to record.
package enum MeterSelection: Sendable, Equatable {
    /// Every meter that is present; those that are forbidden or busy are told as errors.
    case all
    /// These, by serial or port path; each must be present.
    case named([String])
}

/// One meter that a hub has begun to record.
package struct StartedMeter: Sendable, Equatable {
    /// Name in every record: the serial, or the port path where the serial is missing or not unique.
    package var name: String
    package var found: FoundMeter
    package var profile: MeterProfile
    /// Model as the meter's own product string names it.
    package var model: String { profile.reportedModel(product: found.product) }

    package init(name: String, found: FoundMeter, profile: MeterProfile) {
        self.name = name
        self.found = found
        self.profile = profile
    }
}
