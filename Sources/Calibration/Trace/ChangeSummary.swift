package import Metrology

/// Answer of `calibrate changes --json`: where the level of a power series changes.
package struct ChangeSummary: Sendable, Equatable, Encodable {
    /// Index of the first sample of each new segment.
    package var changeIndices: [Int]
    package var changeTimesSeconds: [Double]
    /// Mean of each segment, W.
    package var levelsWatts: [Double]
    package var noiseWatts: Double
    package var autocorrelation: Double
    package var penalty: Double
    package var spikes: Int

    private enum CodingKeys: String, CodingKey {
        case changeIndices = "change_indices"
        case changeTimesSeconds = "change_times_s"
        case levelsWatts = "levels_w"
        case noiseWatts = "noise_w"
        case autocorrelation
        case penalty
        case spikes
    }

    /// - Parameter table: `t_ms,power_w`, evenly spaced and ascending.
    /// - Throws: `badInput` with file and line.
    package init(table: DelimitedTable) throws(CalibrationError) {
        do throws(MetrologyError) {
            let times = try table.numbers("t_ms")
            let watts = try table.numbers("power_w")
            guard times.count >= 2 else {
                throw MetrologyError.badTable(file: table.file, line: nil, reason: "fewer than 2 rows")
            }
            let steps = zip(times, times.dropFirst()).map { $1 - $0 }
            if let bad = steps.firstIndex(where: { $0 <= 0 }) {
                throw table.problem(row: bad + 1, "t_ms does not increase (\(times[bad]), then \(times[bad + 1]))")
            }
            let spacing = steps.sorted()[steps.count / 2]
            if let bad = steps.firstIndex(where: { abs($0 - spacing) > 0.5 * spacing }) {
                throw table.problem(
                    row: bad + 1,
                    "t_ms jumps by \(steps[bad]) where the spacing is \(spacing); give evenly spaced means")
            }
            var settings = ChangePoints.Settings()
            settings.shortestSegment = max(2, Int((200 / spacing).rounded()))
            let found = try ChangePoints.find(watts, settings: settings)
            changeIndices = found.indices
            changeTimesSeconds = found.indices.map { times[$0] * 1e-3 }
            let edges = [0] + found.indices + [watts.count]
            levelsWatts = zip(edges, edges.dropFirst()).map { a, b in
                watts[a..<b].reduce(0, +) / Double(b - a)
            }
            noiseWatts = found.sigma
            autocorrelation = found.autocorrelation
            penalty = found.penalty
            spikes = found.spikes.count
        } catch {
            throw CalibrationError(error)
        }
    }
}
