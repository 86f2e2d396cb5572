import BoardControl
import Foundation
import Testing

@testable import VirtualBench

/// Two files as `gpio-sim` shows them stand in for the kernel: what a program drives is written into `value`.
@Suite struct SimulatedChipLinesTests {
    private func line(_ folder: URL, _ role: LineRole) throws -> SimulatedLine {
        let place = folder.appendingPathComponent(role.rawValue)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        try Data("1\n".utf8).write(to: place.appendingPathComponent("value"))
        try Data().write(to: place.appendingPathComponent("pull"))
        return try SimulatedLine(parsing: "pi01:\(role.rawValue):\(place.path)")
    }

    /// Writes into the file that is there: a new one would not be seen.
    private func drive(_ line: SimulatedLine, _ level: String) throws {
        let file = try #require(FileHandle(forWritingAtPath: line.folder + "/value"))
        try file.write(contentsOf: Data(level.utf8))
        try file.close()
    }

    @Test func aPulseOnGlobalEnableRestartsTheBoard() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lines-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let enable = try line(folder, .globalEnable)
        let acknowledge = try line(folder, .poweroffAcknowledge)
        let bench = VirtualBench(BenchDescription(boards: 1, seed: 1, clock: .real))
        let chips = try SimulatedChipLines(bench: bench, lines: [enable, acknowledge])
        #expect(try String(contentsOfFile: enable.folder + "/pull", encoding: .utf8) == "pull-up")
        #expect(try String(contentsOfFile: acknowledge.folder + "/pull", encoding: .utf8) == "pull-down")
        func comes(to state: PowerState) -> Bool {
            for _ in 0..<1000 {
                if bench.boardState("pi01") == state { return true }
                usleep(10_000)
            }
            return false
        }
        try drive(enable, "0\n")
        #expect(comes(to: .held))
        try drive(enable, "1\n")
        #expect(comes(to: .booting))
        chips.stop()
    }

    @Test func mistakesNameWhatIsKnown() {
        do throws(VirtualBenchFailure) {
            _ = try SimulatedLine(parsing: "pi01:globalenable:/sys/x")
            Issue.record("accepted")
        } catch { #expect(error.description.contains("global_en")) }
        let bench = VirtualBench(BenchDescription(boards: 1, seed: 1, clock: .virtual))
        do throws(VirtualBenchFailure) {
            _ = try SimulatedChipLines(bench: bench, lines: [try SimulatedLine(parsing: "pi09:run:/nowhere")])
            Issue.record("accepted")
        } catch { #expect(error.description.contains("pi01")) }
    }
}
