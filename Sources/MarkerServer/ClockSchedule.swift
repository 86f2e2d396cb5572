import PhaseLink

/// When which node may be asked for its clock: pure, events in, decisions out.
///
/// A node is asked right when it becomes known and then at least every `interval` while it is quiet, that is, while
/// none of its spans but the enclosing ones (`run`, `app_wait`) is open: a ping costs radio energy, which must not be
/// added to a measured phase.
struct ClockSchedule: Sendable {
    private struct Node {
        var timeLine: TimeLine
        var lastBurst: Int64?
        var open: [SourceIdentity: Set<Int64>] = [:]
        var isQuiet: Bool { open.isEmpty }
    }

    private var nodes: [String: Node] = [:]
    private let interval: Int64

    init(interval: Int64) { self.interval = interval }

    mutating func add(_ timeLine: TimeLine) {
        if nodes[timeLine.node]?.timeLine == timeLine { return }
        // A new boot starts a new fit, and no span of the old one is open any more.
        nodes[timeLine.node] = Node(timeLine: timeLine)
    }

    func timeLine(of node: String) -> TimeLine? { nodes[node]?.timeLine }
    func isQuiet(_ node: String) -> Bool { nodes[node]?.isQuiet ?? false }
    var known: [TimeLine] { nodes.values.map(\.timeLine) }

    mutating func note(_ event: MarkerEvent) {
        guard var node = nodes[event.source.node], node.timeLine == event.timeLine else { return }
        switch event.body {
        case .bye: node.open[event.source] = nil
        case .mark(let mark):
            // What the node sends or receives next shows that a killed client's span is over.
            if mark.phase == PhaseKind.modelDownload, mark.edge == .begin { node.open = [:] }
            if mark.phase == PhaseKind.run || PhaseKind.isEnvelope(mark.phase) { break }
            let span = mark.span ?? 0
            switch mark.edge {
            case .begin: node.open[event.source, default: []].insert(span)
            case .end:
                node.open[event.source]?.remove(span)
                if node.open[event.source]?.isEmpty == true { node.open[event.source] = nil }
            case .point: break
            }
        default: break
        }
        nodes[event.source.node] = node
    }

    mutating func note(closed source: SourceIdentity) { nodes[source.node]?.open[source] = nil }

    /// Nodes to ask now; each counts as asked.
    mutating func due(at now: Int64, all: Bool = false) -> [TimeLine] {
        var due: [TimeLine] = []
        for (name, node) in nodes.sorted(by: { $0.key < $1.key }) where node.isQuiet {
            guard all || node.lastBurst.map({ now - $0 >= interval }) ?? true else { continue }
            nodes[name]?.lastBurst = now
            due.append(node.timeLine)
        }
        return due
    }
}
