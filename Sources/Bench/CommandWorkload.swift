package import Campaign
import Foundation

/// Why a stage's command did not do its work.
package enum WorkloadFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case noCommand(stage: String)
    case cannotStart(command: String, reason: String)
    case failed(command: String, status: Int32)

    package var description: String {
        switch self {
        case .noCommand(let stage):
            "stage '\(stage)' has no command: on a real bench campaign.yaml says how the workload is started"
        case .cannotStart(let command, let reason): "'\(command)' could not be started: \(reason)"
        case .failed(let command, let status): "'\(command)' ended with status \(status)"
        }
    }
}

/// The workload of a real bench: a shell command per stage, which returns when the work is done.
///
/// The command finds in its environment `WATTBENCH_STAGE` (name), `WATTBENCH_STAGE_NUMBER`, `WATTBENCH_MARKERS`
/// (`tcp://HOST:PORT`), and for load steps `WATTBENCH_STEPS` (`f_mhz,cores,tx_mbit_s,rx_mbit_s` separated by spaces) and
/// `WATTBENCH_STEP_S`.
package struct CommandWorkload: Workload {
    private let markers: @Sendable () -> String

    /// - Parameter markers: address of the marker listener, asked when a stage begins.
    package init(markers: @escaping @Sendable () -> String) { self.markers = markers }

    package func perform(_ stage: Stage, number: Int) async throws {
        var environment = ProcessInfo.processInfo.environment
        environment["WATTBENCH_STAGE"] = stage.name
        environment["WATTBENCH_STAGE_NUMBER"] = String(number)
        environment["WATTBENCH_MARKERS"] = markers()
        let command: String?
        switch stage {
        case .steps(let plan):
            command = plan.command
            environment["WATTBENCH_STEP_S"] = String(plan.stepSeconds)
            environment["WATTBENCH_STEPS"] = plan.points.map {
                "\($0.frequencyMHz),\($0.cores),\($0.transmitMbitPerSecond),\($0.receiveMbitPerSecond)"
            }.joined(separator: " ")
        case .workload(let plan):
            command = plan.command
            environment["WATTBENCH_ROUNDS"] = String(plan.rounds)
        case .baseline, .sleep: return
        }
        guard let command else { throw WorkloadFailure.noCommand(stage: stage.name) }
        try await run(command, environment)
    }

    private func run(_ command: String, _ environment: [String: String]) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = environment
        // What the workload prints belongs to its own log; stdout is for our results.
        process.standardOutput = FileHandle.standardError
        let status: Int32 = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
                do {
                    try process.run()
                } catch {
                    process.terminationHandler = nil
                    continuation.resume(
                        throwing: WorkloadFailure.cannotStart(command: command, reason: error.localizedDescription))
                }
            }
        } onCancel: {
            if process.isRunning { process.terminate() }
        }
        try Task.checkCancellation()
        guard status == 0 else { throw WorkloadFailure.failed(command: command, status: status) }
    }
}
