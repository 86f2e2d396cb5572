import Foundation

extension TraceSummary {
    /// For people: one line per phase, energies with U (k = 2).
    package var text: String {
        var lines = phases.map { row in
            String(
                format: "%@ %d: %.4f J ± %.4f J (k = 2)", row.name, row.index, row.energyJoules,
                2 * row.standardUncertaintyJoules)
        }
        lines.append(String(format: "total: %.4f J", totalEnergyJoules))
        if let batch = batch.meanEnergyJoules { lines.append(String(format: "mean batch: %.5f J", batch)) }
        lines.append("lost samples: \(lostSamples), replaced readings: \(glitches)")
        lines.append(String(format: "tick error: %.3f ppm", tickErrorPPM))
        if let drift = boardDriftPPM { lines.append(String(format: "board clock drift: %.2f ppm", drift)) }
        let t = transitions
        if let sleep = t.sleepWatts { lines.append(String(format: "sleep: %.4f W", sleep)) }
        if let s = t.shutdownSeconds, let j = t.shutdownJoules {
            lines.append(String(format: "shutdown: %.3f s, %.3f J", s, j))
        }
        if let rail = t.railSeconds { lines.append(String(format: "rail after wake pulse: %.4f s", rail)) }
        if let s = t.wakeSeconds, let j = t.wakeJoules { lines.append(String(format: "wake: %.3f s, %.3f J", s, j)) }
        return lines.joined(separator: "\n")
    }
}

extension ClockSummary {
    package var text: String {
        var lines = [
            String(format: "tick error: %.3f ppm (bound of the mapping %.2f ms)", tickErrorPPM, boundMilliseconds)
        ]
        for step in steps {
            lines.append(String(format: "host step of %+.4f s at %.2f s", step.sizeSeconds, step.atSeconds))
        }
        return lines.joined(separator: "\n")
    }
}

extension ChangeSummary {
    package var text: String {
        let rows = zip(changeIndices, changeTimesSeconds).map { String(format: "%d (%.2f s)", $0, $1) }
        return "\(rows.count) changes: " + rows.joined(separator: ", ")
    }
}
