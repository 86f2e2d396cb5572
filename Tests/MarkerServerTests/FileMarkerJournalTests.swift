import Foundation
import PhaseLink
import Testing

@testable import MarkerServer

@Suite struct FileMarkerJournalTests {
    private func temporaryPath() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString).jsonl").path
    }

    private func record(_ line: String) throws -> JournalRecord {
        let text = line.trimmingCharacters(in: .newlines)
        guard case .event(let event) = try MarkerLine(decoding: text) else { throw CancellationError() }
        return .line(ReceivedLine(event: event, raw: text, receivedAtNanoseconds: 0, transport: .tcp))
    }

    @Test func aCutLastLineIsForgottenAndWritingGoesOn() async throws {
        let path = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            let journal = try FileMarkerJournal(path: path)
            try await journal.append([record(mark("1-a", 1)), record(mark("1-a", 2))])
        }
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        for length in whole.indices {
            try whole.prefix(length).write(to: URL(fileURLWithPath: path))
            let journal = try FileMarkerJournal(path: path)
            let complete = whole.prefix(length).count { $0 == 0x0A }
            #expect(try await journal.storedIdentities().count == complete)
            try await journal.append([record(mark("1-a", 9))])
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text.split(separator: "\n").allSatisfy { (try? MarkerLine(decoding: String($0))) != nil })
        }
    }

    @Test func twoReceiversCannotShareAFile() throws {
        let path = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let first = try FileMarkerJournal(path: path)
        #expect(throws: MarkerServerError.self) { try FileMarkerJournal(path: path) }
        _ = first
    }

    @Test func aFolderThatIsNotThereIsNamed() {
        #expect(throws: MarkerServerError.journal(path: "/nowhere/j", reason: "No such file or directory")) {
            try FileMarkerJournal(path: "/nowhere/j")
        }
    }
}
