import Timebase
import Traces

extension MarkerReport {
    /// The object of `wattbench markers RUN --json`. Times in ns on the clock that stands beside them.
    package var json: JSONValue {
        .object([
            "events": .integer(Int64(events)),
            "ignored": .integer(Int64(ignored)),
            "sources": .array(sources.map(Self.json)),
            "missing": .array(sources.flatMap(Self.missing)),
            "open_spans": .array(unpaired(.end)),
            "lost_begins": .array(unpaired(.begin)),
            "nodes": .object(Dictionary(nodes.map { ($0.name, Self.json($0)) }) { first, _ in first }),
            "remarks": .array(remarks.map(JSONValue.string)),
        ])
    }

    private static func identity(_ source: SourceIdentity) -> [String: JSONValue] {
        ["node": .string(source.node), "boot": .string(source.boot), "src": .string(source.source)]
    }

    private static func json(_ source: Source) -> JSONValue {
        var members = identity(source.identity)
        members["events"] = .integer(source.account.stored.count)
        members["last"] = .integer(source.account.expected)
        members["bye"] = .bool(source.account.byeSeen)
        members["missing"] = .integer(source.account.missingCount)
        members["role"] = source.role.map(JSONValue.string)
        members["prog"] = source.program.map(JSONValue.string)
        members["pid"] = source.pid.map(JSONValue.integer)
        return .object(members)
    }

    private static func missing(_ source: Source) -> [JSONValue] {
        source.account.missing.map { range in
            var members = identity(source.identity)
            members["first"] = .integer(range.lowerBound)
            members["last"] = .integer(range.upperBound)
            return .object(members)
        }
    }

    private func unpaired(_ lack: UnpairedMark.Lack) -> [JSONValue] {
        nodes.flatMap(\.boots).flatMap(\.phases.unpaired).filter { $0.lack == lack }.map { mark in
            var members = Self.identity(mark.identity.source)
            members["kind"] = .string(mark.kind)
            members["seq"] = .integer(mark.identity.sequence)
            members["at_node_ns"] = .integer(mark.atNanoseconds)
            members["span"] = mark.span.map(JSONValue.integer)
            members["round"] = mark.round.map(JSONValue.integer)
            return .object(members)
        }
    }

    private static func json(_ node: Node) -> JSONValue {
        var totals: [String: Int64] = [:]
        for phase in node.boots.flatMap(\.phases.partition) {
            totals[phase.kind, default: 0] += phase.endNanoseconds - phase.beginNanoseconds
        }
        let boots = node.boots.map { boot -> JSONValue in
            var members: [String: JSONValue] = [
                "boot": .string(boot.phases.timeLine.boot), "clock": .string(boot.clock == nil ? "node" : "host"),
                "begin_ns": .integer(boot.onHost.extent.lowerBound), "end_ns": .integer(boot.onHost.extent.upperBound),
            ]
            if let clock = boot.clock {
                members["clock_bound_ns"] = .integer(clock.clock.boundNanoseconds)
                members["clock_rate_ppm"] = clock.ratePPM.map(JSONValue.number) ?? .null
                members["clock_bursts"] = .integer(Int64(clock.bursts.count))
            }
            return .object(members)
        }
        return .object([
            "boots": .array(boots),
            "totals_ns": .object(totals.mapValues(JSONValue.integer)),
            "phases": .array(node.boots.flatMap { phases($0, \.partition) }),
            "envelopes": .array(node.boots.flatMap { phases($0, \.envelopes) }),
            "nested": .array(node.boots.flatMap { phases($0, \.nested) }),
        ])
    }

    private static func phases(_ boot: Boot, _ which: KeyPath<NodePhases, [Phase]>) -> [JSONValue] {
        boot.onHost[keyPath: which].map { phase in
            var members: [String: JSONValue] = [
                "kind": .string(phase.kind), "begin_ns": .integer(phase.beginNanoseconds),
                "end_ns": .integer(phase.endNanoseconds), "origin": .string(phase.origin.rawValue),
                "boot": .string(boot.phases.timeLine.boot),
            ]
            if let round = phase.round { members["round"] = .integer(Int64(round)) }
            if let span = phase.span { members["span"] = .integer(Int64(span)) }
            if !phase.attributes.isEmpty { members["attr"] = .object(phase.attributes.mapValues(JSONValue.string)) }
            return .object(members)
        }
    }
}
