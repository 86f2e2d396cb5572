/// What is assumed inside one gap: straight lines between the levels on both sides, steps at known changes, or the mean
/// course of a repeating cycle.
///
/// A gap that holds a known change (a phase edge, the end of a batch) is filled with the level of the left side up to
/// the first change, the level of the right side after the last, and the straight line between the two in between.
package struct GapFill: Sendable, Equatable {
    /// Level of V·I (µV·µA), V (µV), I (µA).
    typealias Level = SIMD4<Double>

    struct Piece: Sendable, Equatable {
        var begin: Double
        var end: Double
        var from: Level
        var to: Level
    }

    /// Last tick before, first tick after.
    package let begin: Double
    package let end: Double
    let pieces: [Piece]
    /// Jump of the raw power across the gap, µV·µA.
    package var jump: Double { (pieces.last?.to[0] ?? 0) - (pieces.first?.from[0] ?? 0) }
    package let holdsChange: Bool
    /// Filled with the mean course of a cycle.
    let followsCycle: Bool
    /// Samples missing per sample interval of the gap: m / (m + 1).
    let missingShare: Double

    /// Samples averaged on each side for a level: at 1 kHz five independent conversions.
    static let levelSamples = 10

    static func fills(of trace: MeterTrace, changes: [Double], profile: CycleProfile?) -> [GapFill] {
        zip(trace.runs, trace.runs.dropFirst()).map { left, right in
            let begin = left.lastTick(spacing: trace.ticksPerSample)
            let leftEnd = left.start + left.count
            // A level never reaches across a known change: the samples beyond it belong to another phase.
            let outside = changesInside(Double(begin) - 30, Double(right.firstTick) + 30, changes)
            let before = outside.last { $0 <= Double(begin) - settleTicks }
            let after = outside.first { $0 >= Double(right.firstTick) + 2 }
            let reachBack = before.map { max(1, Int(Double(begin) - $0 - 3)) } ?? levelSamples
            let reachOn = after.map { max(1, Int($0 - Double(right.firstTick))) } ?? levelSamples
            let from = level(trace, max(left.start, leftEnd - min(levelSamples, reachBack))..<leftEnd)
            let to = level(
                trace, right.start..<min(right.start + right.count, right.start + min(levelSamples, reachOn)))
            return fill(trace, begin, right.firstTick, from: from, to: to, changes: changes, profile: profile)
        }
    }

    /// The rule for one hole, real or tried.
    static func fill(
        _ trace: MeterTrace, _ first: Int64, _ last: Int64, from: Level, to: Level, changes: [Double],
        profile: CycleProfile?
    ) -> GapFill {
        let (begin, end) = (Double(first), Double(last))
        let inside = changesAffecting(begin, end, changes)
        let spacing = Double(trace.ticksPerSample)
        if let profile, profile.cycle(at: begin) != nil || profile.cycle(at: end) != nil {
            return GapFill(begin: begin, end: end, from: from, to: to, changes: inside, profile, trace)
        }
        return GapFill(begin: begin, end: end, from: from, to: to, changes: inside, spacing: spacing)
    }

    private init(begin: Double, end: Double, from: Level, to: Level, changes: [Double], spacing: Double) {
        missingShare = max(0, 1 - spacing / (end - begin))
        self.begin = begin
        self.end = end
        holdsChange = !changes.isEmpty
        followsCycle = false
        if let first = changes.first, let last = changes.last {
            var pieces = [Piece(begin: begin, end: first, from: from, to: from)]
            if last > first { pieces.append(Piece(begin: first, end: last, from: from, to: to)) }
            pieces.append(Piece(begin: last, end: end, from: to, to: to))
            self.pieces = pieces
        } else {
            pieces = [Piece(begin: begin, end: end, from: from, to: to)]
        }
    }

    /// One piece per tick: the profile where a cycle is, the level of the nearer side elsewhere.
    private init(
        begin: Double, end: Double, from: Level, to: Level, changes: [Double], _ profile: CycleProfile,
        _ trace: MeterTrace
    ) {
        missingShare = max(0, 1 - 1 / (end - begin))
        holdsChange = !changes.isEmpty
        followsCycle = true
        let excess = profile.excess(trace, around: begin, end)
        let firstInside = changes.first ?? end
        pieces = stride(from: begin, to: end, by: 1).map { tick in
            let middle = tick + 0.5
            let level = profile.level(at: middle).map { $0 + excess } ?? (middle < firstInside ? from : to)
            return Piece(begin: tick, end: tick + 1, from: level, to: level)
        }
        self.begin = begin
        self.end = end
    }

    /// Ticks after a change until its level can be read (supply time constants of some ms).
    static let settleTicks = 8.0

    /// The known changes inside a gap; one that lies just before it, or on its far border, counts as at that border,
    /// because the level on that side could not be read.
    static func changesAffecting(_ begin: Double, _ end: Double, _ changes: [Double]) -> [Double] {
        changesInside(begin - settleTicks, end + 2, changes).map { min(max($0, begin), end) }
    }

    /// The known changes strictly inside an interval; `changes` ascending.
    static func changesInside(_ begin: Double, _ end: Double, _ changes: [Double]) -> [Double] {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle] <= begin { low = middle + 1 } else { high = middle }
        }
        return Array(changes[low...].prefix { $0 < end })
    }

    private static func level(_ trace: MeterTrace, _ range: Range<Int>) -> Level {
        BlockSums.sums(trace.microvolts, trace.microamperes, range) / Double(range.count)
    }

    /// Integral from the beginning of the gap to a tick inside it.
    func integral(until tick: Double) -> CumulativeReadings.Integral {
        var sum = Level()
        for piece in pieces where tick > piece.begin && piece.end > piece.begin {
            let reach = min(tick, piece.end) - piece.begin
            let slope = (piece.to - piece.from) / (piece.end - piece.begin)
            sum += piece.from * reach + slope * (0.5 * reach * reach)
        }
        let ticks = min(max(tick - begin, 0), end - begin)
        return CumulativeReadings.Integral(
            product: sum[0], volts: sum[1], amperes: sum[2], ticks: ticks, gapTicks: ticks * missingShare)
    }
}
