import Foundation
import MeterProtocol
import Testing
import Traces

@testable import MeterDriver
@testable import VirtualBench

/// Every meter fault in every state of a session: the books balance, the other meters lose nothing, and the meter streams
/// again unless it cannot.
@Suite struct FaultMatrixTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var kind: FaultKind
        /// State of the session in which the fault strikes; nil: while streaming.
        var state: FaultTrigger?
        var testDescription: String { "\(kind.rawValue) at \(state?.rawValue ?? "streaming")" }
    }

    static let kinds = FaultKind.allCases.filter {
        $0.target == .meter && $0 != .duplicateSerial && $0 != .emptySerial
    }
    static let states: [FaultTrigger?] = [
        nil, .connect, .memoryRead, .auth, .stopGraph, .startGraph, .getData, .disconnect,
    ]
    static let all = kinds.flatMap { kind in states.map { Case(kind: kind, state: $0) } }
    /// Every fault while streaming and in one other state, every state with some fault; the rest is for `all`.
    static let cases = kinds.enumerated().flatMap { index, kind in
        [Case(kind: kind, state: nil), Case(kind: kind, state: states[1 + index % (states.count - 1)])]
    }

    struct Outcome: Sendable {
        var row: String
        var complaints: [String]
    }

    static func run(_ test: Case) async throws -> Outcome {
        var fault = Fault(test.kind, target: "VB0002")
        if let state = test.state { fault.on = state } else { fault.atSeconds = 1.5 }
        let bench = virtualBench(meters: 2) { $0.faults = [fault] }
        let seconds = test.kind == .hostSilence ? 9.0 : 5.0
        let run = try await HubRun.record(bench, seconds: seconds)
        var complaints = run.audit()
        if run.missing("VB0001") != 0 || run.received("VB0001") < Int(seconds * 1000) {
            complaints.append(
                "the other meter suffered too: received \(run.received("VB0001")), missing \(run.missing("VB0001"))")
        }
        let counters = try #require(run.counters("VB0002"))
        if !bench.violations.isEmpty { complaints.append("forbidden frames were sent") }
        // A meter that never brought a sample and does not answer for seconds is given up, with its reason told.
        if counters.link == .failed, counters.received == 0, test.kind == .hostSilence, run.gaps.isEmpty,
            run.events.contains(where: { $0.kind == "meter_given_up" })
        {
            return Outcome(
                row:
                    "| \(test.kind.rawValue) | \(test.state?.rawValue ?? "streaming") | 0 | 0 | 0 | 0 | – | meter_given_up |",
                complaints: complaints)
        }
        if counters.link != .stopped {
            let why = run.events.last { $0.severity == .error }?.text ?? "without a word"
            complaints.append("ended as \(counters.link.rawValue): \(why)")
        }
        if counters.received < 1000 { complaints.append("only \(counters.received) samples") }
        // Samples lost must have left a trace, and a fault in the stream must not end it.
        let last = run.blocks.last { $0.meter == "VB0002" }?.completedAtNanoseconds ?? 0
        let end = run.blocks.map(\.completedAtNanoseconds).max() ?? 0
        if end - last > 2_000_000_000 { complaints.append("silent for the last \((end - last) / 1_000_000) ms") }
        let causes = Dictionary(grouping: run.gaps.filter { $0.meter == "VB0002" }, by: \.cause)
            .map { "\($0.key.rawValue) \($0.value.count)" }.sorted().joined(separator: ", ")
        let kinds = Set(run.events.filter { $0.source == "VB0002" && $0.kind != "streaming" }.map(\.kind)).sorted()
        let row =
            "| \(test.kind.rawValue) | \(test.state?.rawValue ?? "streaming") | \(counters.received) | \(counters.missing) "
            + "| \(counters.account.repeated) | \(counters.account.rejected) | \(causes.isEmpty ? "–" : causes) "
            + "| \(kinds.isEmpty ? "–" : kinds.joined(separator: ", ")) |"
        return Outcome(row: row, complaints: complaints)
    }

    @Test(arguments: cases) func everyFaultInEveryStateIsSurvivedAndCounted(_ test: Case) async throws {
        let outcome = try await Self.run(test)
        #expect(outcome.complaints == [])
    }

    /// Writes docs/fault-matrix.md when asked (`WATTBENCH_WRITE_DOCS=1`); otherwise only the quick part above runs.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["WATTBENCH_WRITE_DOCS"] != nil))
    func theMatrixIsWrittenDown() async throws {
        var lines = [
            "# Fault matrix",
            "",
            "Made by `WATTBENCH_WRITE_DOCS=1 swift test --filter theMatrixIsWrittenDown`: two emulated meters for five virtual",
            "seconds (host_silence: nine); one fault strikes one of them in one state of its session. In every row received +",
            "missing = expected, the other meter lost nothing, no forbidden frame was sent, and the meter streams again at the end.",
            "",
            "| fault | state | received | missing | repeated | rejected | gaps by cause | events |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for test in Self.all { lines.append(try await Self.run(test).row) }
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        try lines.joined(separator: "\n").appending("\n").write(
            to: root.appending(path: "docs/fault-matrix.md"), atomically: true, encoding: .utf8)
    }
}
