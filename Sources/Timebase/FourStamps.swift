/// The four stamps of one clock exchange, ns: the asker sends at `t1` and receives at `t4` (its clock), the answerer
/// receives at `t2` and sends at `t3` (its clock).
package struct FourStamps: Sendable, Equatable {
    package var t1: Int64
    package var t2: Int64
    package var t3: Int64
    package var t4: Int64

    package init(t1: Int64, t2: Int64, t3: Int64, t4: Int64) {
        self.t1 = t1
        self.t2 = t2
        self.t3 = t3
        self.t4 = t4
    }

    /// Time on the way, both directions, ns; nil if the stamps contradict each other.
    package var roundTripNanoseconds: Int64? {
        let (whole, overflowA) = t4.subtractingReportingOverflow(t1)
        let (inside, overflowB) = t3.subtractingReportingOverflow(t2)
        guard !overflowA, !overflowB, whole >= inside, inside >= 0 else { return nil }
        return whole - inside
    }
}

/// One exchange between the host and a node, with the raw stamps as taken.
package struct FourStampExchange: Sendable, Equatable {
    package var stamps: FourStamps
    /// True: the host asked (`t1`, `t4` on the host clock). False: the node did.
    package var hostAsked: Bool
    /// Exchanges of one burst share a number.
    package var burst: Int64

    package init(stamps: FourStamps, hostAsked: Bool, burst: Int64) {
        self.stamps = stamps
        self.hostAsked = hostAsked
        self.burst = burst
    }

    /// Middle of the exchange on the node's clock, ns.
    var nodeTime: Int64 {
        hostAsked ? stamps.t2 + (stamps.t3 - stamps.t2) / 2 : stamps.t1 + (stamps.t4 - stamps.t1) / 2
    }

    /// The offset host − node lies in this interval whatever the two delays are: a reply cannot arrive before it was
    /// sent. Nil if the stamps contradict each other.
    var offsetInterval: ClosedRange<Int64>? {
        guard stamps.roundTripNanoseconds != nil else { return nil }
        let (a, overflowA) = stamps.t1.subtractingReportingOverflow(stamps.t2)
        let (b, overflowB) = stamps.t4.subtractingReportingOverflow(stamps.t3)
        guard !overflowA, !overflowB else { return nil }
        return hostAsked ? a...b : (-b)...(-a)
    }
}

extension FourStampExchange {
    /// The same exchanges with bursts numbered anew: a pause of more than two seconds begins another burst. For stamps
    /// whose burst numbers were not kept. Stamps that contradict each other are left out.
    package static func numberedByTime(_ exchanges: [FourStampExchange]) -> [FourStampExchange] {
        var sorted = exchanges.filter { $0.offsetInterval != nil }.sorted { $0.nodeTime < $1.nodeTime }
        var burst: Int64 = 0
        for index in sorted.indices {
            if index > 0, sorted[index].nodeTime - sorted[index - 1].nodeTime > 2_000_000_000 { burst += 1 }
            sorted[index].burst = burst
        }
        return sorted
    }
}
