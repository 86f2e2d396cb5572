package import Metrology
package import Timebase

/// Clock pairs of one meter from a table (host_ns, counter_u16), and what they say about its tick and the host's steps.
package struct ClockPairs: Sendable {
    package let pairs: [MeterClock.Pair]
    /// The counter could not be followed (restart, or a host step longer than the wrap allows to tell).
    package let restarts: Int

    /// - Throws: `CalibrationError.badInput` with file and line.
    package init(table: DelimitedTable, counterBits: Int = 16) throws(CalibrationError) {
        var unwrapper = CounterUnwrapper(bits: counterBits, rateHertz: 1000)
        var pairs: [MeterClock.Pair] = []
        var restarts = 0
        let limit = (1 << counterBits) - 1
        do throws(MetrologyError) {
            for index in 0..<table.rowCount {
                let row = table.row(index)
                let host = try row.integer("host_ns")
                let counter = try row.integer("counter_u16")
                guard (0...limit).contains(counter) else {
                    throw row.problem("counter_u16 is \(counter), a \(counterBits)-bit counter lies in 0...\(limit)")
                }
                switch unwrapper.unwrap(UInt32(counter), arrivalNanoseconds: Int64(host)) {
                case .ticks(let ticks):
                    pairs.append(.init(meterNanoseconds: ticks * 1_000_000, hostNanoseconds: Int64(host)))
                case .restarted(let ticks):
                    restarts += 1
                    pairs.append(.init(meterNanoseconds: ticks * 1_000_000, hostNanoseconds: Int64(host)))
                }
            }
        } catch {
            throw CalibrationError(error)
        }
        self.pairs = pairs
        self.restarts = restarts
    }

    /// Tick error and host steps, with the keys of the summary.
    package func summary(file: String) throws(CalibrationError) -> ClockSummary {
        let fit: ClockFit
        do {
            fit = try MeterClock().fit(pairs, source: .meter(file, epoch: 0))
        } catch {
            throw .notEnough(what: file, reason: error.description)
        }
        let first = pairs.map(\.hostNanoseconds).first ?? 0
        return ClockSummary(
            tickErrorPPM: fit.meanRateErrorPPM,
            steps: fit.steps.map {
                .init(atSeconds: Double($0.atTarget - first) * 1e-9, sizeSeconds: Double($0.sizeNanoseconds) * 1e-9)
            },
            boundMilliseconds: Double(fit.boundNanoseconds) * 1e-6,
            residualMilliseconds: (fit.stretches.map(\.residualNanoseconds).max() ?? 0) * 1e-6, pairs: pairs.count,
            restarts: restarts)
    }
}

/// Answer of `calibrate clock --json`.
package struct ClockSummary: Sendable, Equatable, Encodable {
    package struct Step: Sendable, Equatable, Encodable {
        /// Seconds of host time after the first pair, on the clock before the step.
        package var atSeconds: Double
        package var sizeSeconds: Double
        private enum CodingKeys: String, CodingKey {
            case atSeconds = "at_s"
            case sizeSeconds = "size_s"
        }
    }

    /// tick = 1 ms · (1 + error) of host time.
    package var tickErrorPPM: Double
    package var steps: [Step]
    package var boundMilliseconds: Double
    package var residualMilliseconds: Double
    package var pairs: Int
    package var restarts: Int

    private enum CodingKeys: String, CodingKey {
        case tickErrorPPM = "tick_error_ppm"
        case steps
        case boundMilliseconds = "bound_ms"
        case residualMilliseconds = "residual_rms_ms"
        case pairs
        case restarts
    }
}

extension CalibrationError {
    /// A problem in a table keeps its file and line.
    package init(_ error: MetrologyError) {
        switch error {
        case .badTable(let file, let line, let reason): self = .badInput(file: file, line: line, reason: reason)
        case .badDocument(let file, let path, let reason):
            self = .badInput(file: file, line: nil, reason: "\(path): \(reason)")
        default: self = .notEnough(what: "input", reason: error.description)
        }
    }
}
