/// A sequence of busy and idle chips that a board plays on all cores, to find its clock in its own power trace.
///
/// Only sequences with one sharp correlation peak are of use; a square wave has equal peaks one period apart.
package struct SyncPattern: Sendable, Equatable {
    package var name: String
    /// true = busy.
    package var chips: [Bool]
    package var chipSeconds: Double

    /// - Throws: `patternTooShort` below 11 chips.
    package init(name: String, chips: [Bool], chipSeconds: Double) throws(TimebaseError) {
        guard chips.count >= 11, chipSeconds > 0 else { throw .patternTooShort(chips: chips.count) }
        self.name = name
        self.chips = chips
        self.chipSeconds = chipSeconds
    }

    private init(known name: String, _ text: String, chipSeconds: Double) {
        self.name = name
        chips = text.map { $0 == "1" }
        self.chipSeconds = chipSeconds
    }

    /// Maximum-length sequence of x⁶ + x⁵ + 1, 63 chips of 100 ms: 6.3 s at both ends of every run.
    package static let mls63 = SyncPattern(
        known: "mls63", "111111000001000011000101001111010001110010010110111011001101010", chipSeconds: 0.1)

    /// Barker code of length 13, chips of 200 ms: 2.6 s.
    package static let barker13 = SyncPattern(known: "barker13", "1111100110101", chipSeconds: 0.2)

    package var durationSeconds: Double { Double(chips.count) * chipSeconds }

    /// Zero-mean value per chip.
    var centred: [Double] {
        let mean = Double(chips.count { $0 }) / Double(chips.count)
        return chips.map { ($0 ? 1 : 0) - mean }
    }

    /// Chip edges, s from the beginning of the pattern: where the level changes, idle before and after.
    package var edges: [Double] {
        var edges: [Double] = []
        var level = false
        for (index, chip) in (chips + [false]).enumerated() where chip != level {
            edges.append(Double(index) * chipSeconds)
            level = chip
        }
        return edges
    }
}
