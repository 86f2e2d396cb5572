import Campaign
import Foundation
import Testing

@testable import Bench

@Suite struct CommandWorkloadTests {
    static func stage(_ command: String?) -> Stage {
        .workload(WorkloadPlan(rounds: 2, roundSeconds: 1, batchesPerRound: [1], command: command))
    }

    @Test func theCommandLearnsWhereMarksGo() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        try await CommandWorkload(markers: { "tcp://127.0.0.1:7077" }).perform(
            Self.stage("echo $WATTBENCH_MARKERS $WATTBENCH_STAGE $WATTBENCH_ROUNDS > \(file.path)"), number: 1)
        #expect(try String(contentsOf: file, encoding: .utf8) == "tcp://127.0.0.1:7077 workload 2\n")
    }

    @Test func aFailingOrMissingCommandIsTold() async {
        let workload = CommandWorkload(markers: { "" })
        await #expect(throws: WorkloadFailure.failed(command: "exit 3", status: 3)) {
            try await workload.perform(Self.stage("exit 3"), number: 1)
        }
        await #expect(throws: WorkloadFailure.noCommand(stage: "workload")) {
            try await workload.perform(Self.stage(nil), number: 1)
        }
    }

    @Test func cancellingEndsTheCommand() async {
        let task = Task { try await CommandWorkload(markers: { "" }).perform(Self.stage("sleep 30"), number: 1) }
        try? await Task.sleep(for: .milliseconds(100))
        task.cancel()
        await #expect(throws: (any Error).self) { try await task.value }
    }
}
