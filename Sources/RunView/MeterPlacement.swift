package import RunStore
package import Timebase
package import Traces

/// How the uptime of one epoch of one meter lies on the host clock.
package struct MeterPlacement: Sendable {
    package let epoch: Int
    /// The lower-envelope fit; nil where there were too few replies for one.
    package let fit: ClockFit?
    /// One reply's newest sample and completion, ns: the only anchor where there is no fit.
    private let anchor: (meter: Int64, host: Int64)
    /// First and last sample, uptime ms.
    package let uptimes: ClosedRange<Int64>
    /// Rows that could not be read while the clock was placed.
    package let corrupt: [(gap: Gap, error: RunStoreError)]

    /// Reads the reply times of an epoch and fits them. Memory stays bounded: of many replies the earliest of each
    /// group is kept, which is all that a lower envelope looks at.
    package init(_ reader: RunReader, meter serial: String, span: EpochSpan) throws(RunStoreError) {
        var pairs = ThinnedPairs()
        var corrupt: [(Gap, RunStoreError)] = []
        try reader.forEachReplyTime(of: serial, epoch: span.epoch, onCorrupt: { corrupt.append(($0, $1)) }) { reply in
            pairs.add(
                MeterClock.Pair(
                    meterNanoseconds: reply.lastUptimeMilliseconds * 1_000_000,
                    hostNanoseconds: reply.completedAtNanoseconds))
        }
        self.corrupt = corrupt
        epoch = span.epoch
        uptimes = span.firstUptimeMilliseconds...max(span.firstUptimeMilliseconds, span.lastUptimeMilliseconds)
        anchor = pairs.last.map { ($0.meterNanoseconds, $0.hostNanoseconds) } ?? (0, 0)
        fit = try? MeterClock().fit(pairs.all, source: .meter(serial, epoch: span.epoch))
    }

    /// Host time of an uptime, ns.
    package func host(atUptimeMilliseconds uptime: Int64) -> Int64 {
        let meter = uptime &* 1_000_000
        return fit?.target(atSource: meter) ?? anchor.host &+ (meter &- anchor.meter)
    }

    /// Uptime of a host time, ms, rounded down.
    package func uptimeMilliseconds(atHost host: Int64) -> Int64 {
        let meter = fit?.source(atTarget: host) ?? anchor.meter &+ (host &- anchor.host)
        return meter >= 0 ? meter / 1_000_000 : -((-meter + 999_999) / 1_000_000)
    }
}

/// Clock pairs thinned as they come: beyond the limit, groups of neighbours are replaced by their earliest arrival.
struct ThinnedPairs {
    private static let limit = 100_000
    private(set) var all: [MeterClock.Pair] = []
    private(set) var last: MeterClock.Pair?
    private var groupSize = 1
    private var inGroup = 0

    mutating func add(_ pair: MeterClock.Pair) {
        last = pair
        if inGroup > 0, let kept = all.last {
            if excess(pair) < excess(kept) { all[all.count - 1] = pair }
        } else {
            if all.count == Self.limit { halve() }
            all.append(pair)
        }
        inGroup = (inGroup + 1) % groupSize
    }

    private mutating func halve() {
        all = stride(from: 0, to: all.count - 1, by: 2).map {
            excess(all[$0]) <= excess(all[$0 + 1]) ? all[$0] : all[$0 + 1]
        }
        groupSize *= 2
    }

    private func excess(_ pair: MeterClock.Pair) -> Int64 { pair.hostNanoseconds &- pair.meterNanoseconds }
}
