/// What one burst of exchanges says about the offset host − node at its middle.
package struct FourStampBurst: Sendable, Equatable {
    /// Node clock, ns.
    package var nodeTime: Int64
    /// The true offset at `nodeTime` lies in here as long as the clocks' rates differ by less than `assumedRateLimit`.
    package var offset: ClosedRange<Int64>
    package var smallestRoundTripNanoseconds: Int64
    /// Exchanges kept (the quarter with the smallest round trips) of those with valid stamps.
    package var kept: Int
    package var valid: Int

    /// Largest rate difference a node's crystal is taken to have, as a fraction (100 ppm).
    package static let assumedRateLimit = 100e-6

    var halfWidth: Int64 { (offset.upperBound - offset.lowerBound + 1) / 2 }
    var middle: Int64 { offset.lowerBound + (offset.upperBound - offset.lowerBound) / 2 }

    /// Nil if no exchange has valid stamps, or the kept ones contradict each other.
    package init?(_ exchanges: [FourStampExchange]) {
        let usable = exchanges.compactMap { exchange -> (exchange: FourStampExchange, trip: Int64)? in
            guard exchange.offsetInterval != nil, let trip = exchange.stamps.roundTripNanoseconds else { return nil }
            return (exchange, trip)
        }.sorted { $0.trip < $1.trip }
        guard let best = usable.first else { return nil }
        let quarter = usable.prefix(max(1, (usable.count + 3) / 4))
        nodeTime = best.exchange.nodeTime
        smallestRoundTripNanoseconds = best.trip
        kept = quarter.count
        valid = usable.count
        var low = Int64.min
        var high = Int64.max
        for (exchange, _) in quarter {
            guard let interval = exchange.offsetInterval else { continue }
            // The offset moves between this exchange and the burst's reference time.
            let distance = abs(Double(exchange.nodeTime) - Double(nodeTime))
            let slack = Int64((distance * Self.assumedRateLimit).rounded(.up))
            low = max(low, interval.lowerBound - slack)
            high = min(high, interval.upperBound + slack)
        }
        guard low <= high else { return nil }
        offset = low...high
    }
}
