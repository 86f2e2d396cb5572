import Timebase

extension MarkerLine {
    private typealias Members = [String: JSONValue]

    /// Reads one line (without its line break). Unknown fields are ignored; stamps must be integers.
    package init(decoding bytes: ArraySlice<UInt8>) throws(MarkerLineFailure) {
        guard bytes.count <= Self.byteLimit else { throw .tooLong(bytes: bytes.count) }
        let value: JSONValue
        do throws(JSONScanner.Failure) {
            value = try JSONScanner.value(of: bytes)
        } catch {
            throw .notJSON(offset: error.offset, reason: error.reason)
        }
        guard case .object(let members) = value else { throw .notAnObject }
        try self.init(members)
    }

    package init(decoding text: String) throws(MarkerLineFailure) {
        try self.init(decoding: Array(text.utf8)[...])
    }

    private init(_ members: Members) throws(MarkerLineFailure) {
        let kind = try Self.text("t", in: members)
        switch kind {
        case "ack":
            self = .ack(source: try Self.text("src", in: members), sequence: try Self.integer("seq", in: members))
        case "ping":
            self = .ping(id: try Self.integer("id", in: members), t1: try Self.integer("t1", in: members))
        case "sync_req":
            self = .syncRequest(id: try Self.integer("id", in: members), t1: try Self.integer("t1", in: members))
        case "pong":
            var timeLine: TimeLine?
            if let node = members["node"]?.string, let boot = members["boot"]?.string {
                timeLine = TimeLine(node: node, boot: boot)
            }
            self = .pong(
                id: try Self.integer("id", in: members), t1: try Self.integer("t1", in: members),
                t2: try Self.integer("t2", in: members), t3: try Self.integer("t3", in: members), timeLine: timeLine)
        case "sync_resp":
            self = .syncResponse(
                id: try Self.integer("id", in: members), t1: try Self.integer("t1", in: members),
                t2: try Self.integer("t2", in: members), t3: try Self.integer("t3", in: members))
        case "auth": self = .auth(token: try Self.text("token", in: members))
        case "refused": self = .refused(reason: members["reason"]?.string ?? "")
        default: self = try Self.event(kind: kind, members)
        }
    }

    private static func event(kind: String, _ members: Members) throws(MarkerLineFailure) -> MarkerLine {
        let known = ["hello", "mark", "bye", "hb", "clk", "tel"].contains(kind)
        // A later version of the protocol may mean something else by the same words.
        let isOurVersion = members["v"].map { $0 == .integer(1) } ?? true
        if !known || !isOurVersion {
            guard let event = try? base(members, body: .other(kind)) else { return .unknown(kind: kind) }
            return .event(event)
        }
        // A heartbeat without a number says only that the sender lives.
        if kind == "hb", members["seq"] == nil { return .unknown(kind: kind) }
        return .event(try base(members, body: try body(kind: kind, members)))
    }

    private static func body(kind: String, _ members: Members) throws(MarkerLineFailure) -> MarkerEvent.Body {
        switch kind {
        case "hello":
            return .hello(
                role: members["role"]?.string, pid: members["pid"]?.integer, program: members["prog"]?.string)
        case "mark":
            let word = try text("ev", in: members)
            guard let edge = MarkerEvent.Edge(rawValue: word) else {
                throw .field(name: "ev", expected: "begin, end or point", found: "\"\(word)\"")
            }
            return .mark(
                MarkerEvent.Mark(
                    edge: edge, phase: try text("ph", in: members), span: try optionalInteger("span", in: members),
                    round: try optionalInteger("round", in: members)))
        case "bye":
            let own = try integer("seq", in: members)
            return .bye(last: max(own, try optionalInteger("last", in: members) ?? own))
        case "clk":
            let stamps = members["t1"] == nil ? members["attr"]?.object ?? [:] : members
            return .clock(
                FourStamps(
                    t1: try integer("t1", in: stamps), t2: try integer("t2", in: stamps),
                    t3: try integer("t3", in: stamps), t4: try integer("t4", in: stamps)))
        case "tel": return .telemetry
        default: return .heartbeat
        }
    }

    private static func base(_ members: Members, body: MarkerEvent.Body) throws(MarkerLineFailure) -> MarkerEvent {
        let source = SourceIdentity(
            node: try text("node", in: members), boot: try text("boot", in: members),
            source: try text("src", in: members))
        let sequence = try integer("seq", in: members)
        // The top value stays free so that "one past the last" never overflows.
        guard (1..<Int64.max).contains(sequence) else {
            throw .field(name: "seq", expected: "1 or more", found: String(sequence))
        }
        let mono = try integer("mono", in: members)
        guard mono >= 0 else { throw .field(name: "mono", expected: "0 or more", found: String(mono)) }
        return MarkerEvent(
            identity: MarkerIdentity(source: source, sequence: sequence), monoNanoseconds: mono,
            wallNanoseconds: try optionalInteger("wall", in: members), run: members["run"]?.string, body: body,
            attributes: members["attr"]?.object ?? [:])
    }

    private static func text(_ name: String, in members: Members) throws(MarkerLineFailure) -> String {
        guard let value = members[name]?.string, !value.isEmpty else {
            throw .field(name: name, expected: "a text, not empty", found: found(members[name]))
        }
        return value
    }

    private static func integer(_ name: String, in members: Members) throws(MarkerLineFailure) -> Int64 {
        guard let value = members[name]?.integer else {
            throw .field(
                name: name, expected: "an integer of 64 bits, without fraction or exponent",
                found: found(members[name]))
        }
        return value
    }

    private static func optionalInteger(_ name: String, in members: Members) throws(MarkerLineFailure) -> Int64? {
        if members[name] == nil || members[name] == .null { return nil }
        return try integer(name, in: members)
    }

    private static func found(_ value: JSONValue?) -> String {
        guard let value else { return "nothing" }
        return String(value.encoded.prefix(60))
    }
}
