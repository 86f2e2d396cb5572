import Bench
import Campaign
import Foundation
import MeterDriver
import VirtualBench

/// A bench file played by the virtual bench: same boards, meters, nodes and lines, no hardware.
struct EmulatedBench: Workload {
    let world: VirtualBench
    private let nodes: [String]

    init(_ bench: BenchFile, model: EmulatedModel = .km001c, seed: UInt64? = nil) {
        nodes = bench.boards.map(\.node)
        let seed = seed ?? bench.virtualSeed ?? 1
        var description = BenchDescription(boards: bench.boards.count, seed: seed, clock: .real)
        description.model = model
        world = VirtualBench(
            description,
            boardTruths: bench.boards.map { BoardTruth(name: $0.name, seed: seed) },
            meterTruths: bench.boards.map { board in
                var truth = MeterTruth(serial: board.meter, model: model, board: board.name, seed: seed)
                truth.currentSign = Double(board.currentSign)
                return truth
            },
            nodeTruths: bench.boards.map { NodeTruth(name: $0.node, board: $0.name, seed: seed) })
    }

    /// A hub whose meters are the emulated ones.
    func makeHub(settings: HubSettings) -> MeterHub {
        MeterHub(settings: settings) { [world] in world.makeBus() }
    }

    func perform(_ stage: Stage, number: Int) async throws {
        let begin = HostTime.nowNanoseconds + 300_000_000
        var end = begin
        switch stage {
        case .steps(let plan):
            let phases = plan.points.enumerated().map { index, point in
                ScheduledPhase.step(
                    megahertz: Int(point.frequencyMHz), cores: point.cores,
                    sendMbitPerSecond: point.transmitMbitPerSecond,
                    receiveMbitPerSecond: point.receiveMbitPerSecond, seconds: plan.stepSeconds, index: index)
            }
            for node in nodes {
                end = max(end, world.play(phases, on: node, notBefore: begin) ?? end)
            }
        case .workload(let plan):
            var schedule = FedAvgSchedule()
            schedule.rounds = plan.rounds
            schedule.batchesPerRound = plan.batchesPerRound
            end = world.play(schedule, seed: UInt64(number) &+ world.description.seed, notBefore: begin)
        case .baseline, .sleep: return
        }
        while HostTime.nowNanoseconds < end + 200_000_000 {
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
