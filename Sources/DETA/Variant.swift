/// Which freedoms an optimum may use (deta.md section 4).
package enum Variant: String, Sendable, CaseIterable {
    case none, det, dat, deta
    case datNoSleep = "dat_nosleep"
    case detaNoSleep = "deta_nosleep"
    /// Sleep alone: neither trade nor offload. Reported to separate what sleep gives.
    case sleepOnly = "sleep_only"
    /// No solver: process on arrival, own harvest first.
    case greedy

    package var trades: Bool { self == .det || self == .deta || self == .detaNoSleep }
    package var offloads: Bool { [.dat, .deta, .datNoSleep, .detaNoSleep].contains(self) }
    package var sleeps: Bool { [.dat, .deta, .sleepOnly].contains(self) }

    /// The variants behind the word "all": the section's table.
    package static let all: [Variant] = [.none, .det, .dat, .deta, .datNoSleep, .detaNoSleep, .greedy]
}
