/// A set of event numbers kept as ranges: days of gap-free events cost one range.
package struct SequenceSet: Sendable, Equatable {
    /// Sorted, neither touching nor overlapping.
    package private(set) var ranges: [ClosedRange<Int64>] = []

    package init() {}

    package var count: Int64 { ranges.reduce(0) { $0 + ($1.upperBound - $1.lowerBound + 1) } }
    package var max: Int64? { ranges.last?.upperBound }

    /// Index of the first range whose upper bound is at least `value`.
    private func index(_ value: Int64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package func contains(_ value: Int64) -> Bool {
        let at = index(value)
        return at < ranges.count && ranges[at].contains(value)
    }

    /// False if the number was there already.
    @discardableResult
    package mutating func insert(_ value: Int64) -> Bool {
        let at = index(value)
        if at < ranges.count, ranges[at].contains(value) { return false }
        let joinsLeft = at > 0 && ranges[at - 1].upperBound == value - 1
        let joinsRight = at < ranges.count && ranges[at].lowerBound == value + 1
        switch (joinsLeft, joinsRight) {
        case (true, true):
            ranges[at - 1] = ranges[at - 1].lowerBound...ranges[at].upperBound
            ranges.remove(at: at)
        case (true, false): ranges[at - 1] = ranges[at - 1].lowerBound...value
        case (false, true): ranges[at] = value...ranges[at].upperBound
        case (false, false): ranges.insert(value...value, at: at)
        }
        return true
    }

    /// The holes in `1...last`.
    package func missing(upTo last: Int64) -> [ClosedRange<Int64>] {
        var holes: [ClosedRange<Int64>] = []
        var next: Int64 = 1
        for range in ranges where range.upperBound >= next {
            if range.lowerBound > last { break }
            if range.lowerBound > next { holes.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        if next <= last { holes.append(next...last) }
        return holes
    }
}
