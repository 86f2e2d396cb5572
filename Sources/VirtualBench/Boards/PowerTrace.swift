/// The true voltage and current at the meter's plane, constant within cells of at most one millisecond.
///
/// That makes every integral exact: the emulated converter and the truth files integrate the same cells. Only the last
/// seconds are kept; running totals reach back to the beginning.
package struct PowerTrace: Sendable {
    package struct Cell: Sendable {
        package var begin: Int64
        package var volts: Double
        package var amps: Double
        package var boardWatts: Double
        /// Totals from the beginning up to `begin`: energy at meter and board plane, J; charge, C.
        var energy: Double
        var boardEnergy: Double
        var charge: Double
    }

    package enum Channel: Sendable { case volts, amps }

    private(set) var cells: [Cell] = []
    /// Everything before this time is decided, ns.
    private(set) var knownUntil: Int64
    let beginning: Int64
    private let retainedCells: Int

    package init(beginning: Int64, retainedSeconds: Double = 4) {
        self.beginning = beginning
        knownUntil = beginning
        retainedCells = Int(retainedSeconds * 1000)
        cells.reserveCapacity(3 * retainedCells)
    }

    /// Opens a cell at `begin`; the one before ends there. A cell of no length is replaced.
    mutating func open(at begin: Int64, volts: Double, amps: Double, boardWatts: Double) {
        var cell = Cell(
            begin: begin, volts: volts, amps: amps, boardWatts: boardWatts, energy: 0, boardEnergy: 0, charge: 0)
        if let last = cells.last {
            if last.begin == begin {
                cell.energy = last.energy
                cell.boardEnergy = last.boardEnergy
                cell.charge = last.charge
                cells[cells.count - 1] = cell
                return
            }
            let seconds = Double(begin - last.begin) * 1e-9
            cell.energy = last.energy + last.volts * last.amps * seconds
            cell.boardEnergy = last.boardEnergy + last.boardWatts * seconds
            cell.charge = last.charge + last.amps * seconds
        }
        if cells.count >= 3 * retainedCells { cells.removeFirst(cells.count - retainedCells) }
        cells.append(cell)
        if begin > knownUntil { knownUntil = begin }
    }

    mutating func extendKnowledge(to time: Int64) { if time > knownUntil { knownUntil = time } }

    /// Oldest time that can still be asked for.
    package var oldest: Int64 { cells.first?.begin ?? beginning }

    /// Index of the cell that holds `time`; times outside are given the nearest cell.
    private func index(of time: Int64) -> Int {
        var low = 0
        var high = cells.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if cells[middle].begin <= time { low = middle } else { high = middle - 1 }
        }
        return low
    }

    /// Exact mean of one channel over `[from, to)`; nil if that stretch is not known (any more) or empty.
    package func mean(_ channel: Channel, from: Int64, to: Int64) -> Double? {
        guard to > from, from >= oldest, to <= knownUntil, !cells.isEmpty else { return nil }
        var sum = 0.0
        var at = from
        var i = index(of: from)
        while at < to {
            let end = i + 1 < cells.count ? min(cells[i + 1].begin, to) : to
            sum += (channel == .volts ? cells[i].volts : cells[i].amps) * Double(end - at)
            at = end
            i += 1
        }
        return sum / Double(to - from)
    }

    /// Running totals at `time`, from the beginning of the bench; nil if not known (any more).
    package func totals(at time: Int64) -> PowerTotals? {
        guard time >= oldest, time <= knownUntil, !cells.isEmpty else { return nil }
        let cell = cells[index(of: time)]
        let seconds = Double(time - cell.begin) * 1e-9
        return PowerTotals(
            meterJoules: cell.energy + cell.volts * cell.amps * seconds,
            boardJoules: cell.boardEnergy + cell.boardWatts * seconds,
            coulombs: cell.charge + cell.amps * seconds)
    }
}

/// Energy and charge from the beginning of the bench to a moment.
package struct PowerTotals: Codable, Sendable, Equatable {
    package var meterJoules: Double
    package var boardJoules: Double
    package var coulombs: Double

    package static func - (a: Self, b: Self) -> Self {
        Self(
            meterJoules: a.meterJoules - b.meterJoules, boardJoules: a.boardJoules - b.boardJoules,
            coulombs: a.coulombs - b.coulombs)
    }
}
