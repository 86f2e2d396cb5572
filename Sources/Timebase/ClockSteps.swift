/// Finds jumps of the arrival clock in "counter, arrival" pairs, to cut the fit there.
///
/// Delay only adds, so the smallest arrival-minus-counter of a 2 s block is steady to the crystal's drift; a step of the
/// arrival clock moves it for good. Late packets move single pairs, never the level of three blocks.
enum ClockSteps {
    /// One pair, both in ns, relative to the first pair; `excess` = arrival − counter.
    struct Pair {
        var counter: Int64
        var excess: Double
    }

    /// Indices into `pairs` (sorted by counter) at which a new stretch begins.
    static func cuts(in pairs: [Pair], blockNanoseconds: Int64, thresholdNanoseconds: Double) -> [Int] {
        var blocks: [(first: Int, last: Int, minimum: Double, at: Double)] = []
        for (index, pair) in pairs.enumerated() {
            let number = (pair.counter - pairs[0].counter) / blockNanoseconds
            if let last = blocks.last, (pairs[last.first].counter - pairs[0].counter) / blockNanoseconds == number {
                blocks[blocks.count - 1].last = index
                if pair.excess < last.minimum {
                    blocks[blocks.count - 1].minimum = pair.excess
                    blocks[blocks.count - 1].at = Double(pair.counter)
                }
            } else {
                blocks.append((index, index, pair.excess, Double(pair.counter)))
            }
        }
        guard blocks.count >= 2 else { return [] }
        // Rough rate: the median of block-to-block slopes does not see a few steps.
        let slopes = zip(blocks, blocks.dropFirst()).compactMap { a, b in
            b.at > a.at ? (b.minimum - a.minimum) / (b.at - a.at) : nil
        }.sorted()
        let rate = slopes.isEmpty ? 0 : slopes[slopes.count / 2]
        let levels = blocks.map { $0.minimum - rate * $0.at }
        var cuts: [Int] = []
        var start = 0
        var boundary = 1
        while boundary < blocks.count {
            let left = levels[max(start, boundary - 3)..<boundary].min() ?? 0
            // A single low block is a step back (nothing arrives early); a step forward must last three blocks.
            let lasting = levels[boundary..<min(boundary + 3, blocks.count)].min() ?? left
            let right = levels[boundary] < left - thresholdNanoseconds ? levels[boundary] : max(lasting, left)
            let jump = right - left
            guard abs(jump) > thresholdNanoseconds else {
                boundary += 1
                continue
            }
            // The exact pair: after a step forward nothing lies below the middle; before a step back nothing does.
            let middle = (left + right) / 2
            let range = blocks[max(start, boundary - 1)].first...blocks[min(boundary + 1, blocks.count - 1)].last
            let below = range.filter { pairs[$0].excess - rate * Double(pairs[$0].counter) < middle }
            let cut = jump > 0 ? (below.last.map { $0 + 1 } ?? range.lowerBound) : (below.first ?? range.upperBound)
            if cut > (cuts.last ?? 0), cut < pairs.count { cuts.append(cut) }
            // Go on behind the block that holds the cut, so that one step is counted once.
            while boundary < blocks.count, blocks[boundary].first < cut { boundary += 1 }
            start = boundary
            boundary += 1
        }
        return cuts
    }
}
