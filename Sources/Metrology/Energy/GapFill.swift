/// What is assumed inside one gap: straight lines between the levels on both sides, or steps at known changes.
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
    /// Samples missing per sample interval of the gap: m / (m + 1).
    let missingShare: Double

    /// Samples averaged on each side for a level: at 1 kHz five independent conversions.
    static let levelSamples = 10

    static func fills(of trace: MeterTrace, changes: [Double]) -> [GapFill] {
        zip(trace.runs, trace.runs.dropFirst()).map { left, right in
            let begin = Double(left.lastTick(spacing: trace.ticksPerSample))
            let end = Double(right.firstTick)
            let inside = changesInside(begin, end, changes)
            let leftEnd = left.start + left.count
            let from = level(trace, max(left.start, leftEnd - levelSamples)..<leftEnd)
            let to = level(trace, right.start..<min(right.start + right.count, right.start + levelSamples))
            return GapFill(
                begin: begin, end: end, from: from, to: to, changes: inside, spacing: Double(trace.ticksPerSample))
        }
    }

    init(begin: Double, end: Double, from: Level, to: Level, changes: [Double], spacing: Double) {
        missingShare = max(0, 1 - spacing / (end - begin))
        self.begin = begin
        self.end = end
        holdsChange = !changes.isEmpty
        if let first = changes.first, let last = changes.last {
            var pieces = [Piece(begin: begin, end: first, from: from, to: from)]
            if last > first { pieces.append(Piece(begin: first, end: last, from: from, to: to)) }
            pieces.append(Piece(begin: last, end: end, from: to, to: to))
            self.pieces = pieces
        } else {
            pieces = [Piece(begin: begin, end: end, from: from, to: to)]
        }
    }

    private static func changesInside(_ begin: Double, _ end: Double, _ changes: [Double]) -> [Double] {
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
