package import Timebase

/// A numbered line of a node: what is stored, acknowledged and counted.
package struct MarkerEvent: Sendable, Equatable {
    package enum Edge: String, Sendable { case begin, end, point }

    /// Body of a `mark` line.
    package struct Mark: Sendable, Equatable {
        package var edge: Edge
        /// Kind of phase (`ph`).
        package var phase: String
        /// Pairs begin with end within the source; nil where the sender gave none.
        package var span: Int64?
        package var round: Int64?

        package init(edge: Edge, phase: String, span: Int64? = nil, round: Int64? = nil) {
            self.edge = edge
            self.phase = phase
            self.span = span
            self.round = round
        }
    }

    package enum Body: Sendable, Equatable {
        case hello(role: String?, pid: Int64?, program: String?)
        case mark(Mark)
        /// The source's last line; `last` is the highest number it gave out.
        case bye(last: Int64)
        case heartbeat
        /// A clock exchange the node asked for: `t1`, `t4` on the node's clock, `t2`, `t3` on the coordinator's.
        case clock(FourStamps)
        /// Readings are in `attributes`: `soc_temp_c`, `cpu_mhz`, `vcore_v`, `util_sum`, `rx_bytes`, `tx_bytes`,
        /// `throttled`.
        case telemetry
        /// A kind this version does not know: its number is accounted for, its meaning ignored.
        case other(String)
    }

    package var identity: MarkerIdentity
    /// CLOCK_MONOTONIC of the node, ns: the time that counts.
    package var monoNanoseconds: Int64
    /// CLOCK_REALTIME of the node, ns: for people, and to see clock steps.
    package var wallNanoseconds: Int64?
    /// Name of the measured run, where the node knows it.
    package var run: String?
    package var body: Body
    /// The free `attr` object.
    package var attributes: [String: JSONValue]

    package init(
        identity: MarkerIdentity, monoNanoseconds: Int64, wallNanoseconds: Int64? = nil, run: String? = nil,
        body: Body, attributes: [String: JSONValue] = [:]
    ) {
        self.identity = identity
        self.monoNanoseconds = monoNanoseconds
        self.wallNanoseconds = wallNanoseconds
        self.run = run
        self.body = body
        self.attributes = attributes
    }

    package var source: SourceIdentity { identity.source }
    package var timeLine: TimeLine { identity.source.timeLine }

    package var mark: Mark? { if case .mark(let mark) = body { mark } else { nil } }

    /// The wire's `t`.
    package var kind: String {
        switch body {
        case .hello: "hello"
        case .mark: "mark"
        case .bye: "bye"
        case .heartbeat: "hb"
        case .clock: "clk"
        case .telemetry: "tel"
        case .other(let kind): kind
        }
    }

    /// True for kinds this version understands. Others are accounted for but not counted as events.
    package var isKnown: Bool { if case .other = body { false } else { true } }
}
