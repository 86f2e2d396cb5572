import Foundation

/// A board's clock against the meter's, from sync patterns that the board played and the trace shows.
package struct BoardClock: Sendable {
    /// Begin of one pattern on both clocks.
    package struct Anchor: Sendable, Equatable {
        package var boardNanoseconds: Int64
        package var meterNanoseconds: Int64
        package var uncertaintySeconds: Double
        package init(boardNanoseconds: Int64, meterNanoseconds: Int64, uncertaintySeconds: Double) {
            self.boardNanoseconds = boardNanoseconds
            self.meterNanoseconds = meterNanoseconds
            self.uncertaintySeconds = uncertaintySeconds
        }
    }

    package struct Settings: Sendable, Equatable {
        /// Largest credible drift between the clocks after the meter's own tick error is known, ppm.
        package var largestDriftPPM = 50.0
        /// Largest disagreement of two anchors beyond that drift, s.
        package var largestDisagreement = 3e-3
        package init() {}
    }

    package var settings = Settings()
    package init(settings: Settings = Settings()) { self.settings = settings }

    /// A straight line through the first and last anchor; one anchor gives the offset only.
    /// - Parameters:
    ///   - nominalRatePPM: rate of the meter's tick against the host, which the board's clock is assumed to follow when
    ///     only one anchor is there.
    /// - Throws: `patternNotFound` if the anchors contradict each other; `tooFewPairs` without any.
    package func fit(
        _ anchors: [Anchor], source: ClockName, target: ClockName, nominalRatePPM: Double
    ) throws(TimebaseError) -> ClockFit {
        let sorted = anchors.sorted { $0.boardNanoseconds < $1.boardNanoseconds }
        guard let first = sorted.first, let last = sorted.last else {
            throw .tooFewPairs(source: source, found: 0, needed: 1)
        }
        let u = sorted.map(\.uncertaintySeconds).max() ?? 0
        let nominal = 1 / (1 + nominalRatePPM * 1e-6)
        let span = last.boardNanoseconds - first.boardNanoseconds
        guard span > 1_000_000_000 else {
            // A minute is far enough to carry a nominal rate exactly; the drift that is not known goes into the bound.
            let run: Int64 = 60_000_000_000
            let rise = Int64((Double(run) * nominal).rounded())
            return try ClockFit(
                source: source, target: target,
                stretches: [
                    .init(
                        knots: [
                            .init(source: first.boardNanoseconds, target: first.meterNanoseconds),
                            .init(source: first.boardNanoseconds + run, target: first.meterNanoseconds + rise),
                        ], residualNanoseconds: 0,
                        boundNanoseconds: Int64((3 * u + settings.largestDriftPPM * 60e-6) * 1e9), pairs: 1)
                ], extrapolationRate: settings.largestDriftPPM * 1e-6)
        }
        let excess = Double(last.meterNanoseconds - first.meterNanoseconds) - Double(span) * nominal
        let allowed = settings.largestDisagreement * 1e9 + Double(span) * settings.largestDriftPPM * 1e-6
        guard abs(excess) <= allowed else {
            throw .patternNotFound(
                pattern: "at both ends",
                reason: "the two disagree by \((excess * 1e-5).rounded() / 10) ms, more than a drift of "
                    + "\(settings.largestDriftPPM) ppm explains")
        }
        return try ClockFit(
            source: source, target: target,
            stretches: [
                .init(
                    knots: [
                        .init(source: first.boardNanoseconds, target: first.meterNanoseconds),
                        .init(source: last.boardNanoseconds, target: last.meterNanoseconds),
                    ], residualNanoseconds: 0, boundNanoseconds: Int64((3 * u * 1e9).rounded(.up)), pairs: sorted.count)
            ], extrapolationRate: 3 * u / (Double(span) * 1e-9))
    }
}
