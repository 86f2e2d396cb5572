import Timebase

extension MarkerLine {
    /// The line as JSON without its line break. Key order as in the protocol's description.
    package var encoded: String {
        var writer = LineWriter()
        switch self {
        case .event(let event): writer.add(event)
        case .ack(let source, let sequence):
            writer.add("t", "ack")
            writer.add("src", source)
            writer.add("seq", sequence)
        case .ping(let id, let t1): writer.add(kind: "ping", id, [("t1", t1)])
        case .pong(let id, let t1, let t2, let t3, let timeLine):
            writer.add(kind: "pong", id, [("t1", t1), ("t2", t2), ("t3", t3)])
            if let timeLine {
                writer.add("node", timeLine.node)
                writer.add("boot", timeLine.boot)
            }
        case .syncRequest(let id, let t1): writer.add(kind: "sync_req", id, [("t1", t1)])
        case .syncResponse(let id, let t1, let t2, let t3):
            writer.add(kind: "sync_resp", id, [("t1", t1), ("t2", t2), ("t3", t3)])
        case .auth(let token):
            writer.add("t", "auth")
            writer.add("token", token)
        case .refused(let reason):
            writer.add("t", "refused")
            writer.add("reason", reason)
        case .unknown(let kind): writer.add("t", kind)
        }
        return writer.line
    }
}

private struct LineWriter {
    private var out = "{"

    var line: String { out + "}" }

    private mutating func key(_ name: String) {
        if out.utf8.count > 1 { out += "," }
        out += "\"\(name)\":"
    }

    mutating func add(_ name: String, _ text: String?) {
        guard let text else { return }
        key(name)
        JSONValue.writeString(text, to: &out)
    }

    mutating func add(_ name: String, _ integer: Int64?) {
        guard let integer else { return }
        key(name)
        out += String(integer)
    }

    mutating func add(kind: String, _ id: Int64, _ stamps: [(String, Int64)]) {
        add("t", kind)
        add("id", id)
        for stamp in stamps { add(stamp.0, stamp.1) }
    }

    mutating func add(_ event: MarkerEvent) {
        add("v", 1)
        add("node", event.source.node)
        add("boot", event.source.boot)
        add("src", event.source.source)
        add("seq", event.identity.sequence)
        add("mono", event.monoNanoseconds)
        add("wall", event.wallNanoseconds)
        add("run", event.run)
        add("t", event.kind)
        switch event.body {
        case .hello(let role, let pid, let program):
            add("role", role)
            add("pid", pid)
            add("prog", program)
        case .mark(let mark):
            add("ev", mark.edge.rawValue)
            add("ph", mark.phase)
            add("span", mark.span)
            add("round", mark.round)
        case .bye(let last): add("last", last)
        case .clock(let stamps):
            add("t1", stamps.t1)
            add("t2", stamps.t2)
            add("t3", stamps.t3)
            add("t4", stamps.t4)
        case .heartbeat, .telemetry, .other: break
        }
        if !event.attributes.isEmpty {
            key("attr")
            JSONValue.object(event.attributes).write(to: &out)
        }
    }
}
