package import Timebase

/// What the marker lines of a run say: who spoke, what is missing, which spans are open, each node's phases.
package struct MarkerReport: Sendable {
    package struct Source: Sendable {
        package var identity: SourceIdentity
        package var role: String?
        package var program: String?
        package var pid: Int64?
        package var account: SourceLedger.Account
    }

    /// One node: its boots' phases, on the host clock where the boot's clock is known.
    package struct Node: Sendable {
        package var name: String
        package var boots: [Boot]
    }

    package struct Boot: Sendable {
        package var phases: NodePhases
        /// Nil if no clock exchange is there: the phases then stand on the node's own clock.
        package var clock: FourStampFit?

        /// The phases on the host clock, or as they are.
        package var onHost: NodePhases {
            guard let clock else { return phases }
            return phases.mapped { clock.clock.target(atSource: $0) }
        }
    }

    /// Stored unique events of known kinds.
    package let events: Int
    /// Events of kinds this version does not know; their numbers are accounted for.
    package let ignored: Int
    package let sources: [Source]
    package let nodes: [Node]
    package let remarks: [String]

    /// - Parameters:
    ///   - lines: stored lines, any order; repeats are dropped.
    ///   - exchanges: raw clock exchanges; `clk` lines among `lines` are added to them.
    ///   - closings: when connections closed, host clock.
    package init(lines: [ReceivedLine], exchanges: [NodeClockExchange] = [], closings: [ConnectionClosing] = []) {
        var ledger = SourceLedger()
        let unique = lines.filter { ledger.note($0.event) }
        events = unique.count { $0.event.isKnown }
        ignored = unique.count - events
        var hellos: [SourceIdentity: (role: String?, pid: Int64?, program: String?)] = [:]
        for line in unique {
            if case .hello(let role, let pid, let program) = line.event.body {
                hellos[line.event.source] = (role, pid, program)
            }
        }
        sources = ledger.accounts.sorted { $0.key < $1.key }.map { identity, account in
            Source(
                identity: identity, role: hellos[identity]?.role, program: hellos[identity]?.program,
                pid: hellos[identity]?.pid, account: account)
        }

        var remarks: [String] = []
        var byLine: [TimeLine: [ReceivedLine]] = [:]
        for line in unique { byLine[line.event.timeLine, default: []].append(line) }
        let stamps = Self.grouped(exchanges, unique)
        let lastClosings = Self.last(closings)
        var nodes: [Node] = []
        let names = Set(byLine.keys.map(\.node)).sorted()
        for name in names {
            // Boots in the order in which they were first heard.
            let boots = byLine.filter { $0.key.node == name }.sorted {
                Self.firstHeard($0.value) < Self.firstHeard($1.value)
            }
            var made: [Boot] = []
            for (index, boot) in boots.enumerated() {
                let own = stamps[boot.key] ?? []
                let clock = try? FourStampFit(node: boot.key.node, boot: boot.key.boot, exchanges: own)
                if clock == nil {
                    remarks.append(
                        "\(name): no clock exchange with boot \(boot.key.boot), its phases stand on its own clock and "
                            + "cannot be laid on a power trace")
                }
                let record = TimeLineRecord(
                    timeLine: boot.key, events: boot.value.map(\.event),
                    closings: Self.onNodeClock(lastClosings, boot.key, clock, boot.value),
                    endedByReboot: index + 1 < boots.count)
                made.append(Boot(phases: NodePhases(record), clock: clock))
            }
            remarks += made.flatMap(\.phases.remarks)
            nodes.append(Node(name: name, boots: made))
        }
        self.nodes = nodes
        self.remarks = remarks
    }

    private static func firstHeard(_ lines: [ReceivedLine]) -> Int64 {
        lines.map(\.receivedAtNanoseconds).min() ?? 0
    }

    private static func last(_ closings: [ConnectionClosing]) -> [SourceIdentity: Int64] {
        var last: [SourceIdentity: Int64] = [:]
        for closing in closings { last[closing.source] = max(last[closing.source] ?? .min, closing.atNanoseconds) }
        return last
    }

    private static func grouped(
        _ exchanges: [NodeClockExchange], _ lines: [ReceivedLine]
    ) -> [TimeLine: [FourStampExchange]] {
        var grouped: [TimeLine: [FourStampExchange]] = [:]
        for exchange in exchanges { grouped[exchange.timeLine, default: []].append(exchange.exchange) }
        for line in lines {
            guard case .clock(let stamps) = line.event.body else { continue }
            grouped[line.event.timeLine, default: []].append(
                FourStampExchange(stamps: stamps, hostAsked: false, burst: 0))
        }
        return grouped.mapValues(FourStampExchange.numberedByTime)
    }

    /// Closings of one boot's sources on its own clock: by its fit, or, without one, by the smallest delay with which
    /// its lines came in (late by at most that delay).
    private static func onNodeClock(
        _ closings: [SourceIdentity: Int64], _ boot: TimeLine, _ clock: FourStampFit?, _ lines: [ReceivedLine]
    ) -> [SourceIdentity: Int64] {
        let own = closings.filter { $0.key.timeLine == boot }
        if let clock { return own.mapValues { clock.clock.source(atTarget: $0) } }
        let live = lines.filter { $0.transport != .file }
        guard let offset = live.map({ $0.receivedAtNanoseconds - $0.event.monoNanoseconds }).min() else { return [:] }
        return own.mapValues { $0 - offset }
    }
}
