import Calibration
package import Campaign
package import Carbon
package import DETA
import Foundation
import Quantities

/// What a plan is made for, beside the boards: horizon, workload, sun and carbon.
package struct PlanAssumptions: Sendable, Equatable, Codable {
    package var slotHours = 1.0
    package var slots = 24
    /// Slots of a federated round; all work of a round is done at its end.
    package var roundSlots = 12
    /// Share of a board's capacity that arrives as work in every slot.
    package var busyShare = 0.4
    /// Batches that may wait, in slots of capacity.
    package var storageSlots = 12.0
    /// Output of a panel at noon over its rated power; the profile is a half sine from 6 to 18 h (clear sky).
    package var noonShare = 0.6
    /// One-way efficiencies of a battery, and loss per slot.
    package var batteryEfficiency = 0.95
    package var batteryLossPerSlot = 0.0005
    /// Carbon source of the shipped library; nil: the constant of bench.yaml.
    package var carbonSource: String?
    /// First hour of the horizon in the carbon source, ISO 8601.
    package var start = "2023-06-12T06:00:00Z"
    package init() {}
}

/// Why no instance could be built.
package enum PlanFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case noModel(board: String)
    case missing(board: String, what: String)
    case noCarbon(board: String, region: String)
    case horizon(slots: Int, roundSlots: Int)

    package var description: String {
        switch self {
        case .noModel(let board): "the models know no board '\(board)'; fit them from a run of this bench"
        case .missing(let board, let what):
            "board '\(board)': the models have no \(what); the campaign needs the stage that measures it"
        case .noCarbon(let board, let region):
            "board '\(board)': no carbon intensity for region '\(region)'; state carbon_g_per_kwh in bench.yaml or choose a "
                + "carbon source that knows the region"
        case .horizon(let slots, let round): "the horizon of \(slots) slots is not a multiple of the round of \(round)"
        }
    }
}

/// Turns fitted models and a bench into an instance of the optimiser.
package enum PlanBuilder {
    /// - Throws: `PlanFailure`, `CarbonError`, `DETAError`.
    package static func builder(
        bench: BenchFile, models: BenchModels, assumptions: PlanAssumptions, carbon source: IntensitySource?
    ) throws -> InstanceBuilder {
        let plan = assumptions
        guard plan.slots > 0, plan.roundSlots > 0, plan.slots % plan.roundSlots == 0 else {
            throw PlanFailure.horizon(slots: plan.slots, roundSlots: plan.roundSlots)
        }
        var boards: [BoardModel] = []
        var harvest: [[Double]] = []
        var arrivals: [[Double]] = []
        for board in bench.boards {
            guard let model = models.boards.first(where: { $0.board == board.name }) else {
                throw PlanFailure.noModel(board: board.name)
            }
            let built = try Self.model(board, model, plan)
            boards.append(built)
            let capacity = built.values[BoardModel.Parameter.capacityBatches.rawValue]
            arrivals.append([Double](repeating: (plan.busyShare * capacity).rounded(), count: plan.slots))
            harvest.append(Self.harvest(board.panelWatts, plan))
        }
        var carbon: [[Double]] = []
        if source == nil {
            for board in bench.boards {
                guard let grams = board.carbonGramsPerKilowattHour else {
                    throw PlanFailure.noCarbon(board: board.name, region: board.region)
                }
                carbon.append([Double](repeating: grams, count: plan.slots))
            }
        }
        var builder = InstanceBuilder(
            name: bench.name, slotHours: plan.slotHours, slots: plan.slots, boards: boards, carbon: carbon,
            harvest: harvest, arrivals: arrivals)
        builder.barriers = stride(from: plan.roundSlots - 1, to: plan.slots, by: plan.roundSlots).map(\.self)
        builder.note =
            "power models from \(models.run); workload: \(plan.busyShare) of capacity in every slot, rounds of "
            + "\(plan.roundSlots) slots; sun: half sine, noon at \(plan.noonShare) of the panel"
        if let source {
            let start = try Date(plan.start, strategy: .iso8601)
            try builder.setCarbon(from: source, start: start)
        } else {
            builder.note? += "; carbon: constants of bench.yaml"
        }
        return builder
    }

    private static func model(
        _ board: BenchFile.Board, _ model: BenchModels.Board, _ plan: PlanAssumptions
    ) throws -> BoardModel {
        func need(_ estimate: Estimate?, _ what: String) throws(PlanFailure) -> Estimate {
            guard let estimate else { throw .missing(board: board.name, what: what) }
            return estimate
        }
        let sleep = try need(model.pSleepW, "sleep power")
        let batch = try need(model.eBatchWh, "energy per batch")
        let seconds = try need(model.batchS, "time per batch")
        let wake = try need(model.wakeWh, "wake energy")
        let wakeSeconds = try need(model.wakeS, "wake time")
        let slotSeconds = plan.slotHours * 3600
        let capacity = slotSeconds / seconds.value
        let battery = board.battery.map {
            Battery(
                capacityWh: $0.capacityWattHours, initialWh: $0.initialWattHours, maxChargeW: $0.maxChargeWatts,
                maxDischargeW: $0.maxDischargeWatts, etaCharge: plan.batteryEfficiency,
                etaDischarge: plan.batteryEfficiency, selfDischargePerSlot: plan.batteryLossPerSlot)
        }
        return try BoardModel(
            id: board.name, region: board.region, idle: Quantity(model.pIdleW.value, u: model.pIdleW.u),
            sleep: Quantity(sleep.value, u: sleep.u), batch: Quantity(batch.value, u: batch.u),
            wake: Quantity(wake.value, u: wake.u),
            wakeSlotFraction: Quantity(
                min(1, wakeSeconds.value / slotSeconds), u: wakeSeconds.u / slotSeconds),
            capacityBatches: Quantity(capacity, u: capacity * seconds.u / seconds.value),
            storageBatches: plan.storageSlots * capacity, battery: battery ?? .none)
    }

    /// Wh per slot of a clear day: half a sine from 6 to 18 h of the horizon's own clock, which starts at midnight.
    private static func harvest(_ panelWatts: Double, _ plan: PlanAssumptions) -> [Double] {
        (0..<plan.slots).map { slot in
            let hour = ((Double(slot) + 0.5) * plan.slotHours).truncatingRemainder(dividingBy: 24)
            guard hour > 6, hour < 18 else { return 0 }
            return panelWatts * plan.noonShare * sin((hour - 6) / 12 * .pi) * plan.slotHours
        }
    }
}
