import BoardControl
import Campaign
import Synchronization
import Testing
import Traces

@testable import Bench

/// Boards behind lines: a shutdown pulse makes a board fall asleep, a GLOBAL_EN pulse wakes it.
final class PlayedBoards: GPIOLines {
    let watts = Mutex<[Int: Double]>([:])
    func request(_ lines: [LineRequest], consumer: String) throws(GPIOFailure) {}
    func set(_ address: LineAddress, asserted: Bool) throws(GPIOFailure) {
        guard !asserted else { return }
        watts.withLock { $0[address.offset / 2] = address.offset % 2 == 0 ? 0.17 : 3.0 }
    }
    func isAsserted(_ address: LineAddress) throws(GPIOFailure) -> Bool { false }
    func release() {}
}

@Suite struct BoardFleetTests {
    static func bench(boards: Int, safe: String = "on") throws -> BenchFile {
        let text =
            "wattbench: 1\nname: t\nboards:\n"
            + (0..<boards).map { index in
                """
                  - name: pi\(index)
                    meter: VB\(index)
                    region: X
                    safe_state: \(safe)
                    lines:
                      - {role: shutdown_request, chip: v, offset: \(2 * index)}
                      - {role: global_en, chip: v, offset: \(2 * index + 1)}

                """
            }.joined()
        return try BenchFile(yaml: text, file: "bench.yaml")
    }

    struct NoWorkload: Workload { func perform(_ stage: Stage, number: Int) async throws {} }
    struct Broken: Error {}
    struct BrokenWorkload: Workload { func perform(_ stage: Stage, number: Int) async throws { throw Broken() } }

    /// Runs stages against played boards whose meters and nodes answer every few milliseconds of a fast clock.
    static func run(
        _ stages: [Stage], bench: BenchFile, workload: any Workload, boards: PlayedBoards = PlayedBoards()
    ) async throws -> RunOutcome {
        let clock = Mutex<Int64>(0)
        let now: @Sendable () -> Int64 = { clock.withLock { $0 } }
        let fleet = try BoardFleet(bench: bench, lines: boards, note: { _ in })
        let world = Task {
            while !Task.isCancelled {
                let time = clock.withLock { value -> Int64 in
                    value += 250_000_000
                    return value
                }
                for index in bench.boards.indices {
                    let watts = boards.watts.withLock { $0[index] ?? 3.0 }
                    await fleet.hear(
                        .init(
                            meter: "VB\(index)", meanWatts: watts, lengthNanoseconds: 250_000_000, endNanoseconds: time,
                            samples: 250))
                    if watts > 2 { await fleet.hello(fromNode: "pi\(index)", atNanoseconds: time) }
                }
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
        defer { world.cancel() }
        return try await RunEngine(
            stages: stages, boards: bench.boards.map(\.name), fleet: fleet, workload: workload, now: now,
            note: { _ in },
            progress: { _ in }
        ).run()
    }

    @Test func everyBoardSleepsAndWakesWithProof() async throws {
        let plan = SleepPlan(holdSeconds: 3, allowanceSeconds: 0, boards: [])
        let outcome = try await Self.run([.sleep(plan)], bench: try Self.bench(boards: 3), workload: NoWorkload())
        #expect(outcome.failures.isEmpty)
        #expect(outcome.transitions.count { $0.to == .off } == 3)
        #expect(outcome.transitions.count { $0.to == .ready } == 3)
    }

    @Test func aRunThatFailsLeavesBoardsInTheirSafeState() async throws {
        let bench = try Self.bench(boards: 2, safe: "off")
        let workload = WorkloadPlan(rounds: 1, roundSeconds: 1, batchesPerRound: [1], command: nil)
        let boards = PlayedBoards()
        await #expect(throws: Broken.self) {
            try await Self.run([.workload(workload)], bench: bench, workload: BrokenWorkload(), boards: boards)
        }
        #expect(boards.watts.withLock { $0 } == [0: 0.17, 1: 0.17])
    }

    @Test func anUnknownRoleIsNamed() throws {
        var bench = try Self.bench(boards: 1)
        bench.boards[0].lines[0].role = "sleep"
        #expect(throws: FleetFailure.unknownRole(board: "pi0", role: "sleep")) {
            try BoardFleet(bench: bench, lines: PlayedBoards(), note: { _ in })
        }
    }
}
