/// One CLOCK_MONOTONIC time line: a node between two boots. All its processes share it.
package struct TimeLine: Hashable, Sendable, Comparable {
    package var node: String
    /// First 12 hex digits of the kernel's boot id.
    package var boot: String

    package init(node: String, boot: String) {
        self.node = node
        self.boot = boot
    }

    package static func < (a: Self, b: Self) -> Bool { (a.node, a.boot) < (b.node, b.boot) }
}

/// One numbering process on a time line.
package struct SourceIdentity: Hashable, Sendable, Comparable {
    package var timeLine: TimeLine
    /// Process id in hex, dash, random: new in every process and after fork.
    package var source: String

    package init(timeLine: TimeLine, source: String) {
        self.timeLine = timeLine
        self.source = source
    }

    package init(node: String, boot: String, source: String) {
        self.init(timeLine: TimeLine(node: node, boot: boot), source: source)
    }

    package var node: String { timeLine.node }
    package var boot: String { timeLine.boot }

    package static func < (a: Self, b: Self) -> Bool { (a.timeLine, a.source) < (b.timeLine, b.source) }
}

/// What makes an event the same event however often and by whatever way it arrives.
package struct MarkerIdentity: Hashable, Sendable, Comparable {
    package var source: SourceIdentity
    /// 1, 2, 3, … within the source.
    package var sequence: Int64

    package init(source: SourceIdentity, sequence: Int64) {
        self.source = source
        self.sequence = sequence
    }

    package static func < (a: Self, b: Self) -> Bool { (a.source, a.sequence) < (b.source, b.sequence) }
}
