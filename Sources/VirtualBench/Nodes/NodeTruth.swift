/// Everything that is true of one virtual node and its clock.
package struct NodeTruth: Codable, Sendable, Equatable {
    package var name: String
    package var board: String
    /// CLOCK_MONOTONIC of the node runs this much fast, ppm of host time.
    package var clockPPM = 0.0
    /// CLOCK_REALTIME minus true UTC, s.
    package var wallOffsetSeconds = 0.0
    package var telemetryHertz = 1.0
    package var heartbeatSeconds = 10.0

    package init(name: String, board: String) {
        self.name = name
        self.board = board
    }

    package init(name: String, board: String, seed: UInt64) {
        self.init(name: name, board: board)
        var g = SeededGenerator(seed: seed, purpose: "node truth \(name)")
        clockPPM = 15 * g.normal()
        wallOffsetSeconds = 0.02 * g.normal()
    }
}

/// A node's time line between two boots, as it really is: mono = (host − zero) · (1 + ppm·1e-6).
package struct TimeLineTruth: Codable, Sendable, Equatable {
    package var node: String
    package var boot: String
    /// Host CLOCK_MONOTONIC at which the node's CLOCK_MONOTONIC reads 0, ns.
    package var zeroAtNanoseconds: Int64
    package var clockPPM: Double
    package var beganAtNanoseconds: Int64
    package var endedAtNanoseconds: Int64?
}

/// One phase as it really was, host clock.
package struct SpanTruth: Codable, Sendable, Equatable {
    package var node: String
    package var board: String
    package var kind: String
    package var round: Int?
    package var beginNanoseconds: Int64
    package var endNanoseconds: Int64
    package var isMarked: Bool
    /// The node died before its end.
    package var isAborted: Bool
    /// Exact integrals over `[begin, end)`.
    package var energy: PowerTotals
    /// Marks of the begin, as text.
    package var attributes: [String: String]
}
