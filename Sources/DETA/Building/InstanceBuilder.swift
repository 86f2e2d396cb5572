package import Carbon
package import Foundation
import Quantities

/// Builds instances from calibrated boards: once with the central values, and as often as wanted with parameters drawn
/// from their covariance. A pure function of its fields.
///
/// ```swift
/// let builder = InstanceBuilder(name: "first-light", slotHours: 0.5, slots: 12, boards: boards,
///                               carbon: carbon, harvest: harvest, arrivals: arrivals)
/// let answer = try builder.plan([.none, .det, .dat, .deta], planner: Planner(solver: InstalledSolver.find().solver))
/// answer.reductions[.deta]   // value, 95 % interval
/// ```
package struct InstanceBuilder: Sendable {
    package var name: String
    package var note: String?
    package var slotHours: Double
    package var slots: Int
    package var boards: [BoardModel]
    /// g/kWh, one row of `slots` values for each board.
    package var carbon: [[Double]]
    /// Wh a slot, one row for each board.
    package var harvest: [[Double]]
    /// Batches a slot, one row for each board.
    package var arrivals: [[Double]]
    package var trade = Trade(capFraction: 0.5, efficiency: 0.9)
    package var offload: Offload
    package var barriers: [Int] = []
    package var terminalRule = TerminalRule.atLeastInitial
    package var gridCharging = false
    /// Standard uncertainty of all intensities by one common factor; nil if the source states none.
    package var carbonRelativeUncertainty: Double?

    package init(
        name: String, slotHours: Double, slots: Int, boards: [BoardModel], carbon: [[Double]], harvest: [[Double]],
        arrivals: [[Double]]
    ) {
        self.name = name
        self.slotHours = slotHours
        self.slots = slots
        self.boards = boards
        self.carbon = carbon
        self.harvest = harvest
        self.arrivals = arrivals
        offload = Offload(capFraction: 0.5, netCarbon: [Double](repeating: 0, count: max(0, slots)))
    }

    /// The instance with the central values.
    /// - Throws: `DETAError.invalid` with the path of the first thing that `deta solve` would refuse, too.
    package func instance() throws(DETAError) -> Instance {
        for (field, rows) in [("carbon", carbon), ("harvest", harvest), ("arrivals", arrivals)] {
            guard rows.count == boards.count else {
                throw .invalid(path: field, reason: "needs \(boards.count) rows, found \(rows.count)")
            }
            for (row, values) in rows.enumerated() where values.count != slots {
                throw .invalid(path: "\(field)[\(row)]", reason: "needs \(slots) values, found \(values.count)")
            }
        }
        let built = assemble(boards.map { $0.server($0.values) }, carbonFactor: 1)
        // One gate for all instances: what goes into a file is what a file must hold.
        return try Instance(json: built.json())
    }

    /// An instance with parameters drawn from the boards' covariances. Series and rules stay.
    package func sample(using random: inout SplitMix64, redrawn: inout Int) -> Instance {
        var servers: [Server] = []
        for board in boards { servers.append(board.server(board.draw(using: &random, redrawn: &redrawn))) }
        let factor = carbonRelativeUncertainty.map { max(0, 1 + $0 * random.normal()) } ?? 1
        return assemble(servers, carbonFactor: factor)
    }

    private func assemble(_ servers: [Server], carbonFactor: Double) -> Instance {
        var scaled = offload
        scaled.netCarbon = offload.netCarbon.map { $0 * carbonFactor }
        return Instance(
            name: name, note: note, slotHours: slotHours, slots: slots, servers: servers,
            carbon: carbon.flatMap { $0 }.map { $0 * carbonFactor }, harvest: harvest.flatMap { $0 },
            arrivals: arrivals.flatMap { $0 }, trade: trade, offload: scaled, barriers: barriers,
            terminalRule: terminalRule, gridCharging: gridCharging)
    }
}

extension InstanceBuilder {
    /// Fills `carbon` from a source: the mean intensity of each board's region over each slot.
    package mutating func setCarbon(from source: IntensitySource, start: Date) throws(CarbonError) {
        carbon = []
        for board in boards {
            var row: [Double] = []
            for t in 0..<slots {
                let begin = start.addingTimeInterval(Double(t) * slotHours * 3600)
                row.append(try source.mean(region: board.region, from: begin, seconds: slotHours * 3600).value)
            }
            carbon.append(row)
        }
        carbonRelativeUncertainty = source.relativeUncertainty
        note = [note, source.statement].compactMap { $0 }.joined(separator: "; ")
    }
}
