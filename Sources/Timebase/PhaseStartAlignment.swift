import Foundation

/// Aligns a board's clock by the power steps at its phase edges, where no sync pattern is to be had.
///
/// First one shift for all edges within the reach, then each edge by the steepest step near it, then a robust line
/// (Theil and Sen) through the offsets. Good to 2 to 5 ms (calibration.md 2.5).
package struct PhaseStartAlignment: Sendable {
    package struct Settings: Sendable, Equatable {
        package var reachSeconds = 2.0
        /// Window about an edge in which its step is looked for, s.
        package var windowSeconds = 0.05
        /// Smallest step that counts, unit of the signal.
        package var leastStep = 0.2
        /// Fewest edges with a step.
        package var fewestEdges = 4
        package init() {}
    }

    package var settings = Settings()
    package init(settings: Settings = Settings()) { self.settings = settings }

    /// - Parameter edges: expected times of power changes, s on the trace's clock.
    /// - Returns: offset at the first edge and rate (s per s) to add to the expected times, and the spread, s.
    /// - Throws: `patternNotFound` if too few edges show a step.
    package func align(
        _ edges: [Double], in signal: SyncSearch.Signal
    ) throws(TimebaseError) -> (offset: Double, rate: Double, spread: Double, edges: Int) {
        guard let first = edges.min(), let last = edges.max() else {
            throw .patternNotFound(pattern: "of phase edges", reason: "there are no phases")
        }
        let grid = 0.002
        let begin = first - settings.reachSeconds - 0.1
        let means = Means(signal, from: begin, until: last + settings.reachSeconds + 0.1, width: grid)
        // Step height: mean of the 10 ms after less the 10 ms before.
        let width = 5
        var steps = [Double](repeating: 0, count: means.values.count)
        if means.values.count > 2 * width {
            for index in width..<(means.values.count - width) {
                let after = means.values[index..<index + width].reduce(0, +)
                let before = means.values[index - width..<index].reduce(0, +)
                steps[index] = abs(after - before) / Double(width)
            }
        }
        func step(at time: Double) -> Double {
            let index = Int(((time - begin) / grid).rounded())
            return steps.indices.contains(index) ? steps[index] : 0
        }
        var best = (score: 0.0, shift: 0.0)
        for shift in stride(from: -settings.reachSeconds, through: settings.reachSeconds, by: grid) {
            let score = edges.reduce(0) { $0 + min(step(at: $1 + shift), 2) }
            if score > best.score { best = (score, shift) }
        }
        var offsets: [(at: Double, offset: Double)] = []
        for edge in edges {
            var top = (height: 0.0, at: 0.0)
            for offset in stride(from: -settings.windowSeconds, through: settings.windowSeconds, by: grid) {
                let height = step(at: edge + best.shift + offset)
                if height > top.height { top = (height, best.shift + offset) }
            }
            if top.height >= settings.leastStep { offsets.append((edge, top.at)) }
        }
        guard offsets.count >= settings.fewestEdges else {
            throw .patternNotFound(
                pattern: "of phase edges",
                reason: "only \(offsets.count) of \(edges.count) edges show a power step of \(settings.leastStep)")
        }
        var slopes: [Double] = []
        for a in offsets.indices {
            for b in offsets.indices where offsets[b].at - offsets[a].at > 5 {
                slopes.append((offsets[b].offset - offsets[a].offset) / (offsets[b].at - offsets[a].at))
            }
        }
        // Over less than a minute the drift drowns in the edges' scatter.
        let rate = last - first > 60 && slopes.count >= 6 ? median(slopes) : 0
        let levels = offsets.map { $0.offset - rate * ($0.at - first) }
        let centre = median(levels)
        let spread = 1.4826 * median(levels.map { abs($0 - centre) })
        return (centre, rate, max(spread, 1e-3), offsets.count)
    }

    private func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
